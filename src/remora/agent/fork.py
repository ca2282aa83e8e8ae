"""fork: the agent thread ends before it, and begins again after it; the child gets an agent of its own.

So the child is born of a process without a second thread of ours: no lock of ours is held in it by a thread
that is gone, and Python, which warns of threads at a fork, has nothing of ours to warn of.

CPython knows no way to take a fork handler back: there is one of each kind for the life of the process, and
they ask whether there is an agent. They run on the thread that forks. What they raise Python prints and
drops, so they raise nothing, and a Ctrl-C that strikes in them comes again when they are done.
"""

from __future__ import annotations

import _thread
import os
import posix
import sys
import time
from _operator import call as _call

from remora.agent import family, last_thread
from remora.agent.log import log_exception
from remora.agent.wrapping import Wrappers

# Kept: gevent puts others into the module.
_allocate_lock = _thread.allocate_lock
_get_ident = _thread.get_ident
_start_new_thread = _thread.start_new_thread
_sleep = time.sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from functools import partial as _partial
    from typing import Any

    from remora.agent.agent import Agent
else:
    from _functools import partial as _partial  # the module `functools` is slow to load

# The agent thread may be at work for a program that computes; to fork beside it is no harm, only untidy.
REST_S = 0.5
# What the last fork handler of a child has ended in.
AFTER_FORK_S = 0.005

_registered = False
_current: Callable[[], Agent | None]
_in_child: Callable[[], None]
_no_thread: Callable[[], None]
_lock = _allocate_lock()  # guards the next
_forking: set[int] = set()  # threads between "before" and "after": the last of them wakes the agent
_wrappers = Wrappers()
_wrapped: set[int] = set()  # threads that fork through a wrapper: it wakes the agent
# CPython 3.13 counts the threads of the parent after the handlers have run, not before.
COUNTS_LATE = sys.version_info[:2] == (3, 13)


def watch(
    current: Callable[[], Agent | None], in_child: Callable[[], None], no_thread: Callable[[], None]
) -> None:
    """Register the handlers, once. `in_child` is called in each child, whether there was an agent or not.

    `no_thread` is called when the agent thread cannot begin again: the system gives none.
    """
    global _registered, _current, _in_child, _no_thread
    _current, _in_child, _no_thread = current, in_child, no_thread
    if not _registered:
        _registered = True
        # Those before a fork are called in the reverse order.
        catch, again = _partial(next, _caught(), None), _partial(any, _Again())
        os.register_at_fork(before=again, after_in_parent=catch)
        os.register_at_fork(
            before=_guarded(_before), after_in_parent=_guarded(_after), after_in_child=_guarded(_child)
        )
        os.register_at_fork(before=catch, after_in_parent=again, after_in_child=again)


def wrap() -> None:
    """From now on let no agent thread be counted (where that takes a wrapper)."""
    if COUNTS_LATE and not _wrappers:
        for name in ("fork", "forkpty"):
            _wrappers.wrap(_fork, name, posix, os)


def unwrap() -> None:
    _wrappers.remove()


def _fork(original: Callable[[], Any]) -> Any:
    begin()
    try:
        return original()
    finally:
        end()


def begin() -> None:
    """This thread may fork, and wakes the agent itself (`end`) if it has."""
    _wrapped.add(_get_ident())


def end() -> None:
    ident = _get_ident()
    if ident in _wrapped:  # not in the child
        _wrapped.discard(ident)
        _wake()


# What lets a Ctrl-C come again when no Python of ours runs any more, where it would be raised at once.
_struck: list[Callable[[], None]] = []


class _Again:
    """any() calls what is in the list, all in C."""

    __slots__ = ()
    __iter__ = staticmethod(_partial(map, _call, _struck))


def _strikes_again() -> None:
    _struck[:] = (_thread.interrupt_main, _struck.clear)


def _caught() -> Iterator[None]:
    """Take a Ctrl-C that has struck during the fork: it is raised when any Python begins to run.

    That is where a generator stands, in its try; in a function it would be before the first line.
    """
    while True:
        try:
            while True:
                yield
        except KeyboardInterrupt:
            _strikes_again()


def _guarded(handler: Callable[[], None]) -> Callable[[], None]:
    def guarded() -> None:
        try:
            handler()
        except KeyboardInterrupt:
            _strikes_again()
        except BaseException as error:  # boundary: what a signal handler of the program raises is lost here
            log_exception("fork", error)

    return guarded


def _before() -> None:
    agent = _current()
    last_thread.note()
    if agent is not None:
        family.note_start()
        with _lock:
            _forking.add(_get_ident())
        agent.rest(REST_S)


def _after() -> None:
    last_thread.forget()
    if _get_ident() not in _wrapped:
        _wake()


def _wake() -> None:
    with _lock:
        _forking.discard(_get_ident())
        is_last = not _forking
    agent = _current()
    if is_last and agent is not None:
        try:
            agent.loop.go_on()
        except RuntimeError:
            _no_thread()


def _child() -> None:
    global _lock
    _lock = _allocate_lock()
    _forking.clear()
    _wrapped.clear()
    last_thread.watch(_current)
    try:
        _in_child()
    except KeyboardInterrupt:
        # When the handlers that others have registered are over: they would swallow it.
        _start_new_thread(_interrupt, ())


def _interrupt() -> None:
    import signal  # late: one module less in every debuggee

    _sleep(AFTER_FORK_S)
    os.kill(os.getpid(), signal.SIGINT)
