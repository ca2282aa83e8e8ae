"""A process that was forked from a thread other than the main one ends when its last thread does.

There Python's own end never comes: the thread returns from its function and is gone, and the system ends the
process with the last one. The agent thread must not be that one and go on, so it looks, from the moment the
forking thread ends, whether any thread is left for which it has a reason to stay.

`note` runs before each fork, `watch` in its child, on the thread that forks; the look is the agent thread's.
Source: CPython, Modules/posixmodule.c (os.fork), glibc nptl/pthread_create.c.
"""

from __future__ import annotations

import _thread
import os
import sys
import threading

from remora.agent.log import log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from remora.agent.agent import Agent

LOOK_S = 0.02

_get_ident = _thread.get_ident
_getpid = os.getpid
_frames = sys._current_frames

_forking: set[int] = set()  # threads that fork just now, and are not where Python begins and ends
_is_born_so = False  # this process is such a child, and so will be what its first thread forks
_local = _thread._local()
_current: Callable[[], Agent | None] = lambda: None  # noqa: E731


class _End:
    """Kept in the thread's own storage, which goes with the thread."""

    __slots__ = ("pid",)

    def __init__(self) -> None:
        self.pid = _getpid()

    def __del__(self) -> None:
        agent = _current()
        # A fork by another thread takes this one off too.
        if agent is not None and self.pid == _getpid() and not sys.is_finalizing():
            agent.loop.soon(_look)


def note() -> None:
    """This thread is about to fork."""
    if _is_born_so or _get_ident() != threading.main_thread().ident:
        _forking.add(_get_ident())


def forget() -> None:
    """It has forked: in the parent."""
    _forking.discard(_get_ident())


def watch(current: Callable[[], Agent | None]) -> None:
    """In the child: look after its end, if it is not to end as a Python does."""
    global _current, _is_born_so
    born_so = _get_ident() in _forking
    _forking.clear()
    if born_so:
        _is_born_so = True
        _current = current
        _local.end = _End()


def _is_somebody_left() -> bool:
    if len(_frames()) > 1:
        if "remora.engine.background" in sys.modules:
            sys.modules["remora.engine.background"].end()  # threads of ours
        return True
    return False


def _look() -> None:
    """Go, if nobody else is left. On the agent thread."""
    agent = _current()
    if agent is None or not agent.loop.is_current():
        return
    if _is_somebody_left():
        agent.loop.after(LOOK_S, _look)
        return
    log("the last thread of the program has ended")
    agent.exits(0)
    agent.loop.stop()
