"""The processes of a program: its own, and its children, each opened as soon as it is announced.

One is the *current* one, which commands are about. The stop of another one *waits* for its turn.

Threads: a child is opened on a thread of its own (`remora.client.Family`), because it is held at its first
line while a person thinks at the prompt. That thread makes the `Process`, sends it the breakpoints and
exception filters and lets it run; everything else happens on the thread that runs commands. `_lock` guards
the list.
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable
from typing import Any, Protocol

from remora.client import Client, DebugSession, Family
from remora.client.family import address_in
from remora.terminal.inbox import Inbox
from remora.terminal.process import Process, State, short_name

Body = dict[str, Any]

#: what happened when a child has its breakpoints, and is about to run
JOINED = "joined"
#: and when it could not be attached to
FAILED = "failed"

_DIAL_S = 10.0


class Follow(enum.Enum):
    """What becomes of children."""

    RUN = "run"  # they get the breakpoints and run
    STOP = "stop"  # they stop before their first line
    OFF = "off"  # they are not debugged


class Owner(Protocol):
    """Who knows what stops a process, and hears what happens to it. `Debugger` is one."""

    def arm(self, process: Process) -> None:
        """Send everything that stops it, and keep it up to date from now on. ClientError."""

    def on_event(self, process: Process, name: str, body: Body) -> None:
        """Hear an event, on the reader's thread."""


class Processes(Family):
    """All processes, in the order they came; the first is the program's own."""

    def __init__(self, name: str, owner: Owner, inbox: Inbox, follow: Callable[[], Follow]) -> None:
        """Begin with the program's own process, called `name`."""
        super().__init__(self._arm)
        self._owner = owner
        self._inbox = inbox
        self._follow = follow
        self._lock = threading.Lock()
        self._all: list[Process] = []
        self._count = 0
        self._leaving = False
        self._waiting: list[Process] = []
        #: the program itself
        self.root = self._new(name, None, 0)
        #: the one commands are about
        self.current = self.root
        #: the one the person knows to be in
        self.told = self.root
        #: one that runs, and that the person has gone to: no stop of another takes its place by itself
        self.chosen: Process | None = None

    # Looking

    def __iter__(self) -> Any:
        with self._lock:
            return iter(list(self._all))

    @property
    def living(self) -> list[Process]:
        """Those that are being debugged."""
        return [each for each in self if each.is_alive]

    @property
    def count(self) -> int:
        """How many there have been."""
        return self._count

    def get(self, number: int) -> Process | None:
        """Return the one with this number."""
        return next((each for each in self if each.number == number), None)

    @property
    def waiting(self) -> list[Process]:
        """Those whose stop the person has not seen, the first to stop first, without the current one."""
        self._waiting = [each for each in self._waiting if each.state is State.STOPPED and not each.is_shown]
        return [each for each in self._waiting if each is not self.current]

    def of(self, session: DebugSession) -> Process | None:
        """Return the one with this session."""
        return next((each for each in self if each.client is session.client), None)

    # Joining and leaving

    def await_turn(self, process: Process) -> None:
        """Put one that has stopped behind those that wait to be looked at."""
        self._waiting = [*(each for each in self._waiting if each is not process), process]

    def over(self, process: Process) -> None:
        """Do without one that is over; if it is the current one, another one is now."""
        process.is_over()
        if process is not self.root:
            # The root stays in the list, and its connection may be what carries the others.
            self._remove(process)
        living = self.living
        if process is self.current:
            parents = [each for each in living if each is process.parent]
            self.current = [*self.waiting, *parents, *living, self.root][0]

    def _remove(self, process: Process) -> None:
        with self._lock:
            if process in self._all:
                self._all.remove(process)
        session = process.last_session
        if session is not None:
            self.forget(session)
            session.client.close()

    def refuse(self) -> None:
        """Take no more children: we are leaving."""
        self._leaving = True

    def callbacks(self, process: Process) -> dict[str, Any]:
        """Return what its connection calls."""
        return {
            "on_event": lambda name, body: self._owner.on_event(process, name, body),
            "on_end": lambda why: self._inbox.put(process, "ended", {"why": why}),
        }

    def _new(self, name: str, parent: Process | None, pid: int) -> Process:
        with self._lock:
            self._count += 1
            process = Process(self._count, name, self._inbox, parent=parent, pid=pid)
            self._all.append(process)
        return process

    # On the thread of a child

    def open(self, parent: DebugSession, configuration: Body) -> DebugSession:
        if self._leaving or self._follow() is Follow.OFF:
            raise ValueError("children are not followed")
        host, port = address_in(configuration)
        pid = configuration.get("subProcessId")
        process = self._new(_name_in(configuration), self.of(parent), pid if isinstance(pid, int) else 0)
        try:
            client = Client.connect(host, port, connect_timeout_s=_DIAL_S, **self.callbacks(process))
        except OSError:
            self._remove(process)
            raise
        process.session = session = DebugSession(
            client, family=self, parent=parent, configuration=configuration
        )
        return session

    def _arm(self, session: DebugSession) -> None:
        process = self.of(session)
        if process is None:
            raise ValueError("it has ended")
        self._owner.arm(process)
        if self._follow() is Follow.STOP:
            session.ask("pause", {"threadId": 1})
        self._inbox.put(process, JOINED, {})

    def failed(self, child: DebugSession | None, configuration: Body, why: str) -> None:
        if self._leaving or self._follow() is Follow.OFF:
            return
        pid = configuration.get("subProcessId")
        process: Process | None
        if child is None:
            process = Process(0, _name_in(configuration), self._inbox, pid=pid if isinstance(pid, int) else 0)
        else:
            process = self.of(child)  # None: it is known to be over
        if process is not None:
            self._inbox.put(process, FAILED, {"why": why})


def _name_in(configuration: Body) -> str:
    """Return what to call a child; the hub puts its process id behind, which has a column of its own here."""
    name = str(configuration.get("name") or "child")
    name = short_name(name.removesuffix(f" ({configuration.get('subProcessId')})"))
    return f"python {name}" if name.startswith("-") else name
