"""Command lines of Python: which would not join, and how they are started instead and found again."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from remora.agent import command_line

BOOT = "/somewhere/boot.py"


@pytest.mark.parametrize(
    ("line", "kind", "value", "args"),
    [
        ("python -I app.py", "program", "app.py", []),
        ("python -E app.py -c x", "program", "app.py", ["-c", "x"]),
        ("python -S -u app.py -I", "program", "app.py", ["-I"]),
        ("python -I -c pass a b", "code", "pass", ["a", "b"]),
        ("python -Ic pass a", "code", "pass", ["a"]),
        ("python -Icpass a", "code", "pass", ["a"]),
        ("python -I -cpass", "code", "pass", []),
        ("python -I -m pkg.mod -x", "module", "pkg.mod", ["-x"]),
        ("python -uBIm pkg", "module", "pkg", []),
        ("python -X dev -I app.py", "program", "app.py", []),
        ("python -IXdev -W error -Wignore app.py", "program", "app.py", []),
        ("python -W ignore -ISm pkg -m", "module", "pkg", ["-m"]),
        ("python --check-hash-based-pycs always -I app.py", "program", "app.py", []),
        ("python -I -- app.py", "program", "app.py", []),
    ],
)
def test_deaf_line_runs_through_boot_and_is_found_again(
    line: str, kind: str, value: str, args: list[str]
) -> None:
    words = line.split()
    taken = command_line.is_deaf(words)
    assert taken is not None
    made = command_line.through_boot(taken, BOOT)
    assert made.count(BOOT) == 1
    assert command_line.as_given(made, taken.note()) == (kind, value, args, words)


@pytest.mark.parametrize(
    "line",
    [
        "python app.py",
        "python app.py -I",
        "python -m pkg -I",
        "python -c pass -S",
        "python -X importtime app.py -E",
        "python -W -I app.py",  # -I is what -W is given
        "python -X -S app.py",
        "python -u -",
        "python",
        "python --version",
        "python -I -V",
        "python -Ih",
        "python -I -c",  # an error that Python reports itself
        "python -i app.py",
    ],
)
def test_line_that_is_left_alone(line: str) -> None:
    assert command_line.is_deaf(line.split()) is None


@pytest.mark.parametrize("line", ["python -I -", "python -S", "python -Ii app.py", "python -E -x app.py"])
def test_line_that_is_not_understood(line: str) -> None:
    with pytest.raises(command_line.NotUnderstood):
        command_line.is_deaf(line.split())


def test_which_python_it_is(tmp_path: Path) -> None:
    assert command_line.is_ours(sys.executable) is True
    for name, known in {
        "python3.11": False, "python3.12": True, "python3.14t": True, "python2.7": None, "python3": None,
        "bash": False, "python-config": None,
    }.items():  # fmt: skip
        path = tmp_path / name
        path.touch()
        link = tmp_path / f"link-{name}"
        link.symlink_to(path)
        assert command_line.is_ours(str(link)) is known, name
