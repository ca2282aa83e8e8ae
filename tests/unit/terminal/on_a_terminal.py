"""Run a command on a pseudo-terminal, as a person would: type, read, wait for what is expected."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence

ANSI = re.compile(r"\x1b(\[[0-9;?>=]*[A-Za-z]|[=>()][A-Z0-9]?|\][^\x07]*\x07)")


class Terminal:
    """A command in the foreground of a terminal of its own; Ctrl-C typed there is a signal to it."""

    def __init__(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: str | None = None
    ) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
        self.raw = ""
        self._seen = 0
        self.process = subprocess.Popen(
            argv,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=cwd,
            env={**os.environ, "TERM": "xterm", **(env or {})},
            start_new_session=True,
            # The slave becomes the controlling terminal, so that Ctrl-C and job control are real.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
        )
        os.close(slave)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(10)
        os.close(self._master)

    @property
    def text(self) -> str:
        return ANSI.sub("", self.raw).replace("\r", "")

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def expect(self, wanted: str, timeout_s: float = 20.0) -> str:
        """Wait until `wanted` appears behind what was expected before; return what came up to it."""
        deadline = time.monotonic() + timeout_s
        while (at := self.text.find(wanted, self._seen)) < 0:
            assert self._read(deadline), (
                f"no {wanted!r} after:\n{self.text[: self._seen]}\n---- but:\n{self.text[self._seen :]}"
            )
        came = self.text[self._seen : at]
        self._seen = at + len(wanted)
        return came

    def ends(self, timeout_s: float = 20.0) -> int:
        """Wait for the end; return the exit code."""
        deadline = time.monotonic() + timeout_s
        while self._read(deadline):
            pass
        return self.process.wait(max(deadline - time.monotonic(), 0.1))

    def _read(self, deadline: float) -> bool:
        """Read what is there; False at the end or when time is up. Answers where the cursor is asked for."""
        left_s = deadline - time.monotonic()
        if left_s <= 0 or not select.select([self._master], [], [], left_s)[0]:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError as error:
            if error.errno == errno.EIO:  # the last one on the other side is gone
                return False
            raise
        if b"\x1b[6n" in data:
            os.write(self._master, b"\x1b[1;1R")
        self.raw += data.decode(errors="replace")
        return bool(data)
