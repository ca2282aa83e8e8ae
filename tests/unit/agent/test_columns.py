"""Columns: UTF-8 bytes from 0 to UTF-16 units from the client's first."""

from __future__ import annotations

from pathlib import Path

import pytest

from remora.agent.columns import client_column, from_utf16, to_utf16


@pytest.mark.parametrize(
    ("line", "character", "units"),
    [("x = 1", 4, 4), ("é = 1", 4, 4), ("'𝄞' + x", 6, 7), ("'日本' + x", 7, 7)],
)
def test_column(tmp_path: Path, line: str, character: int, units: int) -> None:
    path = tmp_path / f"{abs(hash(line))}.py"
    path.write_text(f"# ascii\n{line}\n", encoding="utf-8")
    offset = len(line[:character].encode())
    assert client_column(str(path), 2, offset, 1) == units + 1
    assert client_column(str(path), 2, offset, 0) == units
    assert to_utf16(line, character) == units
    assert from_utf16(line, units) == character


def test_unknown_is_the_first_column() -> None:
    assert client_column("/nowhere/at/all.py", 1, None, 1) == 1
    assert client_column(None, 1, 5, 0) == 5


def test_position_past_the_end_is_the_end() -> None:
    assert from_utf16("abc", 10) == 3
    assert from_utf16("", -1) == 0
