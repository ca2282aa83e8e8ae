"""What is started, and what the errors say: without a process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from remora.dap.errors import DapError
from remora.hub import configuration, launch
from remora.hub.configuration import Launch

OWN = {
    "PATH": "/bin", "HOME": "/root",
    "REMORA_SESSION": "someone else's", "REMORA_HUB": "the same", "REMORA_FAMILY": "and again",
}  # fmt: skip


def wish(**settings: Any) -> Launch:
    read = configuration.read("launch", settings)
    assert isinstance(read, Launch)
    return read


def plan(folder: Path, **settings: Any) -> launch.Plan:
    return launch.Plan(wish(**settings), OWN, str(folder))


def terminal(
    folder: Path, expands: bool = False, settings: str | None = None, **wishes: Any
) -> dict[str, Any]:
    wishes = {"console": "integratedTerminal", **wishes}
    return launch.in_terminal(
        plan(folder, **wishes), wish(**wishes), "@/the/session", settings, expands=expands
    )


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
    (folder / ".env").write_text("# a comment\nexport A=1\nB='two words'\nHOME=/nowhere\nC=$PATH\n")
    made = plan(folder, module="m", env={"PATH": None, "HOME": "/home/x"}, envFile=".env")
    assert made.environment == {"A": "1", "B": "two words", "C": "/bin", "HOME": "/home/x"}
    assert made.unset == ["PATH"]
    missing = plan(folder, module="m", envFile="missing.env")
    assert missing.environment == {"PATH": "/bin", "HOME": "/root"}
    assert "missing.env" in missing.notes[0]
    assert plan(folder, module="m", envFile="sub/.env").notes == [], (
        "front ends name it whether it is there or not"
    )


def test_a_file_of_variables_that_is_wrong_says_where(folder: Path) -> None:
    (folder / "vars").write_text("A=1\nB='never closed\n")
    with pytest.raises(DapError) as caught:
        plan(folder, module="m", envFile="vars")
    assert f"{folder}/vars, line 2" in caught.value.text
    (folder / "vars").write_bytes(b"A=\xff")
    with pytest.raises(DapError) as caught:
        plan(folder, module="m", envFile="vars")
    assert "UTF-8" in caught.value.text
    with pytest.raises(DapError) as caught:
        plan(folder, module="m", envFile="sub")
    assert "directory" in caught.value.text.lower()


def test_arguments_for_a_shell(folder: Path) -> None:
    made = plan(folder, program="app.py", args="--x *.py >out", python="/my python")
    assert made.target["args"] is None
    shell, option, text = made.plain()
    assert (shell, option) == ("/bin/sh", "-c")
    assert text == f"exec '/my python' -u {folder}/app.py --x *.py >out"
    assert made.for_shell()[-1] == "--x *.py >out"
    assert made.for_shell()[0] == "'/my python'"


def test_gevent(folder: Path) -> None:
    assert plan(folder, module="m", gevent=True).environment["GEVENT_SUPPORT"] == "True"
    assert (
        "GEVENT_SUPPORT"
        not in plan(folder, module="m", gevent=True, env={"GEVENT_SUPPORT": None}).environment
    )


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
    arguments = terminal(folder, **settings)
    assert arguments["kind"] == "external"
    assert arguments["cwd"] == str(folder)
    assert arguments["env"]["A"] == "1"
    assert arguments["env"]["PATH"] is None
    assert arguments["env"]["REMORA_SESSION"] == "@/the/session"
    assert "HOME" not in arguments["env"], "a terminal has its own"
    assert terminal(folder, module="m", consoleName="mine")["title"] == "mine"


def test_a_terminals_own_shell_takes_the_arguments_apart(folder: Path) -> None:
    settings = {"program": "app.py", "args": "$HOME/*", "console": "integratedTerminal"}
    able = terminal(folder, expands=True, **settings)
    assert able["argsCanBeInterpretedByShell"] is True and able["args"][-1] == "$HOME/*"
    unable = terminal(folder, expands=False, **settings)
    assert "argsCanBeInterpretedByShell" not in unable and unable["args"][:2] == ["/bin/sh", "-c"]
    as_list = terminal(folder, expands=True, program="app.py", args=["$HOME/*"])
    assert "argsCanBeInterpretedByShell" not in as_list and as_list["args"][-1] == "$HOME/*"


def test_sudo_in_a_terminal_shows_no_values(folder: Path) -> None:
    settings = {"program": "app.py", "sudo": True, "console": "integratedTerminal", "env": {"KEY": "s3cret"}}
    arguments = terminal(folder, settings="/the/settings", **settings)
    assert arguments["args"][:2] == ["sudo", "--"]
    assert "/the/settings" in arguments["args"] and arguments["args"][-1] == str(folder / "app.py")
    assert "s3cret" not in json.dumps(arguments)
    text = plan(folder, **settings).root_settings("@/the/session")
    assert "export KEY=s3cret\n" in text and "export REMORA_SESSION=@/the/session\n" in text
    assert '[ "${HOME+x}" ] || export HOME=/root\n' in text, "what sudo has set stays"


@pytest.mark.parametrize("on", [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("code", [0, 3])
def test_a_window_that_stays(folder: Path, on: tuple[bool, bool], code: int) -> None:
    settings = {"module": "m", "console": "externalTerminal", "python": ["sh", "-c", f"exit {code}"]}
    arguments = terminal(folder, waitOnNormalExit=on[0], waitOnAbnormalExit=on[1], **settings)
    ended = subprocess.run(
        arguments["args"], input="\n", capture_output=True, text=True, timeout=10, check=False
    )
    assert ended.returncode == code
    assert ("press Enter" in ended.stdout) == (on[0] if code == 0 else on[1])


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
