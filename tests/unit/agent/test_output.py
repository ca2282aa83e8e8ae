"""The mirror of program output: sees it, changes nothing, and goes without a trace."""
# ruff: noqa: T201  (printing is what is tried)

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from remora.agent.output import CHUNK_CHARS, Mirror


class Streams:
    """Standard streams of the test's own, and what the mirror has seen of them."""

    def __init__(self) -> None:
        self.out = io.TextIOWrapper(io.BytesIO(), write_through=True)
        self.err = io.TextIOWrapper(io.BytesIO(), write_through=True)
        self.seen: list[tuple[str, str]] = []
        self.mirror = Mirror(lambda category, text: self.seen.append((category, text)))

    start: Any = None

    def text(self, category: str) -> str:
        return "".join(text for seen, text in self.seen if seen == category)

    def written(self) -> str:
        return self.out.buffer.getvalue().decode()  # type: ignore[attr-defined, no-any-return]


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Iterator[Streams]:
    made = Streams()
    start = made.mirror.start

    def start_there() -> None:
        # Here and not before: pytest puts its own streams in place for each phase of a test.
        if not isinstance(sys.stdout, io.TextIOWrapper) or sys.stdout is not made.out:
            monkeypatch.setattr(sys, "stdout", made.out)
            monkeypatch.setattr(sys, "stderr", made.err)
        start()

    made.start = start_there
    yield made
    made.mirror.stop()


def test_sees_both_streams_and_goes(streams: Streams) -> None:
    streams.start()
    streams.start()
    assert sys.stdout is streams.out
    print("one")
    print("two", file=sys.stderr)
    sys.stdout.writelines(["three\n", "four\n"])
    assert sys.stdout.write("five") == 4
    streams.mirror.stop()
    assert "write" not in vars(streams.out) and "write" not in vars(streams.err)
    print("six")
    assert streams.text("stdout") == "one\nthree\nfour\nfive"
    assert streams.text("stderr") == "two\n"
    assert streams.written() == "one\nthree\nfour\nfivesix\n"


def test_replaced_stream_is_the_programs_own(streams: Streams) -> None:
    streams.start()
    with contextlib.redirect_stdout(io.StringIO()) as captured:
        print("captured")
    print("shown")
    assert captured.getvalue() == "captured\n"
    assert streams.text("stdout") == "shown\n"


def test_wrapped_hook_goes_on_working(streams: Streams) -> None:
    streams.start()
    ours: Any = sys.stdout.write
    sys.stdout.write = lambda text: ours(text.upper())  # type: ignore[method-assign]
    print("x")
    streams.mirror.stop()
    print("y")
    assert streams.written() == "X\nY\n"
    assert streams.text("stdout") == "X\n"


def test_error_of_the_stream_is_the_programs(streams: Streams) -> None:
    streams.start()
    with pytest.raises(TypeError):
        sys.stdout.write(3)  # type: ignore[arg-type]
    streams.out.close()
    with pytest.raises(ValueError, match="closed"):
        sys.stdout.write("x")
    assert streams.seen == []


def test_huge_print_comes_in_pieces(streams: Streams) -> None:
    streams.start()
    sys.stdout.write("x" * (3 * CHUNK_CHARS + 1))
    assert [len(text) for _, text in streams.seen] == [CHUNK_CHARS] * 3 + [1]


def test_streams_that_cannot_be_hooked(streams: Streams, monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed:
        __slots__ = ()

        def write(self, text: str) -> int:
            return len(text)

    monkeypatch.setattr(sys, "stdout", Closed())
    monkeypatch.setattr(sys, "stderr", None)
    streams.mirror.start()
    print("still works")
    streams.mirror.stop()
    assert streams.seen == []


def test_text_of_a_subclass(streams: Streams) -> None:
    class Loud(str):
        def __getitem__(self, key: Any) -> str:
            raise AssertionError("the program's method was run")

    streams.start()
    sys.stdout.write(Loud("x"))
    assert streams.seen == [("stdout", "x")]
    assert type(streams.seen[0][1]) is str
