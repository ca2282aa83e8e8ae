"""A snippet runs in a thread of this process under a real engine; the test is the scripted session.

Lines are named by `# @marker`. Nothing sleeps: every wait is for a condition and has a hard time-out.
"""

from __future__ import annotations

import faulthandler
import os
import queue
import sys
import textwrap
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from remora.engine import Breakpoint, Engine, Job, Rule, Stop, ThreadInfo, Wish, background, monitoring

TIMEOUT_S = 10.0


class Recorder:
    """A listener that keeps everything, in order."""

    def __init__(self) -> None:
        self.stops: queue.Queue[Stop] = queue.Queue()
        self.all: list[tuple[str, Any]] = []
        self.logs: list[tuple[int, str, int]] = []
        self.changed: queue.Queue[Breakpoint] = queue.Queue()
        self.changes: list[tuple[int, str, int, str | None]] = []

    def stopped(self, stop: Stop) -> None:
        self.all.append(("stopped", stop))
        self.stops.put(stop)

    def resumed(self, thread_id: int | None) -> None:
        self.all.append(("resumed", thread_id))

    def logged(self, breakpoint: Breakpoint, text: str, frame_line: int) -> None:
        self.logs.append((breakpoint.id, text, frame_line))

    def snapped(self, breakpoint: Breakpoint, frame: FrameType) -> None:
        self.all.append(("snapped", (breakpoint.id, frame.f_lineno, dict(frame.f_locals))))

    def throttled(self, breakpoint: Breakpoint) -> None:
        self.all.append(("throttled", breakpoint))

    def thread_started(self, thread: ThreadInfo) -> None:
        self.all.append(("thread_started", (thread.id, thread.name)))

    def thread_exited(self, thread: ThreadInfo) -> None:
        self.all.append(("thread_exited", (thread.id, thread.name)))

    def breakpoint_changed(self, breakpoint: Breakpoint) -> None:
        self.changes.append((breakpoint.id, breakpoint.state.value, breakpoint.line, breakpoint.message))
        self.changed.put(breakpoint)

    def of(self, kind: str) -> list[Any]:
        return [value for name, value in self.all if name == kind]


def lines_of_markers(source: str) -> dict[str, int]:
    found = {}
    for number, line in enumerate(source.splitlines(), 1):
        if "# @" in line:
            for name in line.split("# @", 1)[1].replace("@", " ").split():
                found[name] = number
    return found


class Program:
    """One source file, and the thread it runs in."""

    def __init__(self, debug: Debug, path: Path, source: str) -> None:
        self.debug = debug
        self.path = path
        self.source = textwrap.dedent(source).lstrip("\n")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.source)
        self.lines = lines_of_markers(self.source)
        self.namespace: dict[str, Any] = {"__name__": "snippet", "__file__": str(path)}
        self.error: BaseException | None = None
        self.thread: threading.Thread | None = None

    def line(self, marker: str) -> int:
        return self.lines[marker]

    def marker(self, line: int) -> str:
        names = [name for name, at in self.lines.items() if at == line]
        return names[0] if names else f"line {line}"

    def breakpoints(self, *wishes: str | int | Wish | tuple[str, dict[str, Any]]) -> list[Breakpoint]:
        made = []
        for wish in wishes:
            match wish:
                case Wish():
                    made.append(wish)
                case int():
                    made.append(Wish(wish))
                case str():
                    made.append(Wish(self.lines[wish]))
                case (name, options):
                    made.append(Wish(self.lines[name], **options))
        return self.debug.engine.set_breakpoints(str(self.path), made)

    def load(self) -> None:
        """Run the module body here and now, on this thread (which never stops)."""
        exec(compile(self.source, str(self.path), "exec"), self.namespace)

    def start(self, call: str | None = None, *, name: str | None = None) -> None:
        """Run the module in a new thread, or `call` something in its namespace."""
        path = str(self.path) if call is None else "<call>"
        code = compile(self.source if call is None else call, path, "exec")

        def run() -> None:
            try:
                exec(code, self.namespace)
            except BaseException as error:
                self.error = error

        self.thread = threading.Thread(target=run, name=name, daemon=True)
        self.thread.start()

    def finish(self, *, raises: bool = False) -> None:
        assert self.thread is not None
        self.thread.join(TIMEOUT_S)
        if self.thread.is_alive():
            faulthandler.dump_traceback(all_threads=True, file=sys.__stderr__)
            raise AssertionError("the program did not end")
        if self.error is not None and not raises:
            raise self.error

    def __getitem__(self, name: str) -> Any:
        return self.namespace[name]


class Debug:
    """The session of one test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.recorder = Recorder()
        self.engine = Engine(self.recorder)
        for thread in threading.enumerate():
            if thread.ident is not None:
                self.engine.own_thread(thread.ident)
        for ident in sys._current_frames():
            self.engine.own_thread(ident)
        self.engine.attach()
        self.user_code()
        self.programs: list[Program] = []

    def user_code(self, *, just_my_code: bool = True, rules: Any = ()) -> None:
        """As the engine's, but this harness is never the user's code."""
        self.engine.set_user_code(just_my_code=just_my_code, rules=[Rule(False, path=__file__), *rules])

    def program(self, source: str, path: str = "program.py") -> Program:
        program = Program(self, self.folder / path, source)
        self.programs.append(program)
        return program

    def stopped(self) -> Stop:
        """The next stop."""
        try:
            return self.recorder.stops.get(timeout=TIMEOUT_S)
        except queue.Empty:
            faulthandler.dump_traceback(all_threads=True, file=sys.__stderr__)
            raise AssertionError("no stop came") from None

    def at(self, stop: Stop) -> str:
        """Where a stop is: marker of its innermost line, or 'function:line'."""
        return self.at_of(stop.thread_id)

    def at_of(self, thread_id: int) -> str:
        entries, _ = self.engine.stack(thread_id, 0, 1)
        if not entries:
            return "nowhere"
        for program in self.programs:
            if entries[0].frame.f_code.co_filename == str(program.path):
                return program.marker(entries[0].line)
        return f"{entries[0].frame.f_code.co_qualname}:{entries[0].line}"

    def stop_at(self, marker: str) -> Stop:
        stop = self.stopped()
        assert self.at(stop) == marker, stop
        return stop

    def step(self, stop: Stop, kind: Any) -> str:
        self.engine.step(stop.thread_id, kind)
        return self.at(self.stopped())

    def no_more_stops(self) -> None:
        assert self.recorder.stops.empty(), self.recorder.stops.get()

    def evaluate(self, stop: Stop, text: str, index: int = 0, timeout_s: float | None = 5.0) -> Any:
        """Evaluate on the stopped thread, in its frame."""
        frame = self.engine.stack(stop.thread_id)[0][index].frame
        return self.do(stop, lambda: eval(text, frame.f_globals, dict(frame.f_locals)), timeout_s)

    def do(self, stop: Stop, work: Any, timeout_s: float | None = 5.0) -> Any:
        job = self.job(stop, work, timeout_s)
        if job.error is not None:
            raise job.error
        return job.result

    def job(self, stop: Stop, work: Any, timeout_s: float | None = 5.0) -> Job[Any]:
        finished: queue.Queue[Job[Any]] = queue.Queue()
        self.engine.submit(stop.thread_id, work, finished.put, timeout_s=timeout_s)
        return finished.get(timeout=TIMEOUT_S)

    def close(self) -> None:
        self.engine.detach()
        # The next session counts the threads there are as its own: not one whose ident comes again.
        deadline = time.monotonic() + TIMEOUT_S
        while background.are_left() and time.monotonic() < deadline:
            os.sched_yield()
        for program in self.programs:
            if program.thread is not None:
                program.thread.join(TIMEOUT_S)
                assert not program.thread.is_alive(), "the program did not end after detach"
        assert monitoring.errors.last is None, repr(monitoring.errors.last)


@pytest.fixture
def debug(tmp_path: Path) -> Any:
    monitoring.errors.last = None
    faulthandler.dump_traceback_later(60, exit=True)
    session = Debug(tmp_path)
    try:
        yield session
    finally:
        session.close()
        faulthandler.cancel_dump_traceback_later()
        for tool in range(6):
            assert sys.monitoring.get_tool(tool) != "remora"
