"""The process of a session, as the kernel knows it: whether it lives, what it runs, how it has ended.

Nothing polls: a pidfd, held from the first moment on so that the id cannot become somebody else's, tells of
the death once. The exit code of a process that is not our child is in /proc as long as nobody has waited for
it; after that, from Linux 6.15 on, the pidfd still knows it. Between these two nothing is missed; an older
kernel may have forgotten it when its parent was faster.

Codes are those of `os.waitstatus_to_exitcode`: a death by signal n is -n; `shown` makes of them what shells
say.
Source: pidfd_open(2), proc(5) (`stat`), Linux include/uapi/linux/pidfd.h.
"""

from __future__ import annotations

import os
import signal
import struct

from remora.hub.loop import asyncio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# _IOWR(0xFF, 11, struct pidfd_info) in its first form: mask, cgroup, eleven numbers, the exit code.
_GET_INFO = 3 << 30 | 64 << 16 | 0xFF << 8 | 11
_INFO = struct.Struct("=QQ11Ii")
_INFO_EXIT = 1 << 3
# Of /proc/PID/stat, counted from behind the name: where code, stack, arguments and environment lie. Another
# program has others.
_STATE, _EXIT_CODE = 0, 49
_PLACES = (23, 24, 25, 45, 46, 47, 48)

# A death by these is somebody's wish, and says nothing about the program.
_WISHED = frozenset((signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE))


class Life:
    """One process. On the loop's thread."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._fd = -1
        self._is_gone = False
        self._then: Callable[[int | None], None] | None = None
        try:
            self._fd = os.pidfd_open(pid)
        except ProcessLookupError:
            self._is_gone = True
        except (AttributeError, OSError):
            pass  # no pidfd here: nobody tells
        self._image = _image(pid)

    @property
    def is_known(self) -> bool:
        """Whether its death will be told."""
        return self._is_gone or self._fd >= 0

    @property
    def runs_another_program(self) -> bool:
        """Whether it has put another program in its place (exec). True if that cannot be told."""
        now = _image(self.pid)
        return now is None or now != self._image

    def look_again(self) -> None:
        """Take what it runs now for its program."""
        self._image = _image(self.pid)

    def when_dead(self, then: Callable[[int | None], None]) -> None:
        """Call `then` once, with the exit code if it is known, unless `forget` comes first."""
        loop = asyncio.get_running_loop()
        self._then = then
        if self._fd >= 0:
            loop.add_reader(self._fd, self._dead)
        elif self._is_gone:
            loop.call_soon(self._dead)

    def forget(self) -> None:
        """Tell nobody."""
        if self._then is not None and self._fd >= 0:
            asyncio.get_running_loop().remove_reader(self._fd)
        self._then = None

    def close(self) -> None:
        self.forget()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _dead(self) -> None:
        then = self._then
        self.forget()
        if then is not None:
            then(exit_code(self.pid, self._fd) if self._fd >= 0 else None)


def exit_code(pid: int, pidfd: int) -> int | None:
    """Return the exit code of a process that is dead, None if nobody knows it any more."""
    for _ in range(2):  # somebody may wait for it between the two
        for status in (_status_of_pidfd(pidfd), _status_of_zombie(pid, pidfd)):
            if status is not None:
                return os.waitstatus_to_exitcode(status)
    return None


def shown(code: int) -> int:
    """Return the code as shells say it: 128 + n for signal n."""
    return code if code >= 0 else 128 - code


def described(code: int) -> str:
    """Say how the process has ended: "it …"."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = f" ({signal.Signals(-code).name})"
    except ValueError:
        name = ""
    return f"was ended by signal {-code}{name}"


def is_ordinary(code: int) -> bool:
    """Say whether nobody need be told more than the code."""
    return code >= 0 or -code in _WISHED


def _status_of_pidfd(pidfd: int) -> int | None:
    import fcntl

    try:
        answer = fcntl.ioctl(pidfd, _GET_INFO, _INFO.pack(_INFO_EXIT, *(0,) * 13))
    except OSError:
        return None  # an older kernel
    mask, *_, status = _INFO.unpack(answer)
    return status if mask & _INFO_EXIT else None


def _status_of_zombie(pid: int, pidfd: int) -> int | None:
    words = _stat(pid)
    try:
        if words is None or words[_STATE] != "Z" or not _may_look(pid):
            return None
        with open(f"/proc/self/fdinfo/{pidfd}", encoding="ascii") as lines:
            if not any(line.split() == ["Pid:", str(pid)] for line in lines):
                return None  # it is another one's by now
        return int(words[_EXIT_CODE])
    except (OSError, ValueError, IndexError):
        return None


def _may_look(pid: int) -> bool:
    """Say whether the kernel tells us the code. To others it says 0."""
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as lines:
        users = next(line.split()[1:4] for line in lines if line.startswith("Uid:"))
    return os.geteuid() == 0 or set(users) == {str(os.geteuid())}


def _image(pid: int) -> list[str] | None:
    words = _stat(pid)
    if words is None or len(words) <= _PLACES[-1] or words[_PLACES[0]] in ("0", "1"):
        return None  # dead; or somebody else's, of which we are told nothing
    return [words[place] for place in _PLACES]


def _stat(pid: int) -> list[str] | None:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None
