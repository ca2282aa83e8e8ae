"""The ways into a running process, the gentlest first.

1. CPython 3.14 and later: `sys.remote_exec` (remote_exec.py);
"""

from __future__ import annotations

import time

from remora.inject import remote_exec
from remora.inject.failures import cannot
from remora.inject.processes import Target, gone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from remora.inject.place import Place

# Between two looks at the folder: short at first, since a running program is there within 2 ms.
FIRST_LOOK_S = 0.0005
LONGEST_LOOK_S = 0.02
# A program that runs has run the script by then, on a busy machine too.
MOMENT_S = 0.15


class Watch:
    """What the caller hears while we try, and whether it still wants us to. Any thread."""

    def __init__(self, tell: Callable[[str], None] | None = None) -> None:
        self.tell = tell or (lambda text: None)
        self.stopped = False

    def stop(self) -> None:
        """The agent has arrived, or nobody wants it any more."""
        self.stopped = True


def bring(target: Target, place: Place, start: dict[str, Any], watch: Watch) -> dict[str, Any] | None:
    """Have the target run our script with `start`; return what the script said, None if `watch` was stopped.

    Blocks. DapError if it cannot be done; then the script will not run any more.
    """
    path = place.arm(start)
    try:
        return _Climb(target, place, watch).run(path)
    finally:
        place.disarm()


class _Climb:
    def __init__(self, target: Target, place: Place, watch: Watch) -> None:
        self._target = target
        self._place = place
        self._watch = watch

    def run(self, path: str) -> dict[str, Any] | None:
        target = self._target
        if target.state in "tT":
            raise cannot(target.pid, "it is stopped, by Ctrl-Z or another debugger; let it go on first (kill -CONT)")
        if not remote_exec.knows(target):
            raise cannot(target.pid, "its Python is older than 3.14")
        try:
            remote_exec.arm(target, path)
        except remote_exec.Unavailable as error:
            raise cannot(target.pid, error.args[0]) from None
        try:
            self._wait(lambda: self._place.begun, None)
        finally:
            if self._place.disarm():
                remote_exec.arm(target, remote_exec.NOTHING)
        return self._wait_for_word()

    def _wait_for_word(self) -> dict[str, Any] | None:
        """Wait for what the script says, or for the caller, who may hear it another way."""
        self._wait(lambda: self._place.said() is not None, None)
        said = self._place.said()
        if said is not None and "failed" in said:
            raise cannot(self._target.pid, f"the debugger could not be loaded there: {said['failed']}")
        return said

    def _wait(self, condition: Callable[[], bool], limit_s: float | None) -> bool:
        """Wait until `condition()`, the caller's word, or the time is up; DapError if the target is gone."""
        pause_s = FIRST_LOOK_S
        deadline = None if limit_s is None else time.monotonic() + limit_s
        while not self._watch.stopped:
            if condition():
                return True
            if deadline is not None and time.monotonic() > deadline:
                return False
            time.sleep(pause_s)
            pause_s = min(LONGEST_LOOK_S, pause_s * 1.5)
            if pause_s >= LONGEST_LOOK_S and not self._target.is_same():
                raise gone(self._target.pid)
        return condition()
