"""Threads of the debuggee: the main one has id 1, the others count up, and no id is used twice.

The system reuses idents, so an id belongs to an ident only until that thread ends. Ends are seen at
`Thread._bootstrap_inner`; threads made by `_thread` or by C code are met when they stop or are listed.

In a sub-interpreter the main one is whichever thread another interpreter runs code with, one at a time; there
may be none.

Any thread; `_lock` guards the table, and nothing of the program runs under it.
"""

from __future__ import annotations

import _thread
import threading
from enum import Enum

from .frames import current_frames, is_subinterpreter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_allocate_lock = _thread.allocate_lock
_get_ident = _thread.get_ident
_FOREIGN = (threading._DummyThread, threading._MainThread)  # type: ignore[attr-defined]


class ThreadState(Enum):
    RUNNING = "running"
    STOPPED = "stopped"
    BLOCKED = "blocked"  # all are stopped, but this one sits in C code and has not come back yet


class ThreadInfo:
    """A thread as the session lists it."""

    __slots__ = ("id", "ident", "is_main", "name", "state")

    def __init__(self, number: int, ident: int, name: str, is_main: bool, state: ThreadState) -> None:
        self.id = number
        self.ident = ident
        self.name = name
        self.is_main = is_main
        self.state = state

    def __repr__(self) -> str:
        return f"<ThreadInfo {self.id} {self.name!r} {self.state.value}>"


class Threads:
    """Ids of threads, and which of them are our own."""

    def __init__(self) -> None:
        self._lock = _allocate_lock()
        self.own: set[int] = set()
        main = threading.main_thread().ident
        self._main = main if main is not None else _get_ident()
        self._ids: dict[int, int] = {self._main: 1}
        self._idents: dict[int, int] = {1: self._main}
        self._last = 1
        self._is_guest = is_subinterpreter()

    def id_of(self, ident: int) -> int:
        number = self._ids.get(ident)
        if number is None:
            with self._lock:
                number = self._ids.get(ident)
                if number is None and self._is_guest and self._is_visitor(ident):
                    self._ids.pop(self._main, None)
                    self._main = ident
                    self._ids[ident] = number = 1
                    self._idents[1] = ident
                elif number is None:
                    self._last = number = self._last + 1
                    self._ids[ident] = number
                    self._idents[number] = ident
        return number

    def _is_visitor(self, ident: int) -> bool:
        """Whether this thread comes from another interpreter, to run code here; one does at a time."""
        thread = threading._active.get(ident)  # type: ignore[attr-defined]
        started_here = thread is not None and not isinstance(thread, _FOREIGN)
        return not started_here and self._main not in current_frames()

    def ident_of(self, thread_id: int) -> int:
        """Raises LookupError if there is no such thread, or no more."""
        ident = self._idents.get(thread_id)
        if ident is None:
            raise LookupError(f"there is no thread {thread_id}")
        return ident

    def ended(self, ident: int) -> None:
        with self._lock:
            number = self._ids.pop(ident, None)
            if number is not None:
                self._idents.pop(number, None)

    def forked(self) -> None:
        """In a forked child the thread that forked is the main one, and the only one."""
        self._lock = _allocate_lock()
        self._main = _get_ident()
        self.own.clear()
        self._ids = {self._main: 1}
        self._idents = {1: self._main}

    def live(self) -> Iterator[tuple[int, int]]:
        """(id, ident) of every thread that runs Python code and is not ours; the main one first."""
        idents = [ident for ident in current_frames() if ident not in self.own]
        gone = [ident for ident in list(self._ids) if ident not in idents and ident != self._main]
        for ident in gone:
            self.ended(ident)
        found = sorted((self.id_of(ident), ident) for ident in idents)
        if self._is_guest and (not found or found[0][0] != 1):
            found.insert(0, (1, self._main))  # a session without a thread would be none
        return iter(found)

    def info(self, thread_id: int, ident: int, state: ThreadState, name: str | None = None) -> ThreadInfo:
        if name is None:
            known = threading._active.get(ident)  # type: ignore[attr-defined]
            unknown = f"Thread {thread_id}" if thread_id > 1 else "MainThread"
            name = known.name if known is not None else unknown
        return ThreadInfo(thread_id, ident, name, ident == self._main, state)
