"""Every way of starting × every kind of target: stop, look, step, change, go on, end as without us."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import pytest

from live.harness.debugging import PREFACES, Debugging, Stopped, Way, started
from live.harness.programs import Program, Shape

PROGRAM = """\
import sys

def total(items):
    result = 0
    for price, count in items:      # @loop
        result += price * count     # @hot
    return result                   # @return

def main():
    items = [(10, 1), (5, 4)]       # @items
    print("started")
    value = total(items)            # @call
    print("total", value)           # @after
    sys.stderr.write("a complaint\\n")
    print("args", sys.argv[1:])
    return 3

ENTRY
sys.exit(main())
"""
ARGS = ["one", "two words", "--three", ""]


@pytest.mark.parametrize("shape", Shape, ids=lambda shape: shape.value)
@pytest.mark.parametrize("way", Way, ids=lambda way: way.value)
def test_session(way: Way, shape: Shape, program: Callable[..., Program]) -> None:
    # Code from -c has no file to put a breakpoint in before it runs, so it asks for its first stop itself.
    entry = "breakpoint()                    # @asked" if shape is Shape.CODE else ""
    text = PREFACES.get(way, "") + textwrap.dedent(PROGRAM).replace("ENTRY", entry)
    with started(way, program(text, shape), ARGS) as debugging:
        if shape is Shape.CODE:
            debugging.start()
            stop = debugging.stopped("breakpoint")
            debugging.source = stop.top["source"]
            assert debugging.break_at("hot")[0]["verified"] is True
            stop.resume()
            stop = debugging.stopped("breakpoint")
        else:
            debugging.begin()
            answer = debugging.break_at("hot")[0]
            debugging.wire.request("setExceptionBreakpoints", {"filters": ["uncaught"]})
            debugging.go()
            stop = debugging.stopped("breakpoint")
            assert stop.body["hitBreakpointIds"] == [answer["id"]]
        look_and_step(debugging, stop)
        code, output = debugging.until_exit()
        if way in (Way.LAUNCH, Way.LISTEN_CLI, Way.CONNECT_CLI):
            assert code == 3
        else:
            assert code in (3, None), "who does not run the program may not know, but must not guess"
        assert output.get("stdout") == f"started\ntotal 31\nargs {ARGS}\n"
        assert output.get("stderr") == "a complaint\n"
        if debugging.debuggee is not None:
            assert debugging.debuggee.exit_code() == 3
            assert debugging.debuggee.stdout == output["stdout"]
            assert debugging.debuggee.stderr == output["stderr"]


def look_and_step(debugging: Debugging, stop: Stopped) -> None:
    assert stop.is_at("hot")
    assert [frame["name"].split(".")[-1] for frame in stop.frames] == ["total", "main", "<module>"]
    assert stop.locals() == {"items": "[(10, 1), (5, 4)]", "price": "10", "count": "1", "result": "0"}
    assert stop.evaluate("price * count + len(items)") == "12"
    assert stop.evaluate("sorted(value for value, n in items if n < count + 9)") == "[5, 10]"
    stop = stop.step("next")
    assert stop.is_at("loop")
    assert stop.locals()["result"] == "10"
    stop.resume()
    stop = debugging.stopped("breakpoint")
    assert stop.is_at("hot")
    assert stop.locals() == {"items": "[(10, 1), (5, 4)]", "price": "5", "count": "4", "result": "10"}
    debugging.break_at()
    stop = stop.step("stepOut")
    assert stop.top["name"].split(".")[-1] == "main"
    if stop.top["line"] != debugging.program.line("after"):
        stop = stop.step("next")
    assert stop.is_at("after")
    assert stop.locals()["value"] == "30"
    stop.evaluate("value = value + 1", "repl")
    stop.resume()
