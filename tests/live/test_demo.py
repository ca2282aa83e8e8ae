"""`remora demo`, from the clone and as it comes out of a wheel."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

import pytest

import remora
from remora.cli.demo import command_by_hand

from .harness.debuggee import remora as command
from .harness.debuggee import run

PACKAGE = Path(remora.__file__).parent
EXAMPLE = PACKAGE.parents[1] / "examples" / "order_service"


def test_it_tells_the_whole_story(tmp_path: Path) -> None:
    done = run(command("demo"), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    for words in (
        "quoting 120 x pencil", "rate = Decimal('1.20')", "Decimal('-19.2000')", "rate = Decimal('0.30')",
        "Decimal('67.2000')", "order 1003  Northside School           84.70 EUR", "the books are right",
        "remora attach 5678", '"request": "attach"',
    ):  # fmt: skip
        assert words in done.stdout


def test_the_commands_by_hand_work_in_a_terminal_without_our_environment(tmp_path: Path) -> None:
    """`python -m remora` did not, after `uv run remora demo`: there is no remora in that python."""
    plain = {"PATH": "/usr/bin:/bin", "VIRTUAL_ENV": ""}
    done = run(command("demo"), cwd=tmp_path, env=plain)
    shown = [line.strip()[2:] for line in done.stdout.splitlines() if line.strip().startswith("$ ")]
    assert shown[-4].startswith("cd ")
    for line in shown[-3:]:
        words = shlex.split(line)
        starts = words[: words.index("remora") + 1]
        assert run([*starts, "--version"], cwd=tmp_path, env=plain).stdout.startswith("remora "), line


def test_the_commands_by_hand_after_uv_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setenv("UV", "/usr/bin/uv")
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / ".venv"))
    assert command_by_hand() == f"uv run --project {tmp_path} remora"


def test_it_fails_if_the_bug_is_not_there(tmp_path: Path) -> None:
    """Exit code 0 has to mean something."""
    root = wheel_like(tmp_path)
    pricing = root / "remora" / "cli" / "order_service" / "pricing.py"
    text = pricing.read_text().replace("rate = bulk_rate(line.quantity)", "rate = HIGHEST_RATE")
    pricing.write_text(text)
    done = run([sys.executable, "-S", "-m", "remora", "demo"], cwd=tmp_path, env=installed(root, tmp_path))
    assert done.returncode == 1
    assert "The demo failed" in done.stdout


def test_it_runs_from_a_wheel(tmp_path: Path) -> None:
    root = wheel_like(tmp_path)
    done = run([sys.executable, "-S", "-m", "remora", "demo"], cwd=tmp_path, env=installed(root, tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"cd {tmp_path}/tmp" in done.stdout, "the example is the user's to change"


def wheel_like(folder: Path) -> Path:
    """Lay the package out as pyproject.toml's force-include does."""
    root = folder / "site"
    shutil.copytree(PACKAGE, root / "remora", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(EXAMPLE, root / "remora" / "cli" / "order_service", dirs_exist_ok=True)
    (folder / "tmp").mkdir()
    return root


def installed(root: Path, folder: Path) -> dict[str, str]:
    return {"PYTHONPATH": os.fspath(root), "TMPDIR": os.fspath(folder / "tmp")}
