"""Columns: Python counts UTF-8 bytes from 0, DAP counts UTF-16 units from the client's first column.

For almost every file the two are the same number, so what is remembered of a file is only its lines that are
not ASCII. Agent thread only.
"""

from __future__ import annotations

import io

# Files remembered; a stack rarely shows more, and an entry of an ASCII file is empty.
MAX_FILES = 256

_open = io.open  # programs patch `open`
_special_lines: dict[str, dict[int, bytes]] = {}


def client_column(path: str | None, line: int, column: int | None, first: int) -> int:
    """Convert a 0-based UTF-8 byte offset on a line of a file; unknown is the first column."""
    if not column:
        return first
    special = _lines_of(path).get(line) if path else None
    if special is None:
        return column + first
    return to_utf16(special[:column].decode("utf-8", "replace"), None) + first


def to_utf16(text: str, index: int | None) -> int:
    """Convert an index into `text` to UTF-16 units; None is the end."""
    part = text if index is None else text[: max(index, 0)]
    return len(part) if part.isascii() else len(part.encode("utf-16-le", "surrogatepass")) // 2


def from_utf16(text: str, units: int) -> int:
    """Convert UTF-16 units to an index into `text`, clamped to it."""
    units = max(units, 0)
    if text.isascii():
        return min(units, len(text))
    data = text.encode("utf-16-le", "surrogatepass")[: units * 2]
    return len(data.decode("utf-16-le", "replace"))


def _lines_of(path: str) -> dict[int, bytes]:
    lines = _special_lines.get(path)
    if lines is None:
        if len(_special_lines) >= MAX_FILES:
            _special_lines.clear()
        lines = _special_lines[path] = _read(path)
    return lines


def _read(path: str) -> dict[int, bytes]:
    try:
        with _open(path, "rb") as file:
            data = file.read()
    except OSError:
        return {}  # no file, no better column than the one we have
    if data.isascii():
        return {}
    return {number: line for number, line in enumerate(data.split(b"\n"), 1) if not line.isascii()}
