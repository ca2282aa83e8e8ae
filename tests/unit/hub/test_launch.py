"""What is started, and what the errors say: without a process."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from remora.dap.errors import DapError
from remora.hub import configuration, launch
from remora.hub.configuration import Launch

OWN = {"PATH": "/bin", "HOME": "/root", "REMORA_SESSION": "someone else's", "REMORA_HUB": "the same"}


def wish(**settings: Any) -> Launch:
    read = configuration.read("launch", settings)
    assert isinstance(read, Launch)
    return read


def plan(folder: Path, **settings: Any) -> launch.Plan:
    return launch.Plan(wish(**settings), OWN, str(folder))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "app.py").touch()
    (tmp_path / "sub" / "app.py").touch()
    return tmp_path


def test_command_line(folder: Path) -> None:
    made = plan(folder, program="app.py", args=["x"], python=["py", "-E"], pythonArgs=["-O"])
    assert made.debugged()[:3] == ["py", "-E", "-O"]
    assert made.debugged()[3].endswith("agent/boot.py") and Path(made.debugged()[3]).exists()
    assert made.debugged()[4:] == [str(folder / "app.py"), "x"]
    assert made.plain()[-2:] == [str(folder / "app.py"), "x"]
    assert plan(folder, module="http.server", args=["80"]).plain() == [
        sys.executable, "-u", "-m", "http.server", "80",
    ]  # fmt: skip
    assert plan(folder, code="print(1)").plain()[-2:] == ["-c", "print(1)"]


def test_where_it_runs(folder: Path) -> None:
    assert plan(folder, module="m").cwd == str(folder)
    assert plan(folder, module="m", cwd="sub").cwd == str(folder / "sub")
    with_cwd = plan(folder, program="app.py", cwd=str(folder / "sub"))
    assert (with_cwd.cwd, with_cwd.target["value"]) == (str(folder / "sub"), "app.py")
    without = plan(folder, program="sub/app.py")
    assert (without.cwd, without.target["value"]) == (str(folder / "sub"), str(folder / "sub" / "app.py"))


def test_environment(folder: Path) -> None:
    (folder / ".env").write_text("# a comment\nexport A=1\nB='two words'\nHOME=/nowhere\n\nnonsense\n")
    made = plan(folder, module="m", env={"PATH": None, "HOME": "/home/x"}, envFile=".env")
    assert made.environment == {"A": "1", "B": "two words", "HOME": "/home/x"}
    assert made.unset == ["PATH"]
    assert plan(folder, module="m", envFile="missing.env").environment == {"PATH": "/bin", "HOME": "/root"}


def test_the_session_names_no_more_than_the_agent_needs(folder: Path) -> None:
    made = plan(folder, program="app.py", args=["a"], env={"X": "secret"})
    session = json.loads(made.session({"fd": 7}, "s3cret", wait=True, captures=True))
    assert session == {
        "address": {"fd": 7},
        "secret": "s3cret",
        "run": {"kind": "program", "value": str(folder / "app.py"), "args": ["a"]},
        "wait": True,
        "capturesOutput": True,
    }


def test_in_a_terminal(folder: Path) -> None:
    settings = {"module": "m", "console": "externalTerminal", "env": {"A": "1", "PATH": None}}
    arguments = launch.in_terminal(plan(folder, **settings), wish(**settings), "the session")
    assert arguments["kind"] == "external"
    assert arguments["cwd"] == str(folder)
    assert arguments["env"]["A"] == "1"
    assert arguments["env"]["PATH"] is None
    assert "the session" in arguments["env"].values()
    assert "the session" not in arguments["args"], "secrets never stand in argv"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"program": "missing.py"}, ["missing.py", "no such file"]),
        ({"program": "sub"}, ["sub", "__main__.py"]),
        ({"program": "app.py", "cwd": "/nowhere/at/all"}, ["cwd", "/nowhere/at/all"]),
    ],
)
def test_mistakes(folder: Path, settings: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(DapError) as caught:
        plan(folder, **settings)
    assert all(word in caught.value.text for word in words)
    assert caught.value.show_user


def test_a_program_that_died_early_shows_why(folder: Path) -> None:
    made = plan(folder, program="app.py", python="py")
    text = launch.died_early(made, 1, "\n".join(f"line {n}" for n in range(50))).text
    assert "exit code 1" in text and "line 49" in text and "line 10" not in text
    assert "no interpreter" in launch.explain(made, FileNotFoundError(2, "No such file")).text
