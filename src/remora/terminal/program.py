"""The program as a child of this terminal: started for the adapter's `runInTerminal`, fed with what is typed.

Its output goes straight to this terminal. Its input is a pseudo-terminal of its own: Ctrl-C is for
the debugger (it pauses), so the program must not be in the terminal's foreground, and a background
process may not read from a terminal. While the program runs, lines typed here are passed on to it,
Ctrl-D as the end of its input; at the debugger's prompt they are commands. Without a terminal (a pipe,
a script) the program reads from a file that was named, or nothing.

What this cannot do: programs that draw on the terminal (curses) or switch its echo off (getpass). They
are better started by `remora --listen` in one terminal and attached to from another.

Threads: one that passes on what is typed. `_state` guards whether it may read.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
from typing import IO, Any


class Program:
    """The debuggee's process."""

    def __init__(self, arguments: dict[str, Any], *, stdin: str | None = None) -> None:
        """Start what a `runInTerminal` request asks for; `stdin` names a file to read. OSError."""
        env = dict(os.environ)
        for name, value in (arguments.get("env") or {}).items():
            if value is None:
                env.pop(name, None)
            else:
                env[name] = value
        self.typed: TypedInput | None = None
        #: it was let go: its end is none of our business
        self.is_free = False
        source: int | IO[bytes] = subprocess.DEVNULL
        slave = -1
        if stdin is not None:
            source = open(stdin, "rb")  # noqa: SIM115  closed below, when the child has it
        elif can_share_terminal():
            self.typed, slave = TypedInput.open()
            source = slave
        try:
            self.process = subprocess.Popen(
                arguments["args"],
                cwd=arguments.get("cwd") or None,
                env=env,
                stdin=source,
                start_new_session=True,
            )
        except OSError:
            if self.typed is not None:
                self.typed.close()
            raise
        finally:
            if slave >= 0:
                os.close(slave)
            if not isinstance(source, int):
                source.close()

    def wait(self, timeout_s: float) -> int | None:
        """Return the exit code (128 + number for a signal, as shells have it); None if it runs on."""
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None
        return code if code >= 0 else 128 - code

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def end_gently(self, timeout_s: float) -> None:
        """Ask it to end, as `kill` does, and wait a while."""
        if not self.is_free and self.process.poll() is None:
            self.process.terminate()
            self.wait(timeout_s)

    def end_child(self, pid: int) -> None:
        """Ask one of the processes it has started to end, if that is still in its session."""
        if hasattr(os, "getsid"):
            with contextlib.suppress(OSError):
                if os.getsid(pid) == self.process.pid:
                    os.kill(pid, signal.SIGTERM)

    def let_go(self) -> None:
        """Leave it alone: it runs on, but reads nothing more from here."""
        self.is_free = True
        if self.typed is not None:
            self.typed.close()

    def close(self, *, grace_s: float) -> None:
        """End it, gently first; its children that are still in its session too."""
        if not self.is_free and self.wait(grace_s) is None:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.process.pid, number)
                if self.wait(2.0) is not None:
                    break
        if self.typed is not None:
            self.typed.close()


def can_share_terminal() -> bool:
    """Tell whether what is typed here can be passed on."""
    try:
        import pty  # noqa: F401
        import termios  # noqa: F401
    except ImportError:
        return False
    return sys.stdin is not None and sys.stdin.isatty()


class TypedInput:
    """Passes lines typed at our terminal on to a pseudo-terminal, while it is allowed to."""

    def __init__(self, master: int) -> None:
        self._master = master
        self._wake_in, self._wake_out = os.pipe()
        self._state = threading.Condition()
        self._wanted = False
        self._reading = False
        self._closed = False
        self._thread = threading.Thread(target=self._pass_on, name="remora-typed-input", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls) -> tuple[TypedInput, int]:
        """Return it, and the descriptor that becomes the program's standard input."""
        import pty
        import termios

        master, slave = pty.openpty()
        mode = termios.tcgetattr(slave)
        mode[3] &= ~termios.ECHO  # our own terminal has shown it already
        termios.tcsetattr(slave, termios.TCSANOW, mode)
        os.set_inheritable(slave, True)
        return cls(master), slave

    def allow(self, wanted: bool) -> None:
        """Begin or stop passing on; when it returns from stopping, nothing is read any more."""
        with self._state:
            if self._closed:
                return
            self._wanted = wanted
            self._state.notify_all()
            if not wanted and self._reading:
                os.write(self._wake_out, b".")
                self._state.wait_for(lambda: not self._reading, 5.0)

    def close(self) -> None:
        """Stop for good."""
        self.allow(False)
        with self._state:
            if self._closed:
                return
            self._closed = True
            self._state.notify_all()
        self._thread.join(5.0)
        for descriptor in (self._master, self._wake_in, self._wake_out):
            os.close(descriptor)

    def _pass_on(self) -> None:
        while True:
            with self._state:
                self._reading = False
                self._state.notify_all()
                self._state.wait_for(lambda: self._wanted or self._closed)
                if self._closed:
                    return
                self._reading = True
            try:
                ready, _, _ = select.select([0, self._wake_in], [], [])
                if self._wake_in in ready:
                    os.read(self._wake_in, 100)
                elif data := os.read(0, 4096):
                    os.write(self._master, data)
                else:
                    os.write(self._master, b"\x04")  # end of input, as a terminal says it
            except OSError:
                # The terminal or the program is gone: nothing left to pass on.
                with self._state:
                    self._wanted = False
