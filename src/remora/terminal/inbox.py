"""What happens while the thread that runs commands is busy or asleep: events of processes, and Ctrl-C.

Reader threads and the handler of SIGINT put it in, that one thread takes it out; so Ctrl-C never interrupts a
message half sent. It raises KeyboardInterrupt only inside `interruptible`, where nothing can break. While a
person sits at the prompt (`at_prompt`) nothing is taken out, and whoever puts something in tells it, in a
line.

Whatever waits for more than a moment looks up now and then: see `LOOK_S`.
"""

from __future__ import annotations

import contextlib
import enum
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from remora.client.client import LOOK_S

if TYPE_CHECKING:
    from remora.terminal.process import Process

Body = dict[str, Any]


class Happened(enum.Enum):
    """What concerns no process."""

    INTERRUPT = enum.auto()
    NOBODY_READS = enum.auto()


class Event(NamedTuple):
    """Something a process or its connection has said."""

    process: Process
    name: str
    body: Body
    #: the person has been told in a line, at the prompt
    is_told: bool = False


class Inbox:
    """One for a run of the terminal client."""

    def __init__(self, tell: Callable[[Event], bool]) -> None:
        """`tell` says an event in a line, if it is worth one, and returns whether it was."""
        self._tell = tell
        self._queue: queue.SimpleQueue[Event | Happened] = queue.SimpleQueue()
        # Guards `_prompting` against what is put in meanwhile: each event is told by one of two.
        self._lock = threading.Lock()
        self._prompting = False
        self._interruptible = False
        self._asking: queue.SimpleQueue[bool] | None = None

    # On any thread

    def put(self, process: Process, name: str, body: Body) -> None:
        """Leave word of an event."""
        event = Event(process, name, body)
        with self._lock:
            prompting = self._prompting
            if not prompting:
                self._queue.put(event)
        if prompting:
            self._queue.put(event._replace(is_told=self._tell(event)))

    def nobody_reads(self) -> None:
        """Leave word that our own output is closed."""
        self._queue.put(Happened.NOBODY_READS)

    # On the thread that runs commands

    def forget(self) -> None:
        """Drop what is in it: the processes it is about are gone."""
        self._queue = queue.SimpleQueue()

    def take(self, timeout_s: float | None = None) -> Event | Happened | None:
        """Return what happens next; None if nothing does in time (0: is there already)."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            left_s = LOOK_S if deadline is None else min(deadline - time.monotonic(), LOOK_S)
            try:
                return self._queue.get(timeout=left_s) if left_s > 0 else self._queue.get_nowait()
            except queue.Empty:
                if deadline is not None and time.monotonic() >= deadline:
                    return None

    @contextlib.contextmanager
    def at_prompt(self) -> Iterator[bool]:
        """Say that a person is asked for a command; yields False if something is to be told first."""
        with self._lock:
            quiet = self._queue.empty()
            self._prompting = quiet
        try:
            yield quiet
        finally:
            with self._lock:
                self._prompting = False

    @contextlib.contextmanager
    def asking(self, answered: queue.SimpleQueue[bool]) -> Iterator[None]:
        """Let Ctrl-C put False into `answered`, the queue of a request under way."""
        # A queue and no exception out of the handler: that could strike while a lock is being taken.
        self._asking = answered
        try:
            yield
        finally:
            self._asking = None

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let Ctrl-C raise KeyboardInterrupt inside."""
        before, self._interruptible = self._interruptible, True
        try:
            yield
        finally:
            self._interruptible = before

    def on_interrupt(self, number: int, frame: object) -> None:
        """Handle SIGINT: interrupt where it is harmless, else leave word for who waits."""
        if self._interruptible:
            raise KeyboardInterrupt
        if self._asking is not None:
            self._asking.put(False)
        else:
            self._queue.put(Happened.INTERRUPT)

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
