"""Programs that gevent has patched: the debugger's own threads and locks stay real."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from .harness.debugging import Debugging, attached, free_port, launched
from .harness.programs import Program

pytest.importorskip("gevent", reason="gevent is not installed")

type Write = Callable[..., Program]

PATCH = "from gevent import monkey\nmonkey.patch_all()\n"
LISTEN = """\
import os, remora
remora.listen(("127.0.0.1", int(os.environ["TEST_PORT"])))
assert remora.wait_for_client(20)
"""
WORK = """\
import gevent, threading, time
def work(n):
    total = 0
    for i in range(3):
        time.sleep(0.01)   # @sleep
        total += n         # @after
    return total           # @here
jobs = [gevent.spawn(work, n) for n in (1, 2)]
gevent.joinall(jobs)
thread = threading.Thread(target=time.sleep, args=(0.01,))
thread.start()
thread.join()
print(sorted(job.value for job in jobs))
"""


def both_workers(debugging: Debugging) -> None:
    seen = []
    for _ in range(2):
        stop = debugging.stopped("breakpoint")
        assert stop.is_at("here")
        seen.append(stop.locals()["n"])
        assert stop.evaluate("sum(range(n)) + total") == str({"1": 3, "2": 7}[seen[-1]])
        stop.resume()
    assert seen == ["1", "2"]
    _, output = debugging.until_exit()
    assert output["stdout"] == "[3, 6]\n"


@pytest.mark.parametrize("gevent", [True, False])
def test_launched(gevent: bool, program: Write) -> None:
    with launched(program(PATCH + WORK), gevent=gevent) as debugging:
        debugging.start("here")
        both_workers(debugging)


@pytest.mark.parametrize("text", [PATCH + LISTEN + WORK, LISTEN + PATCH + WORK], ids=["before", "after"])
def test_patched_before_or_after_it_listens(text: str, program: Write) -> None:
    target = program(text)
    with attached(target, [sys.executable, target.path], free_port()) as debugging:
        debugging.start("here")
        both_workers(debugging)


def test_patched_long_before_a_client_comes(program: Write) -> None:
    text = """\
import os, remora
remora.listen(("127.0.0.1", int(os.environ["TEST_PORT"])))
"""
    text += PATCH + "while not remora.is_client_connected():\n    gevent.sleep(0.01)\n" + WORK
    target = program(text.replace(PATCH, PATCH + "import gevent\n"))
    with attached(target, [sys.executable, target.path], free_port()) as debugging:
        debugging.start("here")
        both_workers(debugging)


def test_a_step_stays_in_its_greenlet(program: Write) -> None:
    with launched(program(PATCH + WORK)) as debugging:
        debugging.start("sleep")
        stop = debugging.stopped("breakpoint")
        mine = stop.locals()["n"]
        debugging.break_at()
        stop = stop.step()
        assert stop.is_at("after") and stop.locals()["n"] == mine
        stop.resume()
        assert debugging.until_exit()[1]["stdout"] == "[3, 6]\n"


def test_paused_while_all_greenlets_wait(program: Write) -> None:
    text = PATCH + "import time\nfor _ in range(1000):\n    time.sleep(0.02)\n"
    with launched(program(text)) as debugging:
        debugging.start()
        stop = debugging.pause()
        assert any(frame["name"] == "<module>" for frame in stop.frames) or stop.frames
        stop.resume()
        debugging.wire.request("terminate")
        debugging.until_exit()
