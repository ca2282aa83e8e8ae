"""The state of a debugging session in a terminal: what runs, what is stopped where, which frame is looked at.

One thread, the one that runs commands, calls everything here. The client's reader thread only prints
the program's output and puts what happened into `_inbox`, as the handler of SIGINT does; `wait` and
`catch_up` take it out again. So Ctrl-C never interrupts a message half sent. Whatever waits for more than a
moment looks up now and then (`_next`), or a Ctrl-C that comes as the wait begins would not be heard.
"""

from __future__ import annotations

import contextlib
import enum
import os
import queue
import signal
from collections.abc import Iterator
from typing import Any

from remora.client import Client, ClientError, DebugSession, RequestFailed, Stop
from remora.client.client import LOOK_S
from remora.terminal.breakpoints import Breakpoint, Breakpoints
from remora.terminal.program import Program
from remora.terminal.screen import Screen
from remora.terminal.source import SourceFile, Sources
from remora.terminal.target import Target

Body = dict[str, Any]

_FRAMES_AT_ONCE = 50
# The program has said goodbye; what is left are its exit handlers and threads.
_EXIT_GRACE_S = 30.0
# remora's number for an attach that brings no token.
_TOKEN_NEEDED = 2002
# The module whose frames are the last of ours before the program's.
_RUNNER = "remora.agent.run"


class CommandError(Exception):
    """A command could not be done; the text says why."""


class State(enum.Enum):
    """Where the session is."""

    CONFIGURING = "attached"  # breakpoints can be set; the program runs, or waits for us
    RUNNING = "running"
    STOPPED = "stopped"
    ENDED = "not running"


class _Happened(enum.Enum):
    INTERRUPT = enum.auto()
    NOBODY_READS = enum.auto()


class Debugger:
    """One target being debugged, again and again."""

    def __init__(self, target: Target, screen: Screen) -> None:
        self.target = target
        self.screen = screen
        self.sources = Sources()
        self.breakpoints = Breakpoints()
        #: exception filters that are on: name -> condition ("" for none); None: the adapter's defaults
        self.filters: dict[str, str] | None = None
        self.displays: dict[str, str | None] = {}
        self.state = State.ENDED
        self.exit_code: int | None = None
        self.stop: Stop | None = None
        self.thread_id = 1
        self.frame_index = 0
        #: the thread the person knows to be in; 1 is the main thread
        self.told_thread_id = 1
        self._frames: list[Body] = []
        self._total_frames = 0
        self._session: DebugSession | None = None
        self._capabilities: Body = {}
        self._program: Program | None = None
        self._inbox: queue.SimpleQueue[tuple[str, Body] | _Happened] = queue.SimpleQueue()
        self._interruptible = False
        self._asking: queue.SimpleQueue[bool] | None = None

    # Starting and ending

    @property
    def session(self) -> DebugSession:
        """The session. CommandError if there is none."""
        if self._session is None or self.state is State.ENDED:
            again = "starts it again" if self.target.is_local else "attaches again"
            raise CommandError(f"the program is not running; `restart` {again}")
        return self._session

    @property
    def capabilities(self) -> Body:
        """What the adapter can do; of the last session, if there is none now."""
        return self._capabilities

    def start(self) -> None:
        """Open the target as far as breakpoints can be set. CommandError."""
        features = {"supportsRunInTerminalRequest": self.target.is_local}
        try:
            client = self.target.open(
                on_event=self._on_event, on_reverse_request=self._on_reverse_request, on_end=self._on_end
            )
        except OSError as error:
            raise CommandError(str(error)) from error
        self._session = DebugSession(client, features=features)
        self._inbox = queue.SimpleQueue()
        self.exit_code = None
        self.told_thread_id = 1
        self.displays = dict.fromkeys(self.displays)
        try:
            self._session.begin(self.target.command, self.target.arguments)
        except ClientError as error:
            self._drop()
            if isinstance(error, RequestFailed) and error.id == _TOKEN_NEEDED:
                raise CommandError(
                    "this program asks for a token, which it printed when it was started: "
                    "put it into the variable REMORA_TOKEN"
                ) from error
            raise CommandError(str(error)) from error
        self._capabilities = self._session.capabilities
        self.state = State.CONFIGURING
        if self.filters is None:
            offered = self.capabilities.get("exceptionBreakpointFilters") or []
            self.filters = {each["filter"]: "" for each in offered if each.get("default")}
        try:
            self.breakpoints.send_all(self._session)
        except ClientError as error:
            self.screen.fail(str(error))

    def configure(self) -> None:
        """Let the program begin, if it has not yet. CommandError."""
        if self.state is not State.CONFIGURING:
            return
        self.send_filters()
        self.state = State.RUNNING
        try:
            self.session.configuration_done()
        except ClientError as error:
            raise CommandError(str(error)) from error

    def send_filters(self) -> None:
        """Tell the adapter which exceptions stop; without one it is told at the next start. CommandError."""
        if self.state is State.ENDED:
            return
        filters = self.filters or {}
        plain = [name for name, condition in filters.items() if not condition]
        options = [{"filterId": name, "condition": text} for name, text in filters.items() if text]
        try:
            self.session.set_exception_filters(*plain, *options)
        except ClientError as error:
            raise CommandError(str(error)) from error

    def leave(self) -> None:
        """End the session: a launched program is ended, one attached to runs on."""
        if self._program is not None:
            # Ourselves: an adapter interrupts as Ctrl-C does, and the traceback would land in our terminal.
            self._program.end_gently(2.0)
        if self._session is not None and self._session.client.connected:
            with contextlib.suppress(ClientError):
                arguments = {"terminateDebuggee": self.target.is_local}
                self._session.client.request("disconnect", arguments, timeout_s=5.0)
        self._drop()

    def _drop(self) -> None:
        self.state = State.ENDED
        self.stop = None
        self._frames = []
        self.sources.forget()
        if self._program is not None:
            self._program.close(grace_s=2.0)
            self._program = None
        if self._session is not None:
            self._session.client.close()
            self._session = None

    # What happens: on the reader thread and in the signal handler

    def _on_event(self, name: str, body: Body) -> None:
        match name:
            case "output":
                category = body.get("category") or "console"
                if category != "telemetry":
                    try:
                        self.screen.program_output(str(body.get("output", "")), category)
                    except BrokenPipeError:
                        self._inbox.put(_Happened.NOBODY_READS)
            case "process" if not self.target.is_local:
                # So that `break 12` means a line of it. The file of another machine is not known here.
                name = str(body.get("name") or "")
                self.target.main_file = name if os.path.isabs(name) and os.path.isfile(name) else None
            case "stopped" | "continued" | "exited" | "terminated":
                self._inbox.put((name, body))
            case "breakpoint":
                self.breakpoints.learn(body.get("breakpoint") or {})

    def _on_end(self, why: str) -> None:
        self._inbox.put(("ended", {"why": why}))

    def _on_reverse_request(self, command: str, arguments: Body) -> Body:
        if command != "runInTerminal":
            raise RuntimeError("the terminal client does not take this request")
        self._program = Program(arguments, stdin=getattr(self.target, "stdin", None))
        return {"processId": self._program.process.pid}

    def on_interrupt(self, number: int, frame: object) -> None:
        """Handle SIGINT: interrupt where it is harmless, else leave word for who waits."""
        if self._interruptible:
            raise KeyboardInterrupt
        if self._asking is not None:
            self._asking.put(False)
        else:
            self._inbox.put(_Happened.INTERRUPT)

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let Ctrl-C raise KeyboardInterrupt inside."""
        before, self._interruptible = self._interruptible, True
        try:
            yield
        finally:
            self._interruptible = before

    # Running

    def go(self, command: str, **arguments: Any) -> bool:
        """Send a request that lets the program run, and wait; return whether it stopped again."""
        self.configure()
        if self.state is State.RUNNING:
            return self.wait()
        session = self.session
        self._running()
        try:
            session.ask(command, {"threadId": self.thread_id, **arguments})
        except RequestFailed as error:
            self.state = State.STOPPED
            raise CommandError(str(error)) from error
        except ClientError as error:
            raise CommandError(str(error)) from error
        return self.wait()

    def wait_for_goto(self) -> bool:
        """Wait for the `stopped` event that follows a `goto`; return whether there is a stop."""
        self._running()
        return self.wait()

    def pause(self) -> bool:
        """Stop the program where it is, one that waits for us at its first line. CommandError."""
        if self.state is State.STOPPED:
            raise CommandError("the program is stopped already")
        self.ask("pause", {"threadId": self.thread_id})
        self.configure()
        return self.wait()

    def _running(self) -> None:
        self.state = State.RUNNING
        self.stop = None
        self._frames = []

    def wait(self) -> bool:
        """Wait until the program stops or ends; Ctrl-C pauses it, and a second one gives up waiting."""
        interrupts = 0
        with self._typing_goes_to_the_program():
            while self.state is State.RUNNING:
                happened = _next(self._inbox)
                if happened is not _Happened.INTERRUPT:
                    self._take(happened)
                elif interrupts:
                    self.screen.say("The program has not stopped yet; it goes on running.")
                    return False
                else:
                    interrupts += 1
                    self.screen.say()
                    with contextlib.suppress(ClientError):
                        self.session.client.send("pause", {"threadId": self.thread_id})
        return self.state is State.STOPPED

    @contextlib.contextmanager
    def _typing_goes_to_the_program(self) -> Iterator[None]:
        typed = self._program.typed if self._program is not None else None
        if typed is not None:
            typed.allow(True)
        try:
            yield
        finally:
            if typed is not None:
                typed.allow(False)

    def catch_up(self) -> None:
        """Take in what has happened meanwhile."""
        while True:
            try:
                happened = self._inbox.get_nowait()
            except queue.Empty:
                return
            if happened is not _Happened.INTERRUPT:
                self._take(happened)

    def _take(self, happened: tuple[str, Body] | _Happened) -> None:
        if isinstance(happened, _Happened):
            raise BrokenPipeError
        name, body = happened
        match name:
            case "stopped":
                self._stopped(Stop(body))
            case "continued" if self.state is State.STOPPED:
                self._running()
            case "exited":
                self.exit_code = body.get("exitCode")
            case "terminated" | "ended" if self.state is not State.ENDED:
                self._ended(body.get("why", ""))

    def _stopped(self, stop: Stop) -> None:
        self.stop = stop
        self.state = State.STOPPED
        self.thread_id = stop.thread_id or self.thread_id
        self.session.thread_id = self.thread_id
        self.frame_index = 0
        self._frames = []

    def _ended(self, why: str) -> None:
        program = self._program
        if program is not None:
            code = program.wait(_EXIT_GRACE_S)
            self.exit_code = self.exit_code if code is None else code
        elif self._session is not None and not why:
            # The adapter has said goodbye; answer, so that it goes.
            with contextlib.suppress(ClientError):
                self._session.client.request("disconnect", {}, timeout_s=5.0)
        self._drop()
        if why and program is None:
            self.screen.fail(f"the connection is gone: {why}")
        elif self.exit_code is not None:
            self.screen.say(f"The program ended with exit code {self.exit_code}.")
        else:
            self.screen.say("The session has ended.")

    # Looking

    def ask(self, command: str, arguments: Body) -> Body:
        """Send a request and wait as long as it takes: it may run the person's code. Ctrl-C ends the wait.

        CommandError.
        """
        client = self.session.client
        # A queue and no exception out of the handler: that could strike while a lock is being taken.
        answered: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._asking = answered
        try:
            pending = client.send(command, arguments, on_done=lambda: answered.put(True))
            if not _next(answered):
                if self.capabilities.get("supportsCancelRequest"):
                    client.send("cancel", {"requestId": pending.seq})
                raise CommandError("interrupted")
            return pending.result(0)
        except ClientError as error:
            raise CommandError(str(error)) from error
        finally:
            self._asking = None

    def need_stop(self) -> None:
        """Make sure that there is a stop to look at. CommandError."""
        _ = self.session
        if self.state is State.CONFIGURING:
            raise CommandError("the program is not stopped: `c` goes to a breakpoint, `pause` stops it now")
        if self.state is State.RUNNING:
            raise CommandError("the program is running; `pause` stops it")

    def frame(self, index: int | None = None) -> Body:
        """Return a frame, by default the one looked at. CommandError."""
        self.need_stop()
        index = self.frame_index if index is None else index
        if index >= len(self._frames) and (not self._frames or index < self._total_frames):
            self._read_frames(index + 1)
        if index >= len(self._frames):
            raise CommandError("there is no such frame")
        return self._frames[index]

    def frames(self) -> list[Body]:
        """Return all frames, innermost first. CommandError."""
        self.frame(0)
        if len(self._frames) < self._total_frames:
            self._read_frames(self._total_frames)
        return self._frames

    def look_at_thread(self, thread_id: int) -> None:
        """Make another thread the current one."""
        self.thread_id = thread_id
        self.session.thread_id = thread_id
        self.frame_index = 0
        self._frames = []

    def below_the_program(self) -> int:
        """Return how many of the oldest frames are remora's own, below those of a program that listens."""
        frames = self.frames()
        first = next((i for i, each in enumerate(frames) if each.get("moduleId") == _RUNNER), None)
        if first is None:
            return 0
        # Above it may be runpy's, for `-m`.
        while first and frames[first - 1].get("presentationHint") == "subtle":
            first -= 1
        return len(frames) - first if first else 0  # 0: nothing else is there

    def total_frames(self) -> int:
        """Return how deep the stack is. CommandError."""
        self.frame(0)
        return self._total_frames

    def _read_frames(self, wanted: int) -> None:
        start = len(self._frames)
        # The first alone: it is all that a step shows.
        levels = 1 if wanted == 1 and not start else max(wanted - start, _FRAMES_AT_ONCE)
        arguments = {"threadId": self.thread_id, "startFrame": start, "levels": levels}
        body = self.ask("stackTrace", arguments)
        got = body.get("stackFrames") or []
        self._frames += got
        total = body.get("totalFrames")
        known = len(self._frames)
        # Without a total there is more as long as as many came as were asked for.
        self._total_frames = total if isinstance(total, int) else known + (len(got) >= levels)
        if total is None and not got:
            self._total_frames = known

    def source(self, frame: Body) -> SourceFile | None:
        """Return the text of a frame's source, None if nobody has it."""
        return self.sources.get(frame.get("source"), self._session)

    def evaluate(self, expression: str, context: str = "repl") -> Body:
        """Evaluate in the frame looked at, or, while the program runs, in none. CommandError."""
        arguments: Body = {"expression": expression, "context": context}
        if self.state is State.STOPPED:
            arguments["frameId"] = self.frame()["id"]
        return self.ask("evaluate", arguments)

    # Breakpoints

    def send_breakpoints(self, breakpoint: Breakpoint) -> None:
        """Tell the adapter about a breakpoint that was made, changed or removed. CommandError."""
        if self._session is None or self.state is State.ENDED:
            return  # told at the next start
        try:
            if breakpoint.function:
                self.breakpoints.send_functions(self._session)
            else:
                self.breakpoints.send(self._session, breakpoint.path)
        except ClientError as error:
            raise CommandError(str(error)) from error

    def kill_signal(self, number: int) -> None:
        """Send the program a signal, if it is our child. CommandError."""
        if self._program is None:
            raise CommandError("the program is no child of this terminal")
        self._program.signal(number)

    @property
    def client(self) -> Client | None:
        return self._session.client if self._session is not None else None

    @contextlib.contextmanager
    def handling_signals(self) -> Iterator[None]:
        """Make SIGINT a pause, and let SIGTERM and SIGHUP end the program that was started, too."""

        def end(number: int, frame: object) -> None:
            raise SystemExit(128 + number)

        handlers: dict[int, Any] = {signal.SIGINT: self.on_interrupt, signal.SIGTERM: end}
        if hasattr(signal, "SIGHUP"):
            handlers[signal.SIGHUP] = end
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _next[T](box: queue.SimpleQueue[T]) -> T:
    """Take what comes next, for as long as it takes, without going deaf to signals: see `LOOK_S`."""
    while True:
        try:
            return box.get(timeout=LOOK_S)
        except queue.Empty:
            continue
