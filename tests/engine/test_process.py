"""Whole processes: the main thread, signals, the end of the interpreter, fork, the cost in modules."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PRELUDE = """
import _thread, queue, sys, threading
from remora.engine import *
from remora.engine import monitoring

PATH = __file__
MARKS = {}
for number, text in enumerate(open(PATH), 1):
    if "# @" in text:
        MARKS[text.split("# @")[1].strip()] = number
NAMES = {line: name for name, line in MARKS.items()}

class Script:
    def __init__(self):
        self.stops = queue.SimpleQueue()
    def stopped(self, stop): self.stops.put(stop)
    def resumed(self, thread_id): pass
    def logged(self, breakpoint, text, line): say("log", text)
    def snapped(self, breakpoint, frame): pass
    def throttled(self, breakpoint): pass
    def thread_started(self, thread): pass
    def thread_exited(self, thread): pass
    def breakpoint_changed(self, breakpoint): pass

def say(*what):
    sys.__stdout__.write(" ".join(map(str, what)) + "\\n")
    sys.__stdout__.flush()

script = Script()
engine = Engine(script)
engine.attach()

def serve(action=None):
    engine.own_thread(_thread.get_ident())
    ready.set()
    while True:
        stop = script.stops.get()
        entries = engine.stack(stop.thread_id)[0]
        say("stop", stop.reason.value, NAMES.get(entries[0].line, entries[0].line), stop.thread_id)
        if action is not None and action(stop):
            continue
        engine.resume()

ready = threading.Event()
def agent(action=None):
    threading.Thread(target=serve, args=(action,), daemon=True).start()
    ready.wait()
def breakpoints(*names):
    return engine.set_breakpoints(PATH, [Wish(MARKS[name]) for name in names])
"""


def run(tmp_path: Path, source: str, *, exit_code: int = 0, errors: str = "") -> list[str]:
    script = tmp_path / "script.py"
    script.write_text(PRELUDE + textwrap.dedent(source))
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", str(script)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, "PYTHONPATH": ""},
    )
    assert done.returncode == exit_code, done.stderr + done.stdout
    if errors:
        assert errors in done.stderr
    else:
        assert done.stderr == ""
    return done.stdout.splitlines()


def test_main_thread_has_id_1(tmp_path: Path) -> None:
    assert run(
        tmp_path,
        """
        agent()
        breakpoints("here")
        def f():
            return 1  # @here
        f()
        """,
    ) == ["stop breakpoint here 1"]


def test_ctrl_c_while_stopped_reaches_the_program_after_resume(tmp_path: Path) -> None:
    lines = run(
        tmp_path,
        """
        import os, signal, time
        interrupted = threading.Event()
        signal.signal(signal.SIGINT, lambda *a: (interrupted.set(), signal.default_int_handler(*a)))
        def action(stop):
            # Again, for CPython misses a signal that comes just before a lock is waited for.
            while not interrupted.is_set():
                os.kill(os.getpid(), signal.SIGINT)
                interrupted.wait(0.5)
            done = queue.SimpleQueue()
            engine.submit(stop.thread_id, lambda: 6 * 7, done.put)
            say("evaluated", done.get(timeout=10).result)
        agent(action)
        breakpoints("here")
        try:
            x = 1  # @here
            say("not interrupted")
        except KeyboardInterrupt:
            say("interrupted")
        """,
    )
    assert lines == ["stop breakpoint here 1", "evaluated 42", "interrupted"]


def test_pause_of_the_main_thread_in_sleep(tmp_path: Path) -> None:
    lines = run(
        tmp_path,
        """
        import time
        def action(stop):
            say(engine.threads()[0].state.value)
        agent(action)
        def soon():
            time.sleep(0.2)
            engine.pause()
        helper = threading.Thread(target=soon, daemon=True)
        helper.start()
        engine.own_thread(helper.ident)
        time.sleep(0.6)  # @sleep
        say("done")
        """,
    )
    assert lines == ["stop pause sleep 1", "blocked", "done"]


def test_breakpoints_at_the_end_of_the_interpreter(tmp_path: Path) -> None:
    """In atexit handlers they stop; when modules are torn down nobody is left to resume: they must not."""
    lines = run(
        tmp_path,
        """
        import atexit
        class Late:
            def __del__(self):
                x = 1  # @del
        def at_exit():
            y = 1  # @atexit
            say("atexit ran")
        atexit.register(at_exit)
        agent()
        breakpoints("del", "atexit")
        late = Late()
        late.me = late
        import builtins
        builtins.keep_me = late
        """,
    )
    assert lines[:2] == ["stop breakpoint atexit 1", "atexit ran"]


def test_daemon_threads_at_the_end(tmp_path: Path) -> None:
    run(
        tmp_path,
        """
        def spin():
            while True:
                x = 1  # @spin
        for _ in range(3):
            threading.Thread(target=spin, daemon=True).start()
        agent()
        engine.set_breakpoints(PATH, [Wish(MARKS["spin"], "x == 2")])
        """,
    )


def test_the_process_may_end_while_threads_are_stopped(tmp_path: Path) -> None:
    lines = run(
        tmp_path,
        """
        import os
        def action(stop):
            os._exit(3)
        agent(action)
        breakpoints("here")
        x = 1  # @here
        """,
        exit_code=3,
    )
    assert lines == ["stop breakpoint here 1"]


def test_uncaught_in_the_main_thread(tmp_path: Path) -> None:
    lines = run(
        tmp_path,
        """
        agent(lambda stop: say(stop.text, stop.post_mortem))
        engine.set_exception_filters([ExceptionFilter("uncaught")])
        def f(x):
            return 1 / x  # @dies
        f(0)
        """,
        exit_code=1,
        errors="ZeroDivisionError: division by zero",
    )
    assert lines == ["stop exception dies 1", "ZeroDivisionError: division by zero True"]


def test_sys_exit_is_not_uncaught(tmp_path: Path) -> None:
    assert (
        run(
            tmp_path,
            """
            agent()
            engine.set_exception_filters([ExceptionFilter("uncaught"), ExceptionFilter("raised")])
            sys.exit(0)
            """,
        )
        == []
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_a_forked_child_runs_undisturbed(tmp_path: Path) -> None:
    lines = run(
        tmp_path,
        """
        import os, warnings
        warnings.simplefilter("ignore")
        agent()
        breakpoints("both")
        engine.set_exception_filters([ExceptionFilter("uncaught"), ExceptionFilter("raised")])
        def work():
            x = 1  # @both
            return x
        pid = os.fork()
        if pid == 0:
            work()
            os._exit(0 if sys.monitoring.get_tool(0) is None and not engine.attached else 9)
        work()
        say("child", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        """,
    )
    assert lines == ["stop breakpoint both 1", "child 0"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_a_child_can_attach_an_engine_of_its_own(tmp_path: Path) -> None:
    lines = run(
        tmp_path,
        """
        import os, warnings
        warnings.simplefilter("ignore")
        agent()
        breakpoints("both")
        def work():
            x = 1  # @both
            return x
        pid = os.fork()
        if pid == 0:
            ready.clear()
            engine.attach()
            agent()
            breakpoints("both")
            work()
            os._exit(0)
        say("child", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        """,
    )
    assert lines == ["stop breakpoint both 1", "child 0"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_a_fork_while_another_thread_arms(tmp_path: Path) -> None:
    """The lock of arming is held by a thread that the child does not have."""
    lines = run(
        tmp_path,
        """
        import os, signal, time, warnings
        warnings.simplefilter("ignore")
        agent()
        held, over = threading.Event(), threading.Event()
        def hold():
            with engine._armoury._lock:
                held.set()
                over.wait()
        threading.Thread(target=hold).start()
        held.wait()
        pid = os.fork()
        if pid == 0:
            os._exit(0 if not engine.attached else 9)
        over.set()
        deadline = time.monotonic() + 10
        while not (done := os.waitpid(pid, os.WNOHANG))[0]:
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.001)
        say("child", os.waitstatus_to_exitcode(done[1]))
        """,
    )
    assert lines == ["child 0"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_the_watcher_of_a_child_is_not_a_thread_of_the_program(tmp_path: Path) -> None:
    lines = run(
        tmp_path,
        """
        import os, time, warnings
        from remora.engine import jobs
        warnings.simplefilter("ignore")
        agent()
        pid = os.fork()
        if pid == 0:
            engine.attach()
            Job(1, lambda: None, lambda job: None, 10.0).run()
            while jobs.watcher.ident not in sys._current_frames():
                time.sleep(0.001)
            os._exit(len(engine.threads()))
        say("child has threads:", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        """,
    )
    assert lines == ["child has threads: 1"]


def test_coverage_like_tool_beside_us_keeps_its_events(tmp_path: Path) -> None:
    lines = run(
        tmp_path,
        """
        M = sys.monitoring
        seen = []
        M.use_tool_id(1, "coverage")
        M.register_callback(1, M.events.LINE, lambda code, line: seen.append(NAMES.get(line)) or M.DISABLE)
        def action(stop):
            if stop.reason.value != "step":
                engine.step(stop.thread_id, StepKind.OVER)
                return True
        agent(action)
        def f():
            x = 1  # @one
            return x  # @two
        M.set_local_events(1, f.__code__, M.events.LINE)
        breakpoints("one")
        f()
        breakpoints()
        say(*seen)
        """,
    )
    assert lines == ["stop breakpoint one 1", "stop step two 1", "one two"]


def test_modules_the_engine_brings(tmp_path: Path) -> None:
    code = (
        "import sys; before = set(sys.modules)\n"
        "import remora.engine\n"
        "new = {m for m in set(sys.modules) - before if not m.startswith('remora')}\n"
        "print(len(new), sorted(new))\n"
        "bad = {'inspect', 'dataclasses', 'logging', 'asyncio', 'typing', 'ctypes', 'ast', 'dis'} & new\n"
        "assert not bad, bad"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) < 30, done.stdout
