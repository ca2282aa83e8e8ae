"""The frames of this interpreter's threads, without touching those of other interpreters.

`sys._current_frames` made frame objects for the threads of all interpreters until gh-158364 (fixed in 3.14.8
and 3.15), also of those with an interpreter lock of their own: the process then soon dies of a corrupt heap.
So where sub-interpreters may be about, older versions walk their own thread states instead
(`PyInterpreterState_ThreadHead` and its like, through ctypes). The walk is one call into C: nobody else can
take the lock in between, and a thread state of the main interpreter goes only with the lock held. Those of a
sub-interpreter may go without: there, in these versions, threads that do not come by themselves stay unknown.
"""

from __future__ import annotations

import _thread
import sys
from itertools import accumulate, chain, repeat, takewhile, tee

# Kept: gevent puts others into the module.
_get_ident = _thread.get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any

IS_SAFE = sys.version_info >= (3, 15) or (3, 14, 8) <= sys.version_info < (3, 15)
MODULES = ("_interpreters", "_xxsubinterpreters")  # from 3.13 on; 3.12
# Words of a thread state among which the two ids of its thread are looked for; at 17 to 22 in 3.12 to 3.15.
MAX_WORDS = 28

_all_frames = sys._current_frames
_modules = sys.modules


def is_subinterpreter() -> bool:
    """Say whether this is another interpreter than the main one."""
    for name in MODULES:
        module: Any = _modules.get(name)
        if module is not None:
            current, main = module.get_current(), module.get_main()
            return bool(current != main)
    return False


class _Walk:
    """The thread states of the main interpreter; made when first needed, for ctypes is dear."""

    def __init__(self) -> None:
        import ctypes

        api, address, thing = ctypes.pythonapi, ctypes.c_void_p, ctypes.py_object

        def function(name: str, result: Any, *arguments: Any) -> Any:
            # A prototype of our own: the program may have set others on the functions of pythonapi.
            return ctypes.PYFUNCTYPE(result, *arguments)((name, api))

        self._head = function("PyInterpreterState_ThreadHead", address, address)
        # Two arguments, for accumulate(); C does not look at the second.
        self._next = function("PyThreadState_Next", address, address, address)
        self._frame = function("PyThreadState_GetFrame", address, address)
        self._bytes = function("PyBytes_FromStringAndSize", thing, address, ctypes.c_ssize_t)
        self._drop = function("Py_DecRef", None, address)
        self._cast = ctypes.cast
        self._object = thing
        self._interpreter = function("PyInterpreterState_Get", address)()
        self._word = ctypes.sizeof(ctypes.c_void_p)
        state = function("PyThreadState_Get", address)()
        words = (ctypes.c_size_t * MAX_WORDS).from_address(state)
        mine = (_get_ident(), _thread.get_native_id() & (1 << 8 * self._word) - 1)
        self._offset = next(
            at * self._word for at in range(MAX_WORDS - 1) if (words[at], words[at + 1]) == mine
        )

    def frames(self) -> dict[int, FrameType]:
        states = chain(map(self._head, (self._interpreter,)), repeat(None))
        first, second = tee(takewhile(bool, accumulate(states, self._next)))
        idents = map(self._bytes, map(int.__add__, second, repeat(self._offset)), repeat(self._word))
        found = list(zip(map(self._frame, first), idents, strict=False))  # here it all happens
        frames = {}
        for pointer, ident in found:
            if pointer:
                frames[int.from_bytes(ident, sys.byteorder)] = self._cast(pointer, self._object).value
                self._drop(pointer)
        return frames


_walk: _Walk | None = None


def _own_frames() -> dict[int, FrameType]:
    # No call between the look and what follows from it: the lock could go, and an interpreter come.
    if "_interpreters" not in _modules and "_xxsubinterpreters" not in _modules:
        found = _all_frames()
    else:
        found = _walked()
    found[_get_ident()] = sys._getframe(1)
    return found


def _walked() -> dict[int, FrameType]:
    global _walk
    if is_subinterpreter():
        return {}
    if _walk is None:
        try:
            _walk = _Walk()
        except (ImportError, AttributeError, StopIteration):
            return {}  # a build that is not like the others: nothing is better than what is wrong
    return _walk.frames()


#: the innermost frame of each thread of this interpreter, by ident
current_frames: Callable[[], dict[int, FrameType]] = sys._current_frames if IS_SAFE else _own_frames
