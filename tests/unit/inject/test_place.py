"""The folder where we and the target meet: private, and gone afterwards; the script works once."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from remora.inject.place import MAX_BASE_CHARS, Place
from remora.inject.processes import Target

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def place() -> Iterator[Place]:
    place = Place(Target(os.getpid()))
    yield place
    place.remove()
    assert not os.path.exists(place.folder)


def mode(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def test_only_our_user_may_enter_and_read(place: Place) -> None:
    script = place.arm({"do": "attach", "secret": "s3cret"})
    assert mode(place.folder) == 0o700
    assert mode(script) == 0o600
    assert "s3cret" in Path(script).read_text()
    assert "s3cret" not in script


def test_a_script_given_up_does_nothing(place: Place) -> None:
    script = place.arm({"do": "attach"})
    assert place.disarm() is True
    exec(Path(script).read_text(), {})
    assert not place.begun
    assert place.said() is None
    assert place.disarm() is False


def test_a_script_that_has_begun_cannot_be_given_up(place: Place) -> None:
    script = place.arm({"do": "nonsense", "where": []})
    exec(Path(script).read_text(), {})
    assert place.begun
    assert place.disarm() is False
    deadline = time.monotonic() + 20
    while place.said() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    said = place.said()
    assert said is not None
    assert "failed" in said


def test_it_works_once(place: Place) -> None:
    script = place.arm({"do": "nonsense", "where": []})
    for _ in range(2):
        exec(Path(script).read_text(), {})
    os.rename(os.path.join(place.folder, "begun"), os.path.join(place.folder, "x"))
    exec(Path(script).read_text(), {})
    assert not place.begun


def test_the_script_makes_no_names(place: Place) -> None:
    """In a namespace of its own; what it defines is what it needs."""
    script = place.arm({"do": "attach"})
    place.disarm()
    names: dict[str, object] = {}
    exec(Path(script).read_text(), names)
    assert set(names) == {"__builtins__", "__doc__", "arrive", "TYPE_CHECKING"} - (
        {"__doc__"} if "__doc__" not in names else set()
    )


def test_a_long_temporary_folder_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A Unix socket's name may have 107 bytes."""
    long = tmp_path / ("x" * MAX_BASE_CHARS)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    place = Place(Target(os.getpid()))
    try:
        assert len(place.socket_path()) < 100
    finally:
        place.remove()


def test_what_it_says_is_taken_only_if_it_is_an_object(place: Place) -> None:
    path = Path(place.folder, "said")
    path.write_text("[1]")
    assert place.said() is None
    path.write_text('{"listening"')
    assert place.said() is None
    path.write_text('{"listening": ["127.0.0.1", 1]}')
    assert place.said() == {"listening": ["127.0.0.1", 1]}
