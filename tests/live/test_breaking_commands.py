"""Command lines that nobody should type: each is one clear line on stderr, and exit code 2."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from live.harness.debuggee import environment, remora, run

LONG = "a" * 70 + ".example"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["adapter", "--log-to", "/proc"], "/proc"),
        (["adapter", "--port", "0", "--log-to", "/proc"], "/proc"),
        (["adapter", "--host", "127.0.0.1"], "--port"),
        (["adapter", "--port", "0", "--host", LONG], LONG),
        (["adapter", "--port", "0", "--host", "a\u00e9" * 70], "cannot listen"),
        (["--listen", "0", "--wait-for-client=1", "app.py"], "--wait-for-client"),
        (["--listen", "0", "--log-to-stderr=5", "app.py"], "--log-to-stderr"),
        (["--listen", "[::1", "app.py"], "[::1"),
        (["--listen", "a\u00e9" * 70 + ":0", "app.py"], "cannot listen"),
        (["--listen", "0", "--configure-python", "/nowhere", "app.py"], "/nowhere"),
        (["run", "--no-stop=1", "app.py"], "--no-stop"),
        (["run", "--all-code=1", "app.py"], "--all-code"),
        (["run", "--python", "/nowhere/python", "app.py"], "/nowhere/python"),
        (["run", "--python", "", "app.py"], "--python"),
        (["run", "--stdin", ".", "app.py"], "--stdin"),
        (["run", "folder"], "__main__"),
        (["attach", "--all-code=1", "5678"], "--all-code"),
        (["attach", LONG + ":1"], LONG),
        (["attach", "a\u00e9" * 70 + ":1"], "cannot reach"),
    ],
    ids=lambda value: " ".join(value)[:50] if isinstance(value, list) else "",
)
def test_mistake(arguments: list[str], named: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("print('never')\n")
    (tmp_path / "1").write_text("print('never')\n")
    (tmp_path / "5").write_text("print('never')\n")
    (tmp_path / "folder").mkdir()
    done = run(remora(*arguments), cwd=tmp_path)
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert named in done.stderr


def test_an_interpreter_that_is_none(tmp_path: Path) -> None:
    """It starts, and never says hello: told as soon as it has ended, not after a minute."""
    (tmp_path / "app.py").write_text("print('never')\n")
    done = run(remora("run", "--python", "/bin/true", "app.py"), cwd=tmp_path, limit_s=15)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "/bin/true" in line
    assert "ended before it could be debugged" in line


def test_adapter_with_nothing_to_read(tmp_path: Path) -> None:
    """/dev/null cannot be waited for, only read: to its end, which is at once."""
    with open(os.devnull, "rb") as nothing:
        done = subprocess.run(
            remora("adapter"), cwd=tmp_path, stdin=nothing, capture_output=True, timeout=10, check=False
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.parametrize("closed", [0, 1])
def test_adapter_without_its_streams(closed: int, tmp_path: Path) -> None:
    argv = ["/bin/sh", "-c", f'exec "$@" {closed}{"<" if closed == 0 else ">"}&-', "sh", *remora("adapter")]
    done = subprocess.run(
        argv, cwd=tmp_path, env=environment(), input=b"", capture_output=True, timeout=10, check=False
    )
    assert done.returncode == 2
    (line,) = done.stderr.decode().splitlines()
    assert "closed" in line


def test_an_interpreter_that_is_one(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("print('ran')\n")
    done = run(remora("run", "--no-stop", "--python", sys.executable, "app.py"), cwd=tmp_path)
    assert done.returncode == 0, done
    assert "ran" in done.stdout
