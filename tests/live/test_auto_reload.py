"""autoReload in a running program: what it calls changes, breakpoints follow, mistakes are told."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .harness.debugging import Debugging, launched
from .harness.programs import Program

type Write = Callable[..., Program]

PROGRAM = """\
import pathlib, sys, time
import work
told = None
while not pathlib.Path("end").exists():
    now = work.answer(20)
    if now != told:
        told = now
        print(f"answer {now}\\n", end="", flush=True)
    time.sleep(0.01)
"""
WORK = "def answer(n):\n    return n + 1\n"


class Reloading:
    """The program, and the file it works with."""

    def __init__(self, program: Program, debugging: Debugging) -> None:
        self.work = program.folder / "work.py"
        self.debugging = debugging
        self._edits = 0

    def edit(self, text: str) -> None:
        self.work.write_text(text)
        # As an edit of another second, whatever the clock of the file system counts in.
        self._edits += 1
        stamp = 1_700_000_000 + self._edits
        os.utime(self.work, (stamp, stamp))

    def output(self, category: str, words: str) -> str:
        """Wait for an output event that has these words."""
        event: dict[str, Any] = self.debugging.wire.take(
            lambda m: (
                m.get("event") == "output"
                and m["body"].get("category") == category
                and words in m["body"]["output"]
            ),
            f"{category} with {words!r}",
        )
        return str(event["body"]["output"])


@pytest.fixture
def reloading(program: Write) -> Iterator[Callable[..., contextlib.AbstractContextManager[Reloading]]]:
    @contextlib.contextmanager
    def start(**wish: Any) -> Iterator[Reloading]:
        target = program(PROGRAM)
        (target.folder / "work.py").write_text(WORK)
        settings = {"enable": True, "pollingInterval": 0.02} | wish
        with launched(target, autoReload=settings) as debugging:
            made = Reloading(target, debugging)
            debugging.begin()
            yield made
            (target.folder / "end").touch()
            debugging.until_exit()

    yield start


def test_a_function_changes_while_it_runs(reloading: Any) -> None:
    with reloading() as at:
        at.debugging.go()
        at.output("stdout", "answer 21")
        at.edit(
            "import math\ndef helper(n):\n    return math.isqrt(n)\ndef answer(n):\n    return helper(n)\n"
        )
        assert "taken over: answer; new: math, helper" in at.output("console", "work.py")
        at.output("stdout", "answer 4")
        at.edit("def answer(n:\n")
        assert "work.py:1" in at.output("console", "taken over")
        at.edit("def answer(n):\n    return 7\n")
        at.output("stdout", "answer 7")


def test_breakpoints_follow(reloading: Any) -> None:
    with reloading() as at:
        wire = at.debugging.wire

        def break_at(line: int) -> Any:
            body = wire.request(
                "setBreakpoints", {"source": {"path": str(at.work)}, "breakpoints": [{"line": line}]}
            )
            return body["breakpoints"][0]

        break_at(2)
        at.debugging.go()
        assert at.debugging.stopped("breakpoint").top["line"] == 2
        # While it stands, two lines come before.
        at.edit("# one\n# two\n" + WORK.replace("+ 1", "+ 2"))
        at.output("console", "taken over: answer")
        assert break_at(4)["line"] == 4
        wire.request("continue", {"threadId": 1})
        stop = at.debugging.stopped("breakpoint")
        assert stop.top["line"] == 4 and stop.locals() == {"n": "20"}
        break_at(1)
        wire.request("setBreakpoints", {"source": {"path": str(at.work)}, "breakpoints": []})
        stop.resume()
        at.output("stdout", "answer 22")


def test_what_is_excluded_stays(reloading: Any) -> None:
    with reloading(exclude=["**/wo*.py"]) as at:
        at.debugging.go()
        at.output("stdout", "answer 21")
        at.edit(WORK.replace("+ 1", "+ 2"))
        main = at.work.with_name("app.py")
        main.write_text(main.read_text() + "def more(): pass\n")
        # It has seen this one, so it has looked at the other.
        assert "new: more" in at.output("console", "app.py")
        assert not [m for m in at.debugging.wire.backlog if "work.py" in str(m.get("body"))]
