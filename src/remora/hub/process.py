"""A program this hub started: its pipes, its end, its exit code.

It gets a session of its own, so that it never touches the hub's terminal and can be killed with everything it
started. Its death is noticed through a pidfd: nothing polls.

Ending it gently means the signal it listens to: SIGTERM if it handles that (servers do), else SIGINT (Python
turns it into KeyboardInterrupt, so `finally` blocks and exit handlers run), else SIGTERM. Whatever is left of
its process group after that, or after the time allowed, is killed.

What it has started may live longer, and writes to the same pipes: these are read to their end, so that
nobody who writes is killed by it or stands still. A hub that ends before leaves that to a process that does
nothing else (`leave_reading`).

Exit codes are the kernel's; a death by signal n is -n (`life.shown` makes of it what shells say).
Source: pidfd_open(2), proc(5) `SigCgt`.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import signal
import subprocess

from remora.hub import life
from remora.hub.loop import asyncio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import IO

READ_BYTES = 65536
# What the program itself wrote is there when it has died. What it started may be about to end as well, or
# hold the pipes for ever.
AFTERGLOW_S = 0.25

# Pipes whose program has ended, and that are still open at the other end.
_open_afterwards: set[_Pipe] = set()

type Output = Callable[[str, str], None]


class Watched:
    """A process known by its id: tells when it has died and can end it. Not necessarily our child."""

    def __init__(self, pid: int, on_exit: Callable[[int | None], None]) -> None:
        self.pid = pid
        self.exited = False
        self._inner_pid = pid  # the program, where `pid` is what runs it: sudo, a shell, a tracer
        self._on_exit = on_exit
        self._loop = asyncio.get_running_loop()
        self._ending = False
        self._spares: Callable[[], bool] | None = None
        self._kill_timer: asyncio.TimerHandle | None = None
        self._pidfd = -1
        self._watch()

    def drain(self) -> None:
        """Deliver now what the program has already written."""

    def hold_output(self, *, yes: bool) -> None:
        """Stop reading what the program writes, or read on."""

    def is_behind(self, pid: int) -> None:
        """Learn that the program itself is `pid`: whoever started it need not pass on what it is asked."""
        if pid != self.pid and _descends(pid, self.pid):
            self._inner_pid = pid

    def end(self, *, gently_s: float, spares: Callable[[], bool] | None = None, asks: bool = True) -> None:
        """End it: ask first if `gently_s` > 0 (unless somebody else `asks` it), kill after that time.

        What it has started is killed with it, unless `spares` says then that it is to live.
        """
        if self.exited:
            return
        self._spares = spares
        if gently_s > 0 and asks and not self._ending:
            self._send(self._inner_pid, _gentle_signal(self._inner_pid))
        self._ending = True
        if self._kill_timer is not None:
            if self._kill_timer.when() <= self._loop.time() + gently_s:
                return  # who was in a hurry before still is
            self._kill_timer.cancel()
        self._kill_timer = self._loop.call_later(gently_s, self._kill)

    def _kill(self) -> None:
        self._kill_timer = None
        if not self.exited:
            self._kill_group()
            if self._inner_pid != self.pid and _descends(self._inner_pid, self.pid):
                self._send(self._inner_pid, signal.SIGKILL)
            self._send(self.pid, signal.SIGKILL)

    def _send(self, pid: int, number: int) -> None:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass  # it has died meanwhile
        except PermissionError:
            # It was started with sudo, which may let us in once more; where it asks for a password, nothing
            # can be done from here.
            with contextlib.suppress(OSError):
                subprocess.Popen(
                    ["sudo", "-n", "--", "/bin/sh", "-c", f"kill -{int(number)} {pid}"],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )

    def _kill_group(self) -> None:
        """Kill what it started, if it leads a group (never the group of the shell it was started from)."""
        if self._spares is not None and self._spares():
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getpgid(self.pid) == self.pid:
                os.killpg(self.pid, signal.SIGKILL)

    def _watch(self) -> None:
        try:
            self._pidfd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            # Dead already, and somebody else's child: nothing else would tell. Not from inside __init__.
            self._loop.call_soon(self._died)
            return
        except (AttributeError, OSError):
            # No pidfd here (not Linux): a thread waits.
            import threading

            threading.Thread(target=self._wait_in_thread, daemon=True).start()
            return
        self._loop.add_reader(self._pidfd, self._died)

    def _wait_in_thread(self) -> None:
        try:
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:
            return  # not ours: its connection will tell
        self._loop.call_soon_threadsafe(self._died)

    def _died(self) -> None:
        code = self._reap()
        if self._pidfd >= 0:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1
        if self._kill_timer is not None:
            self._kill_timer.cancel()
            self._kill_timer = None
        self.exited = True
        self._finish(code)

    def _reap(self) -> int | None:
        return life.exit_code(self.pid, self._pidfd) if self._pidfd >= 0 else None

    def _finish(self, code: int | None) -> None:
        self._on_exit(code)


class Process(Watched):
    """Our child, with pipes for what it writes."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cwd: str | None,
        env: Mapping[str, str],
        pass_fds: Sequence[int],
        on_output: Output,
        on_exit: Callable[[int | None], None],
    ) -> None:
        """Start it. OSError if that fails."""
        self._popen = subprocess.Popen(
            argv,
            cwd=cwd,
            env=env,
            pass_fds=pass_fds,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        assert self._popen.stdout is not None and self._popen.stderr is not None
        self._pipes = [
            _Pipe(self._popen.stdout, "stdout", on_output),
            _Pipe(self._popen.stderr, "stderr", on_output),
        ]
        super().__init__(self._popen.pid, on_exit)
        for pipe in self._pipes:
            pipe.open(self._loop)

    def drain(self) -> None:
        for pipe in self._pipes:
            pipe.read()

    def hold_output(self, *, yes: bool) -> None:
        for pipe in self._pipes:
            pipe.hold(yes=yes)

    def _reap(self) -> int | None:
        if self._ending:
            # Before the wait: until then the id, and so the group, cannot be someone else's.
            self._kill_group()
        _, status = os.waitpid(self.pid, 0)
        code = self._popen.returncode = os.waitstatus_to_exitcode(status)
        return code

    def _finish(self, code: int | None) -> None:
        self.hold_output(yes=False)
        self.drain()
        if all(pipe.at_end for pipe in self._pipes):
            self._closed(code)
        else:
            self._loop.call_later(AFTERGLOW_S, self._closed, code)

    def _closed(self, code: int | None) -> None:
        self.drain()
        for pipe in self._pipes:
            pipe.outlive()
        self._on_exit(code)


class _Pipe:
    """One stream of text the program writes."""

    def __init__(self, stream: IO[bytes], category: str, on_output: Output) -> None:
        self.at_end = False
        self._stream = stream
        self._fd = stream.fileno()
        self._category = category
        self._on_output = on_output
        # Half a character at the end of one read belongs to the next.
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._held = False

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        os.set_blocking(self._fd, False)
        loop.add_reader(self._fd, self._read_once)

    def hold(self, *, yes: bool) -> None:
        if self.at_end or self._held == yes or self._loop is None:
            return
        self._held = yes
        if yes:
            self._loop.remove_reader(self._fd)
        else:
            self._loop.add_reader(self._fd, self._read_once)

    def read(self) -> None:
        """Take all there is now."""
        # A program that writes faster than we read must not keep us here: 16 reads are a full pipe.
        for _ in range(16):
            if self._held or not self._read_once():
                return

    def outlive(self) -> None:
        """Read on to the end, for whoever else holds the other end; nobody is held back any more."""
        if not self.at_end:
            self.hold(yes=False)
            _open_afterwards.add(self)

    def leave(self) -> int:
        """Stop reading, and return the descriptor, which is the caller's now."""
        fd = os.dup(self._fd)
        self._stop()
        os.set_blocking(fd, True)
        return fd

    def _read_once(self) -> bool:
        if self.at_end:
            return False
        try:
            data = os.read(self._fd, READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        text = self._decoder.decode(data, not data)
        if text:
            self._on_output(self._category, text)
        if not data:
            self._stop()
        return bool(data)

    def _stop(self) -> None:
        self.at_end = True
        if self._loop is not None and not self._held:
            self._loop.remove_reader(self._fd)
        self._stream.close()
        _open_afterwards.discard(self)


def leave_reading() -> None:
    """Let somebody else read the pipes that are still open at the other end: the hub ends."""
    for pipe in tuple(_open_afterwards):
        fd = pipe.leave()
        try:
            # In a session of its own, so that it does not end with our terminal; it ends with the pipe.
            subprocess.Popen(
                ["cat"],
                stdin=fd,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError:
            pass  # no `cat`: whoever writes hears of a broken pipe, as it would without us
        finally:
            os.close(fd)


def _descends(pid: int, ancestor: int) -> bool:
    """Say whether `pid`, as we count, is a child of `ancestor` or a child's child; and not a namesake."""
    while pid > 1 and pid != ancestor:
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                pid = int(file.read().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            return False
    return pid == ancestor


def _gentle_signal(pid: int) -> int:
    """Return the signal the process listens to."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as lines:
            caught = next((int(line.split()[1], 16) for line in lines if line.startswith("SigCgt:")), 0)
    except OSError:
        return signal.SIGTERM
    for number in (signal.SIGTERM, signal.SIGINT):
        if caught >> (number - 1) & 1:
            return number
    return signal.SIGTERM
