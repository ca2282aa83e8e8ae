"""One process being debugged: whether it runs, where it has stopped, which of its frames is looked at.

Called by the thread that runs commands. Threads that open a child touch what `Debugger` says they may.
"""

from __future__ import annotations

import enum
import os
import queue
import threading
from typing import Any

from remora.client import Client, ClientError, DebugSession, Stop
from remora.client.client import LOOK_S
from remora.terminal.inbox import Inbox
from remora.terminal.source import SourceFile, Sources

Body = dict[str, Any]

_FRAMES_AT_ONCE = 50
# The module whose frames are the last of ours before the program's.
_RUNNER = "remora.agent.run"


class CommandError(Exception):
    """A command could not be done; the text says why."""


class State(enum.Enum):
    """Where a process is."""

    CONFIGURING = "attached"  # breakpoints can be set; it runs, or waits for us
    RUNNING = "running"
    STOPPED = "stopped"
    ENDED = "not running"


class Process:
    """A debuggee and the session with it."""

    def __init__(
        self, number: int, name: str, inbox: Inbox, *, parent: Process | None = None, pid: int = 0
    ) -> None:
        self.number = number
        self.name = name
        #: 0 while it is not known
        self.pid = pid
        self.parent = parent
        self.state = State.CONFIGURING
        self.exit_code: int | None = None
        self.stop: Stop | None = None
        #: whether the person has seen this stop; those of other processes wait until it is their turn
        self.is_shown = False
        #: whether the person was told in a line that it has stopped
        self.is_told = False
        self.end_is_told = False
        #: it is over for us only: it runs on
        self.is_detached = False
        self.thread_id = 1
        self.frame_index = 0
        #: the thread the person knows to be in; 1 is the main thread
        self.told_thread_id = 1
        #: the last values of what is displayed
        self.displayed: dict[str, str] = {}
        self.sources = Sources()
        #: whether breakpoints may be sent
        self.is_open = False
        #: so that the state of the breakpoints and the message about it are of one moment. Held while one is
        #: written, not while its answer is awaited
        self.sending = threading.Lock()
        #: what to tell a person who asks something of a process that is over
        self.gone = f"process {number} is over"
        self._inbox = inbox
        self._session: DebugSession | None = None
        self._frames: list[Body] = []
        self._total_frames = 0

    def __repr__(self) -> str:
        return f"Process({self.number}, {self.name!r}, {self.state.value})"

    # The session

    @property
    def session(self) -> DebugSession:
        """The session. CommandError if it is over."""
        if self._session is None or self.state is State.ENDED:
            raise CommandError(self.gone)
        return self._session

    @session.setter
    def session(self, session: DebugSession) -> None:
        self._session = session

    @property
    def last_session(self) -> DebugSession | None:
        """The session, also when it is over; None before there is one."""
        return self._session

    @property
    def client(self) -> Client | None:
        """The connection, also of a session that is over; None before there is one."""
        return self._session.client if self._session is not None else None

    @property
    def capabilities(self) -> Body:
        """What its adapter can do; of the last session, if there is none now."""
        return self._session.capabilities if self._session is not None else {}

    @property
    def is_root(self) -> bool:
        """Whether it is the program itself, and no child of it."""
        return self.number == 1

    @property
    def is_alive(self) -> bool:
        """Whether it is still being debugged."""
        return self.state is not State.ENDED

    def ask(self, command: str, arguments: Body) -> Body:
        """Send a request and wait as long as it takes: it may run the person's code. Ctrl-C ends the wait.

        CommandError.
        """
        client = self.session.client
        answered: queue.SimpleQueue[bool] = queue.SimpleQueue()
        try:
            with self._inbox.asking(answered):
                pending = client.send(command, arguments, on_done=lambda: answered.put(True))
                while True:
                    try:
                        done = answered.get(timeout=LOOK_S)
                        break
                    except queue.Empty:
                        continue
            if not done:
                if self.capabilities.get("supportsCancelRequest"):
                    client.send("cancel", {"requestId": pending.seq})
                raise CommandError("interrupted")
            return pending.result(0)
        except ClientError as error:
            raise CommandError(str(error)) from error

    # What has happened to it

    def has_stopped(self, stop: Stop) -> None:
        """Take in a stop."""
        self.stop = stop
        self.state = State.STOPPED
        self.is_shown = self.is_told = False
        self.look_at_thread(stop.thread_id or self.thread_id)

    def runs(self) -> None:
        """Take in that it goes on."""
        self.state = State.RUNNING
        self.stop = None
        self._frames = []

    def is_over(self) -> None:
        """Take in that the session has ended."""
        self.state = State.ENDED
        self.is_open = False
        self.stop = None
        self._frames = []
        self.sources.forget()

    # Looking

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

    def source_at(self, path: str) -> SourceFile | None:
        """Return the text of a file, None if it is not known here."""
        return self.sources.get({"path": path}, self._session if self.is_alive else None)

    def evaluate(self, expression: str, context: str = "repl") -> Body:
        """Evaluate in the frame looked at, or, while the program runs, in none. CommandError."""
        arguments: Body = {"expression": expression, "context": context}
        if self.state is State.STOPPED:
            arguments["frameId"] = self.frame()["id"]
        return self.ask("evaluate", arguments)


def short_name(name: str) -> str:
    """Return the last part of a path, for a line that names a process."""
    return os.path.basename(name.rstrip("/\\")) or name
