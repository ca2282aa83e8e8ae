"""Properties that say how a session is debugged, each tried with a real process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .harness.debugging import launched
from .harness.programs import Program

type Write = Callable[..., Program]

THREADS = """\
import sys, threading, time
count = 0
def work():
    global count
    while not done:
        count += 1
        time.sleep(0.001)
def wait_for_more(than):
    end = time.monotonic() + 0.5
    while count == than and (together or time.monotonic() < end):
        time.sleep(0.001)
together = "together" in sys.argv
done = False
thread = threading.Thread(target=work)
thread.start()
while count < 3:
    time.sleep(0.001)
first = count          # @here
wait_for_more(first)   # the other thread may have been in the middle of adding
second = count
wait_for_more(second)
done = True            # @last
thread.join()
"""


@pytest.mark.parametrize("together", [None, True, False])
def test_a_step_may_leave_the_other_threads_standing(together: bool | None, program: Write) -> None:
    settings = {} if together is None else {"steppingResumesAllThreads": together}
    args = [] if together is False else ["together"]
    with launched(program(THREADS), args, **settings) as debugging:
        debugging.start("here")
        stop = debugging.stopped("breakpoint")
        for _ in range(4):
            stop = stop.step()
        assert stop.is_at("last")
        same = stop.evaluate("second == count")
        assert same == str(together is False)
        # All of them are there, and go on together.
        assert len(debugging.threads()) == 2
        stop.resume()
        assert debugging.until_exit()[0] == 0


def test_a_step_alone_that_waits_for_the_others(program: Write) -> None:
    """It stands at a lock of a thread that stands: any pause shows where, and all go on together."""
    text = """\
import threading, time
lock = threading.Lock()
held = threading.Event()
def work():
    with lock:
        held.set()
        while not done:
            time.sleep(0.001)
done = False
thread = threading.Thread(target=work)
thread.start()
held.wait()
done = done   # @here
lock.acquire()
print("got it")
"""
    with launched(program(text), steppingResumesAllThreads=False) as debugging:
        debugging.start("here")
        stop = debugging.stopped("breakpoint")
        stop = stop.step()
        debugging.wire.request("next", {"threadId": stop.thread_id})
        other = next(each["id"] for each in debugging.threads() if each["id"] != stop.thread_id)
        debugging.wire.request("pause", {"threadId": other})
        paused = debugging.stopped("pause")
        assert paused.thread_id == other and [frame["name"] for frame in paused.frames[:1]] == ["work"]
        debugging.wire.request("evaluate", {"expression": "globals().update(done=True)", "context": "repl",
                                            "frameId": paused.top["id"]})  # fmt: skip
        paused.resume()
        assert debugging.until_exit()[1]["stdout"] == "got it\n"


def test_a_step_alone_ends_with_its_thread(program: Write) -> None:
    """The last line of a thread: the others go on when it has ended."""
    text = """\
import threading, time
def work():
    x = 1   # @here
thread = threading.Thread(target=work)
thread.start()
thread.join()
print("joined")
"""
    with launched(program(text), steppingResumesAllThreads=False) as debugging:
        debugging.start("here")
        stop = debugging.stopped("breakpoint")
        debugging.resume(stop.thread_id)
        code, output = debugging.until_exit()
        assert code == 0 and output["stdout"] == "joined\n"


@pytest.mark.parametrize(("limit", "lines"), [(None, 200), (4, 4), (0, 301)])
def test_frames_of_an_exception(limit: int | None, lines: int, program: Write) -> None:
    target = program("def f(n):\n    return 1 / n if n == 0 else f(n - 1)\nf(299)\n")
    settings = {} if limit is None else {"maxExceptionStackFrames": limit}
    with launched(target, **settings) as debugging:
        debugging.start(filters=["uncaught"])
        stop = debugging.stopped("exception")
        details = debugging.wire.request("exceptionInfo", {"threadId": stop.thread_id})["details"]
        stop.resume()
        debugging.until_exit()
    text = details["stackTrace"]
    assert text.count('File "') == lines
    assert ("more frames" in text) == (limit != 0)


def test_without_debugging_children_run_plainly(program: Write) -> None:
    target = program(
        """\
import os, subprocess, sys
ours = sorted(name for name in os.environ if name.startswith("REMORA") and "TEST" not in name)
print(ours, "inherit" in os.environ.get("PYTHONPATH", ""), flush=True)
if len(sys.argv) == 1:
    subprocess.run([sys.executable, __file__, "child"])
"""
    )
    with launched(target, noDebug=True) as debugging:
        debugging.begin()
        debugging.go()
        assert debugging.until_exit()[1]["stdout"] == "[] False\n" * 2


@pytest.mark.parametrize("way", ["REMORA_LOG_DIR", "DEBUGPY_LOG_DIR"])
def test_logs(way: str, program: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = tmp_path / "logs"
    monkeypatch.setenv(way, str(logs))
    with launched(program("print(1)\n"), logToFile=True, env={"KEY": "s3cret"}) as debugging:
        debugging.start()
        _, output = debugging.until_exit()
    assert str(logs) in output["console"]
    texts = {path.name: path.read_text() for path in logs.iterdir()}
    assert any("hub" in name for name in texts) and any("debuggee" in name for name in texts)
    assert all(texts.values()) and "s3cret" not in "".join(texts.values())
    assert {path.stat().st_mode & 0o777 for path in logs.iterdir()} == {0o600}
