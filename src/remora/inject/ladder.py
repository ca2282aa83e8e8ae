"""The ways into a running process, the gentlest first. The first that works ends the climb.

1. CPython 3.14 and later: `sys.remote_exec` (remote_exec.py). Nothing is stopped, not for a moment.
2. The same, and the system call that an idle event loop sits in is interrupted, which wakes it
   (`ptrace.nudge`).
3. One thread is stopped for 0.2 ms and made to start ours, or to queue it (ptrace.py; x86-64).
4. gdb does the same (debugger.py): slower, for other machines.
5. We wait, saying what for, and look again now and then whether a thread rests.

All of them run the same script, which works once: whichever comes first renames `armed`, the rest do
nothing. So a step can be taken while an earlier one may still work, and giving up means taking `armed`
away.
"""

from __future__ import annotations

import time

from remora.dap.errors import DapError
from remora.inject import native, remote_exec
from remora.inject.failures import cannot
from remora.inject.permissions import why_not_traced
from remora.inject.processes import Target, gone, state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from remora.inject.place import Place

# Between two looks at the folder: short at first, since a running program is there within 2 ms.
FIRST_LOOK_S = 0.0005
LONGEST_LOOK_S = 0.02
# A program that runs has run the script by then, on a busy machine too.
MOMENT_S = 0.2
# An event loop that was woken, a thread that was started: they need the interpreter once.
WOKEN_S = 0.1
# From the begin of the script until it has loaded the package: 50 ms, on a machine under load seconds.
LOAD_S = 60.0
# How often we look again whether a thread rests, and say that we still wait.
AGAIN_S = 1.0
# A thread that was started and does not come up waits for the interpreter, as every further one would.
MAX_STARTED = 3
REMIND_S = 10.0
# A script that was given up at the last moment may just be being opened; without its file Python would
# complain.
LATE_S = 0.05


class Watch:
    """What the caller hears while we try, and whether it still wants us to. Any thread."""

    def __init__(
        self, tell: Callable[[str], None] | None = None, *, ways: frozenset[str] | None = None
    ) -> None:
        """`ways`: names of the steps that may be taken (remote_exec, nudge, ptrace, gdb); None: all."""
        self.tell = tell or (lambda text: None)
        self.ways = ways
        self.stopped = False

    def may(self, way: str) -> bool:
        return self.ways is None or way in self.ways

    def stop(self) -> None:
        """The agent has arrived, or nobody wants it any more."""
        self.stopped = True


def bring(target: Target, place: Place, start: dict[str, Any], watch: Watch) -> dict[str, Any] | None:
    """Have the target run our script with `start`; return what the script said, None if `watch` was stopped.

    Blocks. DapError if it cannot be done; however it ends, the script will not begin after that.
    """
    climb = _Climb(target, place, watch)
    path = place.arm(start)
    try:
        climb.run(path)
    finally:
        climb.give_up()
    return climb.word()


class _Climb:
    def __init__(self, target: Target, place: Place, watch: Watch) -> None:
        self._target = target
        self._place = place
        self._watch = watch
        self._is_armed = False  # remote_exec has been called and its script may still come
        self._is_queued = False  # a pending call is on its way
        self._started = 0  # threads, and calls in its queue
        self._reasons: list[str] = []  # why the steps so far were none
        self._refusal: str | None = None  # the kernel's

    def run(self, path: str) -> None:
        """Climb until the script has begun, or the watch is stopped. DapError."""
        target = self._target
        if state(target.pid) in "tT":
            raise cannot(target.pid, "it is stopped, by Ctrl-Z or by a debugger; let it go on first "
                         f"(`fg`, or `kill -CONT {target.pid}`)")  # fmt: skip
        for step in (self._by_remote_exec, self._by_ptrace, self._by_debugger):
            step(path)
            if self._watch.stopped or self._place.begun:
                return
        if not self._is_armed and not self._is_queued:
            raise cannot(target.pid, self._why())
        from remora.inject import blocked

        self._watch.tell(f"waiting for process {target.pid} to let us in: {blocked.report(target)}")
        began = reminded = time.monotonic()
        while not self._wait(lambda: self._place.begun, AGAIN_S) and not self._watch.stopped:
            if self._started < MAX_STARTED:
                self._try_ptrace(path)
            now = time.monotonic()
            if now - reminded >= REMIND_S:
                reminded = now
                waits = blocked.main_thread(target)
                self._watch.tell(f"still waiting after {now - began:.0f} s: its main thread {waits}")

    def give_up(self) -> None:
        """Make sure that the script does nothing from now on, if it has not begun."""
        has_begun = not self._place.disarm()
        # A later step may have begun it: then the path that the first one left there is still to be taken
        # back, or Python opens it when the main thread wakes, and complains that the file is gone.
        if self._is_armed and (not has_begun or self._is_queued):
            try:
                remote_exec.arm(self._target, remote_exec.NOTHING)
            except (OSError, DapError, remote_exec.Unavailable):
                return  # it has ended, most likely
            time.sleep(LATE_S)

    def word(self) -> dict[str, Any] | None:
        """Wait for what the script says, or for the caller, who may hear it another way."""
        heard = self._wait(lambda: self._place.said() is not None, LOAD_S)
        said = self._place.said()
        if not heard and not self._watch.stopped:
            raise cannot(
                self._target.pid,
                f"the debugger has begun to load in it and has not come up within {LOAD_S:g} s: its threads "
                "leave ours no time, or wait for a lock of Python's imports",
            )
        if said is not None and "failed" in said:
            raise cannot(self._target.pid, f"the debugger could not be loaded there: {said['failed']}")
        return said

    # The steps. Each returns when the script has begun or another step should be taken.

    def _by_remote_exec(self, path: str) -> None:
        target = self._target
        if not remote_exec.knows(target) or not self._watch.may("remote_exec"):
            return
        try:
            remote_exec.arm(target, path)
            self._is_armed = True
        except PermissionError:
            self._refusal = why_not_traced(target.pid, target.uid)
            return
        except remote_exec.Unavailable as error:
            self._reasons.append(str(error))
            return
        if not native.may_rest(target.pid, target.pid):
            self._wait(lambda: self._place.begun, MOMENT_S)
            return
        from remora.inject import blocked, ptrace

        if blocked.may_wake(target) and ptrace.works_here() and self._watch.may("nudge"):
            try:
                ptrace.nudge(target.pid)
            except (OSError, native.Unavailable, TimeoutError):
                return  # the next step says why
            self._wait(lambda: self._place.begun, WOKEN_S)

    def _by_ptrace(self, path: str) -> None:
        if self._try_ptrace(path):
            self._wait(lambda: self._place.begun, MOMENT_S)

    def _try_ptrace(self, path: str) -> bool:
        """Let a resting thread start ours; the first time, have it queued if none rests."""
        from remora.inject import ptrace

        if not ptrace.works_here() or not self._watch.may("ptrace"):
            return False
        target = self._target
        try:
            way = ptrace.enter(target, path, queue=not self._is_armed and not self._is_queued)
        except PermissionError:
            self._refusal = self._refusal or why_not_traced(target.pid, target.uid)
            return False
        except ProcessLookupError:
            raise gone(target.pid) from None
        except (native.Unavailable, OSError) as error:
            self._reasons.append(str(error))
            return False
        self._is_queued = self._is_queued or way is not None
        self._started += way is not None
        return way is not None

    def _by_debugger(self, path: str) -> None:
        if self._is_armed or self._is_queued or self._refusal:
            return
        from remora.inject import debugger

        for name in debugger.NAMES:
            if not self._watch.may(name):
                continue
            try:
                debugger.enter(name, self._target, path)
            except PermissionError:
                self._refusal = why_not_traced(self._target.pid, self._target.uid)
                return
            except native.Unavailable as error:
                self._reasons.append(str(error))
                continue
            self._is_queued = True
            self._wait(lambda: self._place.begun, MOMENT_S)
            return

    def _why(self) -> str:
        if self._target.is_same() and self._refusal:
            return self._refusal
        if not self._target.is_same():
            raise gone(self._target.pid)
        return "; ".join(dict.fromkeys(self._reasons)) or "there is no way into it on this machine"

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
