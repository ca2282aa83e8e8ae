"""Programs that take the ground away under a debugger: they run as they do without it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from live.harness.debugging import PREFACES, Way, launched, started
from live.harness.programs import Program

Write = Callable[..., Program]

ALL = ("raised", "userUnhandled", "uncaught")


def run_through(target: Program, *filters: str) -> tuple[int | None, dict[str, str]]:
    """Run to the end, going on from every stop; return exit code and output."""
    with launched(target) as debugging:
        debugging.start(filters=filters)
        wire = debugging.wire
        while True:
            message = wire.take(
                lambda m: m["type"] == "event" and m["event"] in ("stopped", "terminated"), "stop or end"
            )
            if message["event"] == "terminated":
                wire.backlog.append(message)
                return debugging.until_exit()
            wire.send("continue", {"threadId": message["body"]["threadId"]})


def test_recursion_without_end(program: Write) -> None:
    """At the limit there is no room for our callbacks either; what they raise there is not the program's."""
    target = program("def f(n):\n    return f(n + 1) + 1\nf(0)\n")
    code, output = run_through(target, *ALL)
    assert code == 1
    assert output["stderr"].rstrip().endswith("RecursionError: maximum recursion depth exceeded")
    assert "remora" not in output["stderr"]
    assert "During handling" not in output["stderr"]


def test_recursion_that_is_caught(program: Write) -> None:
    text = """\
def f(n):
    return f(n + 1) + 1
for _ in range(20):
    try:
        f(0)
    except RecursionError as error:
        assert error.__context__ is None, error.__context__
print("end")
"""
    code, output = run_through(program(text), "userUnhandled", "uncaught")
    assert (code, output) == (0, {"stdout": "end\n"})


@pytest.mark.parametrize("filters", [(), ALL], ids=["no filter", "all filters"])
def test_no_excepthook(filters: tuple[str, ...], program: Write) -> None:
    code, output = run_through(program("import sys\ndel sys.excepthook\nprint('end')\n"), *filters)
    assert (code, output) == (0, {"stdout": "end\n"})


def test_patched_system_calls(program: Write) -> None:
    """Tests replace them, fake file systems do: what the agent sends and reads goes through its own."""
    text = """\
import os, select, time
def broken(*args, **kwargs):
    raise RuntimeError("patched")
os.write = os.read = os.fstat = os.pipe = os.close = select.poll = time.monotonic = broken
def f():
    print("in f")           # @here
f()
print("end")
"""
    with started(Way.LISTEN_CLI, program(text), redirectOutput=True) as debugging:
        debugging.start("here")
        stop = debugging.stopped("breakpoint")
        assert stop.evaluate("1 + 1") == "2"
        stop.step().resume()
        code, output = debugging.until_exit()
        assert (code, output) == (0, {"stdout": "in f\nend\n"})
        assert debugging.debuggee is not None
        assert debugging.debuggee.exit_code() == 0
        assert (debugging.debuggee.stdout, debugging.debuggee.stderr) == ("in f\nend\n", "")


@pytest.mark.parametrize("way", [Way.LISTEN_CLI, Way.IN_PROCESS], ids=lambda way: way.value)
def test_numbers_of_descriptors_after_all_were_closed(way: Way, program: Write) -> None:
    """A daemon closes them all and counts on the lowest: not even our next connection takes them."""
    text = PREFACES.get(way, "") + (
        "import os, time\n"
        "os.closerange(3, 256)\n"
        "deadline = time.monotonic() + 1\n"  # the agent ends, or calls its hub again
        "while len(os.listdir('/proc/self/task')) > 1 and time.monotonic() < deadline:\n"
        "    time.sleep(0.005)\n"
        "print([os.open('/dev/null', 0) for _ in range(3)])\n"
    )
    target = program(text)
    with started(way, target) as debugging:
        debugging.start()
        assert debugging.debuggee is not None
        assert debugging.debuggee.exit_code() == 0
        assert (debugging.debuggee.stdout, debugging.debuggee.stderr) == ("[3, 4, 5]\n", "")


def test_builtins_that_are_gone(program: Write) -> None:
    """What we do at the end fails then; the program's stderr is not where to say so."""
    target = program("import builtins\nprint('end')\nbuiltins.isinstance = None\n")
    code, output = run_through(target)
    assert (code, output) == (0, {"stdout": "end\n"})
