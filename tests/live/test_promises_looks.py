"""What is looked at cannot hang or end the session, whatever it does; the console works without a stop."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

import pytest

from benchmarks.wire import Refused
from live.harness.debuggee import remora
from live.harness.debugging import Debugging, attached, free_port, launched
from live.harness.programs import Program

Write = Callable[..., Program]

BROKEN = """
import time
class Endless:
    def __repr__(self):
        while True: pass
class Sleeps:
    def __repr__(self):
        time.sleep(SECONDS)
        return "slept"
def is_enough():
    for _ in range(100_000):
        if os.path.exists("enough"):
            return True
class Swallows:
    # Ends when the test says so, by a file; nothing else ends it.
    def __repr__(self):
        while True:
            try:
                if is_enough():
                    return "swallowed"
            except BaseException: pass
import os
def look(bad, good=5):
    return good    # @look
look(KIND())
later = 1    # @later
"""


@contextlib.contextmanager
def looking(program: Write, kind: str, *, seconds: float = 3) -> Iterator[Debugging]:
    """Stop where `bad` is such an object; a look may take half a second."""
    port = free_port()
    target = program(BROKEN.replace("KIND", kind).replace("SECONDS", str(seconds)))
    options = ["--configure-variablesTimeoutS", "0.5", "--configure-watchTimeoutS", "0.5"]
    argv = remora("--listen", str(port), "--wait-for-client", *options, *target.command_line)
    with attached(target, argv, port) as debugging:
        debugging.start("look", "later")
        yield debugging


def test_endless_repr_costs_its_own_text_only(program: Write) -> None:
    with looking(program, "Endless") as debugging:
        stop = debugging.stopped("breakpoint")
        found = stop.locals()
        assert "took too long" in found["bad"]
        assert found["good"] == "5"
        assert "took too long" in stop.evaluate("bad")
        assert stop.evaluate("good") == "5"


def test_endless_repr_in_the_console(program: Write) -> None:
    """What is typed there has no limit; showing its value has."""
    with looking(program, "Endless") as debugging:
        stop = debugging.stopped("breakpoint")
        assert "took too long" in stop.evaluate("bad", "repl")
        assert stop.evaluate("good + 1", "repl") == "6"


@pytest.mark.parametrize("kind", ["Sleeps", "Swallows"])
def test_what_cannot_be_interrupted_does_not_hold_the_session(kind: str, program: Write) -> None:
    with looking(program, kind) as debugging:
        stop = debugging.stopped("breakpoint")
        with pytest.raises(Refused, match="does not end"):
            stop.locals()
        with pytest.raises(Refused, match="busy"):
            stop.evaluate("good")
        assert debugging.threads()[0]["id"] == 1
        stop.resume()
        assert debugging.program is not None
        (debugging.program.folder / "enough").touch()
        later = debugging.stopped("breakpoint")
        assert later.is_at("later")
        assert later.evaluate("1 + 1") == "2"


def test_console_expression_that_sits_in_c_can_be_cancelled(program: Write) -> None:
    with looking(program, "Sleeps", seconds=0) as debugging:
        stop = debugging.stopped("breakpoint")
        expression = "print('asleep', flush=True) or time.sleep(4)"
        arguments = {"expression": expression, "frameId": stop.top["id"], "context": "repl"}
        seq = debugging.wire.send("evaluate", arguments)
        debugging.wire.event("output", lambda body: "asleep" in body["output"])
        debugging.wire.request("cancel", {"requestId": seq})
        with pytest.raises(Refused, match="does not end"):
            debugging.wire.result(seq)
        assert debugging.threads()


def test_a_hundred_megabytes_to_the_clipboard(program: Write) -> None:
    """More than a message may have: the session was gone."""
    with launched(program("big = 'x' * 100_000_000\ndone = 1    # @here\n")) as debugging:
        debugging.start("here")
        stop = debugging.stopped("breakpoint")
        assert len(stop.evaluate("big", "clipboard")) > 1_000_000
        assert stop.evaluate("len(big)") == "100000000"


RUNNING = """
import threading, time
number = 5
def double(n):
    return 2 * n
class Named:
    def __init__(self): self.inside = [1, 2, 3]
thing = Named()
print("running", flush=True)
while number:
    time.sleep(0.01)
print("over", flush=True)
"""


def evaluate(debugging: Debugging, expression: str, context: str = "repl") -> str:
    body = debugging.wire.request("evaluate", {"expression": expression, "context": context})
    return str(body["result"])


@pytest.fixture
def running(program: Write) -> Iterator[Debugging]:
    """A session with a program that runs and is not stopped."""
    with launched(program(RUNNING)) as debugging:
        debugging.start()
        debugging.wire.event("output", lambda body: "running" in body["output"])
        yield debugging


def test_console_while_the_program_runs(running: Debugging) -> None:
    for context in ("repl", "watch", "clipboard"):
        assert evaluate(running, "double(number)", context) == "10"
    assert evaluate(running, "number", "hover") == "5"
    thing = running.wire.request("evaluate", {"expression": "thing", "context": "repl"})
    (inside,) = running.wire.request("variables", {"variablesReference": thing["variablesReference"]})[
        "variables"
    ]
    assert (inside["name"], inside["value"]) == ("inside", "[1, 2, 3]")
    targets = running.wire.request("completions", {"text": "dou", "column": 4})["targets"]
    assert "double" in [target["label"] for target in targets]
    evaluate(running, "seen = threading.enumerate()")
    assert len(running.threads()) == 1, "the thread that evaluates is none of the program's"
    assert running.wire.request("setExpression", {"expression": "number", "value": "0"})["value"] == "0"
    code, output = running.until_exit()
    assert (code, "over" in output["stdout"]) == (0, True)


def test_pause_and_cancel_are_heard_while_the_console_is_busy(running: Debugging) -> None:
    seq = running.wire.send("evaluate", {"expression": "while True: pass", "context": "repl"})
    running.wire.request("pause", {"threadId": 1})
    running.stopped("pause")
    running.wire.request("cancel", {"requestId": seq})
    with pytest.raises(Refused, match="cancelled"):
        running.wire.result(seq)
    assert evaluate(running, "number") == "5"


def test_a_thread_that_is_blocked_can_be_looked_at_and_the_look_cancelled(program: Write) -> None:
    text = """
        import threading
        gate = threading.Lock()
        gate.acquire()
        def wait(secret):
            gate.acquire()
        threading.Thread(target=wait, args=(42,), name="waits").start()
        while not gate.acquire(timeout=0.01):
            number = 1    # @here
    """
    with launched(program(text)) as debugging:
        debugging.start("here")
        stop = debugging.stopped("breakpoint")
        blocked = next(thread["id"] for thread in debugging.threads() if "waits" in thread["name"])
        frames = debugging.wire.request("stackTrace", {"threadId": blocked})["stackFrames"]
        frame = next(frame["id"] for frame in frames if frame["name"] == "wait")
        arguments = {"frameId": frame, "context": "repl"}
        assert debugging.wire.request("evaluate", {"expression": "secret", **arguments})["result"] == "42"
        seq = debugging.wire.send("evaluate", {"expression": "while True: pass", **arguments})
        debugging.wire.request("cancel", {"requestId": seq})
        with pytest.raises(Refused, match="cancelled"):
            debugging.wire.result(seq)
        assert stop.evaluate("2 + 1") == "3"
        debugging.wire.request("disconnect", {"terminateDebuggee": True})


@pytest.mark.parametrize("announced", [True, False])
def test_a_client_is_told_that_values_have_changed(announced: bool, program: Write) -> None:
    """After what it has set, and after what was typed, which may have set anything; not after a look."""
    with launched(program("value = [1]\nother = value    # @here\ndone = 1\n")) as debugging:
        debugging.begin(**({"supportsInvalidatedEvent": True} if announced else {}))
        debugging.break_at("here")
        debugging.go()
        stop = debugging.stopped("breakpoint")
        wire = debugging.wire
        scope = next(iter(stop.scopes().values()))["variablesReference"]
        value = stop.evaluated("value")["variablesReference"]
        frame = stop.top["id"]
        stop.evaluate("value", "repl")
        changes = [
            ("setVariable", {"variablesReference": value, "name": "0", "value": "2"}),
            ("setExpression", {"expression": "value", "value": "3", "frameId": frame}),
            ("evaluate", {"expression": "value = 4", "frameId": frame, "context": "repl"}),
        ]
        for command, arguments in changes:
            wire.request(command, arguments)
            if announced:
                assert wire.event("invalidated") == {"areas": ["variables"]}
        wire.request("variables", {"variablesReference": scope})
        assert not [message for message in wire.backlog if message.get("event") == "invalidated"]


def test_where_a_value_was_written(program: Write) -> None:
    """valueLocationReference: an editor's way from a value to its source."""
    text = """
        class Shop:    # @class
            def sell(self):    # @method
                pass
        def work():    # @function
            yield 1
            yield 2    # @stands
        shop = Shop()
        job = work()
        next(job), next(job)
        done = 1    # @here
    """
    target = program(text)
    with launched(target) as debugging:
        debugging.start("here")
        stop = debugging.stopped("breakpoint")
        wire = debugging.wire
        expected = {"work": "function", "shop.sell": "method", "Shop.sell": "method", "job": "stands"}
        if sys.version_info >= (3, 13):
            expected["Shop"] = "class"
        for expression, marker in expected.items():
            reference = stop.evaluated(expression)["valueLocationReference"]
            found = wire.request("locations", {"locationReference": reference})
            assert (found["source"]["path"], found["line"]) == (str(target.path), target.line(marker)), (
                expression
            )
        assert "valueLocationReference" not in stop.evaluated("1 + 1")
        assert "valueLocationReference" not in stop.evaluated("len")
        job = next(one for one in stop.variables(next(iter(stop.scopes().values()))) if one["name"] == "job")
        assert wire.request("locations", {"locationReference": job["valueLocationReference"]})["line"] > 1
        stop.resume()
        with pytest.raises(Refused):
            wire.request("locations", {"locationReference": reference})
