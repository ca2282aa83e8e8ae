"""Programs that take the ground away under a debugger: they run as they do without it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from live.harness.debugging import launched
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
