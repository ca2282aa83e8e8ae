"""Stops where the program leaves little room, and breakpoints where people set them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from live.harness.debugging import launched
from live.harness.programs import Program

Write = Callable[..., Program]

DEEP = """
import sys
def down(n):
    try:
        return down(n + 1)
    except RecursionError:
        return n
    finally:
        top = n
        if n == bottom - room:
            value = [1, 2, 3]
            done = len(value)    # @here
limit = sys.getrecursionlimit()
room, bottom = -1, 10 ** 9
bottom = down(0)
for room in (ROOMS):
    down(0)
assert sys.getrecursionlimit() == limit
print("ended", flush=True)
"""


@pytest.mark.xfail(
    strict=True,
    reason="the engine gives a stopped thread no room: callbacks and jobs meet the program's limit",
)
def test_stops_near_the_recursion_limit(program: Write) -> None:
    """It stopped, told of the stop, and ran on while the client looked; or did not stop at all."""
    rooms = (3, 5, 8, 13, 21, 34)
    with launched(program(DEEP.replace("ROOMS", ", ".join(map(str, rooms))))) as debugging:
        debugging.start("here")
        for room in rooms:
            stop = debugging.stopped("breakpoint", limit_s=5)
            assert stop.is_at("here")
            assert stop.evaluate("room") == str(room)
            assert stop.evaluate("[n for n in value if n > 1]") == "[2, 3]"
            assert stop.locals()["value"] == "[1, 2, 3]"
            assert len(stop.frames) > 500
            stop = stop.step()
            assert stop.top["name"] == "down"
            stop.resume()
        code, output = debugging.until_exit()
        assert (code, "ended" in output["stdout"]) == (0, True), output


def test_a_comment_at_the_end_of_a_function_belongs_to_it(program: Write) -> None:
    """It has no line of code behind it in its function, so the breakpoint goes to the one before."""
    text = """
        def first(n):
            n += 1
            return n    # @last
            # the end of first    # @comment

        def second(n):
            return n
        first(1)
        second(2)
    """
    target = program(text)
    with launched(target) as debugging:
        debugging.begin()
        (answer,) = debugging.break_at("comment")
        assert (answer["verified"], answer["line"]) == (True, target.line("last"))
        assert "moved" in answer["message"]
        debugging.go()
        assert debugging.stopped("breakpoint").is_at("last")
