"""Evaluations that do what evaluations should not, while everything stands."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from live.harness.debugging import launched
from live.harness.programs import Program

Write = Callable[..., Program]

THREADS = """\
import sys, threading, time
from concurrent.futures import ThreadPoolExecutor
seen = []
def work(n):
    seen.append(n)                  # @work
    return n
def idle():
    threading.Event().wait()
{others}
work(0)
work(1)
print("seen", sorted(seen))
"""
OTHERS = """\
threading.Thread(target=idle, daemon=True).start()
def busy():
    while True:
        pass
threading.Thread(target=busy, daemon=True).start()
"""


@pytest.mark.parametrize("others", ["", OTHERS], ids=["alone", "beside others"])
@pytest.mark.parametrize("where", ["local", "global"])
def test_threads_started_by_an_evaluation_run(others: str, where: str, program: Write) -> None:
    """All others stand, but who evaluates waits for the new thread: it runs, and stops nowhere."""
    with launched(program(THREADS.replace("{others}", others))) as debugging:
        debugging.start("work")
        stop = debugging.stopped("breakpoint")
        assert stop.is_at("work")
        frame = 0 if where == "local" else 1
        start = "t = threading.Thread(target=work, args=(7,)); t.start(); t.join(); seen"
        assert stop.evaluate(start, "repl", frame) == "[7]"
        pool = "with ThreadPoolExecutor(2) as pool: seen.extend(pool.map(work, [8, 9]))"
        stop.evaluate(pool, "repl", frame)
        assert stop.evaluate("sorted(seen)", "repl", frame) == "[7, 8, 8, 9, 9]"
        assert not [m for m in debugging.wire.backlog if m.get("event") == "stopped"]
        stop.resume()
        again = debugging.stopped("breakpoint")
        assert again.evaluate("n") == "1"
        again.resume()
        assert debugging.until_exit()[1]["stdout"] == "seen [0, 1, 7, 8, 8, 9, 9]\n"


def test_a_thread_that_outlives_the_evaluation_is_one_like_the_others(program: Write) -> None:
    with launched(program(THREADS.replace("{others}", OTHERS))) as debugging:
        debugging.start("work")
        stop = debugging.stopped("breakpoint")
        stop.evaluate(
            "gate = threading.Event(); sys.gate = gate; "
            "t = threading.Thread(target=lambda: (gate.wait(), work(5)), name='late'); t.start()",
            "repl",
        )
        stop.resume()
        second = debugging.stopped("breakpoint")
        assert second.evaluate("n") == "1"
        second.evaluate("sys.gate.set()", "repl")
        second.resume()
        late = debugging.stopped("breakpoint")
        assert late.evaluate("n") == "5"
        assert late.thread_id != 1
        late.resume()
        assert debugging.until_exit()[1]["stdout"].startswith("seen [0, 1")
