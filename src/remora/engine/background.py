"""Threads of our own, known until the kernel counts them no more.

A sub-interpreter cannot end while a thread of it is left, so it has to know of ours, and end them. Nobody
else asks.
"""

from __future__ import annotations

import _thread
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# So many may have ended before it is looked which have.
MAX_FORGOTTEN = 16

_get_native_id = _thread.get_native_id
_start_new_thread = _thread.start_new_thread
_stat = os.stat  # programs patch it in tests

#: called when all are to end; those that wait for work put theirs here
enders: list[Callable[[], None]] = []
_native_ids: list[int] = []
_starting: list[None] = []  # one item for each that has not said its id yet


def start(work: Callable[[], None]) -> int:
    """Run `work` on a thread of its own; return its ident. RuntimeError if there is none to be had."""

    def run() -> None:
        _native_ids.append(_get_native_id())
        _starting.pop()
        work()

    if len(_native_ids) > MAX_FORGOTTEN:
        are_left()
    _starting.append(None)
    try:
        return _start_new_thread(run, ())
    except BaseException:
        _starting.pop()
        raise


def end() -> None:
    """Let those end that wait for work. The others end when their work does."""
    for ender in enders:
        ender()


def are_left() -> bool:
    """Say whether any of them is still there."""
    for native_id in _native_ids[:]:
        if not exists(native_id):
            _native_ids.remove(native_id)
    return bool(_starting or _native_ids)


def exists(native_id: int) -> bool:
    """Say whether this process has a thread of that id."""
    try:
        _stat(f"/proc/self/task/{native_id}")
    except OSError:
        return False
    return True
