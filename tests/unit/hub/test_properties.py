"""docs/configuration.md and the table of properties say the same."""

from __future__ import annotations

import re
from pathlib import Path

from remora.hub.properties import (
    DEBUG_OPTIONS,
    OF_ATTACH_UNSAID,
    OF_LAUNCH_UNSAID,
    PROPERTIES,
    UNSAID,
    Effect,
)

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"


def rows() -> dict[str, tuple[str, str, str, str]]:
    """Request, type, default and meaning of each property on the page."""
    found = {}
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 6 and (name := re.fullmatch(r"`(\w+)`", cells[0])):
            assert name[1] not in found, f"{name[1]} stands there twice"
            found[name[1]] = (cells[1], cells[2], cells[3].strip("`"), cells[4])
    return found


def test_the_page_has_the_properties_that_there_are() -> None:
    assert list(rows()) == list(PROPERTIES)


def test_the_page_says_what_is_so() -> None:
    for name, (requests, kind, default, meaning) in rows().items():
        row = PROPERTIES[name]
        assert (name, requests, kind, default) == (name, row.requests, row.kind.label, row.default)
        assert meaning.startswith("not yet") == (row.effect is Effect.NOT_YET), name


def test_the_other_names() -> None:
    assert not UNSAID & PROPERTIES.keys()
    assert all(PROPERTIES[name].requests == "launch" for name in OF_LAUNCH_UNSAID)
    assert all(PROPERTIES[name].requests == "attach" for name in OF_ATTACH_UNSAID)
    assert all(name in PROPERTIES for name, _ in DEBUG_OPTIONS.values())
