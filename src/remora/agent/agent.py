"""The agent: what one debuggee process has one of. Engine, inspector, loop, and the session that is attached.

* It is the engine's listener: those methods run on the user thread that stopped, logged or ended, append
  to the session's outbox, and return.
* Everything else runs on the agent thread, but for `wait`, `finish` and `after_fork`, which say so.
* `session` is the one session that drives the engine, or None. It is set on the agent thread only and read
  by all: a reader takes it into a local name once.

Engine, values and handlers are loaded when the first client comes, so that a process that only listens stays
small. What they need of the standard library is imported before (`prepare`): later, a file of the program
could be in the way.
"""

from __future__ import annotations

import _thread
import os
import sys
import threading
from time import monotonic as _monotonic

from remora.agent import family, import_unpatched
from remora.agent.log import log, log_exception
from remora.agent.loop import Loop, new_poll
from remora.agent.output import Mirror
from remora.agent.settings import AttachOptions, Settings
from remora.dap.errors import UsageError
from remora.dap.hello import STAYS

# Kept: gevent puts others into the module.
_allocate_lock = _thread.allocate_lock
_get_ident = _thread.get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import CodeType, FrameType
    from typing import Any

    from remora.agent.direct import Door
    from remora.agent.reloading import Reloader
    from remora.agent.session import Handler, Pending, Request, Session
    from remora.engine import Breakpoint, Engine, Stop, ThreadInfo
    from remora.values import Inspector


# A signal that comes just before the wait for a lock is heard only when that ends: so it ends now and then.
LOOK_S = 0.5
# What the end of the program waits for the answer to a disconnect that is under way.
GOODBYE_S = 1.0


# As DAP has it (clients rely on 1).
MAIN_THREAD = 1
# How long a thread may take from being let go to its next line; it has to get the interpreter lock once.
LEAVING_MS = 100
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class Agent:
    """One per process; `remora.agent.join` holds it."""

    def __init__(self, start_method: str, *, settings: Settings | None = None) -> None:
        self.start_method = start_method
        self.settings = settings or Settings()
        self.loop = Loop()
        self.loop.on_start = self._thread_began
        self.session: Session | None = None
        self.options = AttachOptions()
        self.captures_output = False  # the hub reads the program's pipes itself
        self.hub_reads: Sequence[str] = ()  # of a child: the streams that go to such pipes
        self.connection: Session | None = None  # with a hub
        self.door: Door | None = None  # in process
        self.exit_code: int | None = None
        self.holding = False  # a launched program that has not begun
        self.is_ahead = False  # the program of `remora --listen FILE` has not begun, with or without a client
        self.finished = False
        self.goodbye = _allocate_lock()  # held by the agent thread while it lets a client go
        self.mirror = Mirror(self._mirrored)
        self._engine: Engine | None = None
        self._inspector: Inspector | None = None
        self._reloader: Reloader | None = None
        self._untraced: set[int] = set()
        self._waiters: list[_thread.LockType] = []
        self.on_release: Callable[[], None] = lambda: None  # in a sub-interpreter, where nobody waits (guest)
        self._loading = _thread.RLock()  # guards the making of engine and inspector
        self._dispatch: Handler | None = None

    # --- parts

    @property
    def engine(self) -> Engine:
        if self._engine is None:
            self.load()
        assert self._engine is not None
        return self._engine

    @property
    def inspector(self) -> Inspector:
        if self._inspector is None:
            self.load()
        assert self._inspector is not None
        return self._inspector

    def prepare(self) -> None:
        """Import what `load` needs of the standard library, while sys.path is not yet the program's.

        The rest are modules of remora, which are found through its own package wherever sys.path leads. So a
        program that nobody attaches to does not pay for them, and one with a bisect.py beside it does not
        get it into the debugger.
        """
        import bisect  # noqa: F401
        import io  # noqa: F401
        import re  # noqa: F401  with enum, functools, collections and others behind it

    def load(self) -> None:
        """Load what a session needs: engine, values and handlers. Any thread; idempotent."""
        with self._loading:
            if self._dispatch is not None:
                return
            import_unpatched()
            from remora.agent.handlers import dispatch
            from remora.engine import Engine
            from remora.values import Inspector

            self._inspector = Inspector()
            engine = Engine(self)
            for ident in (self.loop.ident, *self._untraced):
                engine.own_thread(ident)
            self._engine = engine
            self._dispatch = dispatch

    def rest(self, timeout_s: float) -> None:
        """End our threads for a moment: the process forks. Any other thread."""
        self.loop.rest(timeout_s)
        if self._engine is not None:
            from remora.engine.jobs import watcher

            watcher.rest(timeout_s)

    def _thread_began(self, ident: int, before: int) -> None:
        """The agent thread runs: for the first time, or again after a fork."""
        if self._engine is not None:
            self._engine.own_thread(before, False)
            self._engine.own_thread(ident)

    def dispatch(self, session: Session, request: Request) -> dict[str, Any] | Pending | None:
        """Run the handler of a request; raise DapError."""
        if self._dispatch is None:
            self.load()
        assert self._dispatch is not None
        return self._dispatch(session, request)

    # --- a session comes and goes (agent thread)

    def begin(self, session: Session, options: AttachOptions) -> None:
        """Let `session` drive the engine. Whatever goes wrong leaves the program as it was."""
        engine = self.engine
        try:
            warning = engine.attach()
        except RuntimeError as error:
            raise UsageError(f"cannot debug this process: {error}") from None
        try:
            engine.set_user_code(just_my_code=options.just_my_code, rules=options.rules)
        except BaseException:
            engine.detach()
            raise
        self.options = options
        self.session = session
        self.loop.turns.attached(True)
        if options.redirect_output:
            self.mirror.start(besides=self.hub_reads)
        if options.auto_reload is not None:
            from remora.agent.reloading import Reloader  # late: hardly anybody asks for it

            self._reloader = Reloader(self, session, options.auto_reload)
            self._reloader.start()
        if warning:
            session.say(f"remora: {warning}\n")
        log(f"attached: {session.who}")

    def configured(self, session: Session) -> None:
        """The client is ready: whoever waited for one goes on."""
        session.ready = True
        session.send_held()
        if self.options.stop_on_entry and not self.holding and not self.is_ahead:
            self.engine.pause()
        self.holding = False
        self.release()

    def end(self, session: Session) -> None:
        """Leave the program alone: all events off, parked threads run on, output as it was."""
        if self.session is not session:
            return
        if session.quiet is not None:
            session.quiet.end()
        self.session = None
        session.ready = False
        self.loop.turns.attached(False)
        self.mirror.stop()
        if self._reloader is not None:
            self._reloader.stop()
            self._reloader = None
        if self._engine is not None:
            self._engine.detach()
        if self._inspector is not None:
            self._inspector.forget()
        # If the client has left before the program began, and did not end it, that runs undebugged.
        self.let_go()
        log("detached")

    def let_go(self) -> None:
        """Let a program run that has been held before its first line. On the agent thread."""
        if self.holding:
            self.holding = False
            self.release()

    def interrupt_program(self, session: Session) -> None:
        """Ask the program to end as a person would: its own SIGTERM handler if it has one, else Ctrl-C.

        A breakpoint in the cleanup would hold what is asked to end, so the engine is detached; before that,
        if the main thread runs. If it stands it hears the signal where it stands, as the first thing when it
        is let go. Without a Python handler for either signal SIGTERM does what it does. `os.kill` rather than
        `_thread.interrupt_main`: a real signal also ends a blocking system call.
        """
        session.leave_errand()
        engine = self._engine
        stands = engine is not None and engine.is_standing(MAIN_THREAD)
        if engine is not None and not stands:
            engine.detach()
        import signal  # late: one module less in every debuggee

        number = signal.SIGTERM
        if not callable(signal.getsignal(number)) and callable(signal.getsignal(signal.SIGINT)):
            number = signal.SIGINT
        log(f"terminate: signal {int(number)}")
        if not stands:
            _wait_until_outside()
        os.kill(os.getpid(), number)
        if engine is not None:
            engine.detach()

    # --- waiting (any thread)

    def is_ready(self) -> bool:
        session = self.session
        return session is not None and session.ready

    def wait(self, timeout_s: float | None) -> bool:
        """Block the calling thread until a client has attached and is configured. Any thread."""
        gate = _allocate_lock()
        gate.acquire()
        self._waiters.append(gate)
        try:
            deadline = None if timeout_s is None else _monotonic() + max(timeout_s, 0)
            while not self.is_ready():
                left_s = LOOK_S if deadline is None else min(LOOK_S, deadline - _monotonic())
                if left_s <= 0 or gate.acquire(timeout=left_s):
                    break
            return self.is_ready()
        finally:
            if gate in self._waiters:
                self._waiters.remove(gate)

    def release(self) -> None:
        """Let everybody who waits look again."""
        waiters, self._waiters = self._waiters, []
        for gate in waiters:
            gate.release()
        self.on_release()

    # --- the program's own wishes (any thread)

    def break_here(self, frame: FrameType) -> None:
        """Stop the calling thread in `frame`, if a client is ready; else do nothing."""
        if self.is_ready() and self._engine is not None:
            self._engine.break_here(frame)

    def program_begins(self, code: CodeType) -> None:
        """Stop at the first line of the main program, if the client has asked for that."""
        self.is_ahead = False  # before the look at the client: one that comes in between pauses us itself
        if self.is_ready() and self.options.stop_on_entry:
            self.engine.stop_on_entry(code)

    def uncaught(self, error: BaseException) -> None:
        """Stop post mortem if the client wants that for `error`, which is about to end the program."""
        if self.is_ready() and self._engine is not None:
            self._engine.uncaught(error)

    def trace_thread(self, wanted: bool) -> bool:
        """Let the calling thread stop, or not; return what was so before."""
        ident = _get_ident()
        before = ident not in self._untraced
        (self._untraced.discard if wanted else self._untraced.add)(ident)
        if self._engine is not None:
            self._engine.own_thread(ident, not wanted)
        return before

    # --- the end (main thread) and fork (the child's only thread)

    def finish(self, *, stays: bool = False) -> None:
        """Say goodbye and get everything out: the program ends, or `stays` without us.

        On the thread that runs atexit; on the agent thread if the program stays.
        """
        if self.finished:
            return
        self.finished = True
        try:
            self._finish(stays)
        except Exception as error:  # boundary: the program may have replaced what anything stands on
            log_exception("goodbye", error)

    def _finish(self, stays: bool) -> None:
        if self.goodbye.acquire(timeout=GOODBYE_S):
            self.goodbye.release()
        session = self.session
        if session is None:
            return
        self.mirror.stop()
        if session.quiet is not None:
            session.quiet.end()
        session.ready = False
        if self._engine is not None:
            self._engine.detach()
        if stays:
            session.event("terminated", {STAYS: True} if session is self.connection else {})
        else:
            if self.exit_code is None and getattr(sys, "last_exc", None) is not None:
                self.exit_code = 1  # a program that called listen() itself: we know only how it died
            if self.exit_code is not None:
                session.event("exited", {"exitCode": self.exit_code})
            session.event("terminated", family.last_words())
        session.transport.flush()

    def exits(self, code: int) -> None:
        """Say goodbye: the calling thread ends the process, on the spot. The others are not let go."""
        session = self.session
        if self.finished or session is None:
            return
        self.finished = True
        session.event("exited", {"exitCode": code & 0xFF})
        session.event("terminated", family.last_words())
        session.transport.flush(stall_s=GOODBYE_S)

    def after_fork(self) -> None:
        """In a forked child: no agent thread, no session; the parent's connection is not ours to end."""
        self.finished = True
        session, self.session = self.session, None
        self._waiters.clear()
        if self._engine is not None:
            self._engine.forked()
        self.loop.abandon()
        self.loop.turns.attached(False)
        if self.connection is not None:
            self.connection.transport.abandon()
        if self.door is not None:
            self.door.abandon()
        if session is not None:
            self.mirror.stop()

    # --- the engine's listener (user threads)

    def stopped(self, stop: Stop) -> None:
        session = self.session
        if session is not None:
            returned = stop.returned if self.options.show_return_value else None
            self.inspector.stopped(stop.thread_id, returned=returned, exception=stop.exception)
            session.stopped(stop)

    def resumed(self, thread_id: int | None) -> None:
        session = self.session
        if session is not None:
            session.resumed(thread_id)

    def logged(self, breakpoint: Breakpoint, text: str, frame_line: int) -> None:
        session = self.session
        if session is None:
            return
        if session.quiet is not None:
            session.quiet.logged(breakpoint, text, frame_line)
        else:
            session.transport.line(breakpoint, text + "\n", frame_line)

    def snapped(self, breakpoint: Breakpoint, frame: FrameType) -> None:
        session = self.session
        if session is not None and session.quiet is not None:
            session.quiet.snapped(breakpoint, frame)

    def throttled(self, breakpoint: Breakpoint) -> None:
        session = self.session
        if session is not None and session.quiet is not None:
            session.quiet.throttled(breakpoint)

    def thread_started(self, thread: ThreadInfo) -> None:
        session = self.session
        if session is not None:
            session.event("thread", {"reason": "started", "threadId": thread.id})

    def thread_exited(self, thread: ThreadInfo) -> None:
        session = self.session
        if session is not None:
            session.event("thread", {"reason": "exited", "threadId": thread.id})

    def breakpoint_changed(self, breakpoint: Breakpoint) -> None:
        session = self.session
        if session is not None:
            session.breakpoint_changed(breakpoint)

    # --- output

    def _mirrored(self, category: str, text: str) -> None:
        session = self.session
        if session is not None:
            session.transport.line(sys.intern(category), text)


def _wait_until_outside() -> None:
    """Wait until the main thread, which has just been let go, is out of our code; not for long.

    What a signal handler raises should strike the program at a line of its own, not in the engine's callback.
    """
    from remora.engine.frames import current_frames

    main = threading.main_thread().ident or 0
    for _ in range(LEAVING_MS):
        frame = current_frames().get(main)
        if frame is None or not frame.f_code.co_filename.startswith(_PACKAGE):
            return
        new_poll().poll(1)
