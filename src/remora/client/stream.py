"""Where the bytes go: a socket, or the standard input and output of a command.

A stream is read by one thread and written by one at a time; `close` may come from any thread and
makes a blocked `read` return b"".
"""

from __future__ import annotations

import collections
import contextlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

_CHUNK_BYTES = 1 << 16


class Stream(Protocol):
    """Bytes both ways."""

    def read(self) -> bytes:
        """Return what has come, b"" at the end."""

    def write(self, data: bytes) -> None:
        """Send all of `data`; OSError if the other side is gone."""

    def close(self) -> None:
        """End it. Idempotent."""

    def describe_end(self) -> str:
        """Say how the stream ended, for a person."""


class SocketStream:
    """A connected socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        with contextlib.suppress(OSError):  # a Unix socket has no such option
            # Without it each of two requests in a row waits for the other side's delayed ACK: 44 ms.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(None)

    @classmethod
    def dial(cls, host: str, port: int, *, timeout_s: float) -> SocketStream:
        """Connect, trying again until `timeout_s` while nobody listens yet. OSError."""
        deadline = time.monotonic() + timeout_s
        while True:
            left_s = max(deadline - time.monotonic(), 0.05)
            try:
                return cls(socket.create_connection((host, port), timeout=left_s))
            except ConnectionRefusedError:
                if time.monotonic() + 0.05 > deadline:
                    raise
            time.sleep(0.05)

    def read(self) -> bytes:
        try:
            return self._socket.recv(_CHUNK_BYTES)
        except OSError:
            return b""

    def write(self, data: bytes) -> None:
        self._socket.sendall(data)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def describe_end(self) -> str:
        return "the other side closed the connection"


class CommandStream:
    """A command we started, spoken to through its standard input and output.

    Its standard error is read by a thread and its end kept, to say why it died.

    An adapter may have other clients, of the children of a program: they dial a port of its own. One that has
    closed its output when we left, and goes on, is well and has its reasons: it is let go.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        grace_s: float = 5.0,
    ) -> None:
        """Start `argv`. On `close`, wait `grace_s` for it to end by itself; a deaf one is ended. OSError."""
        self._grace_s = grace_s
        self._name = argv[0] if argv else ""
        self._said_all = False  # it has closed its output
        self._errors: collections.deque[bytes] = collections.deque(maxlen=40)
        self.process = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            # Ctrl-C in the terminal is for us to handle: it must not reach the adapter.
            start_new_session=True,
        )
        assert self.process.stdin and self.process.stdout and self.process.stderr
        self._stdin, self._stdout, self._stderr = (
            self.process.stdin,
            self.process.stdout,
            self.process.stderr,
        )
        self._drain = threading.Thread(target=self._read_errors, name="remora-client-stderr", daemon=True)
        self._drain.start()

    def _read_errors(self) -> None:
        # Lines through the raw descriptor: the pipe is unbuffered, a reader on top buffers for us alone.
        with (
            contextlib.suppress(OSError, ValueError),
            self._stderr,
            open(self._stderr.fileno(), "rb", closefd=False) as file,
        ):
            for line in file:
                self._errors.append(line)

    def read(self) -> bytes:
        try:
            data = os.read(self._stdout.fileno(), _CHUNK_BYTES)
        except (OSError, ValueError):
            return b""
        if not data:
            self._said_all = True
            self._stdout.close()  # by its only reader, so that nobody reads a descriptor that is another's
        return data

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._stdin.fileno(), view) :]
        except ValueError as error:  # closed by another thread meanwhile
            raise BrokenPipeError(str(error)) from error

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._stdin.close()
        for end in (None, self.process.terminate, self.process.kill):
            if end is not None:
                end()
            try:
                self.process.wait(self._grace_s)
                break
            except subprocess.TimeoutExpired:
                if self._said_all:
                    # Somebody has to take its exit code, or it would stay as a zombie.
                    threading.Thread(target=self.process.wait, name="remora-client-wait", daemon=True).start()
                    return
        self._drain.join(1.0)

    def describe_end(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1.0)
        self._drain.join(1.0)
        code = self.process.returncode
        how = "closed its output" if code is None else f"ended with code {code}"
        errors = b"".join(self._errors).decode(errors="replace").strip()
        return f"{self._name} {how}" + (f"; its error output:\n{errors}" if errors else "")
