"""A real server or runner under `remora --listen`, a client that follows its processes, requests to it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from remora.client import Client, DebugSession, Family

PATIENCE_S = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """A command whose first process listens for debuggers; `text` is all it has written so far."""

    def __init__(
        self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None, wait: bool = False
    ) -> None:
        self._output = tempfile.TemporaryFile("w+b")  # noqa: SIM115  closed by `end`
        options = ["--wait-for-client"] if wait else []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "remora", "--listen", "0", *options, *command],
            cwd=cwd,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            self.debug_port = int(self.expect(r"remora: listening on 127\.0\.0\.1:(\d+)")[1])
        except BaseException:
            self.end()
            raise

    @property
    def text(self) -> str:
        return os.pread(self._output.fileno(), 1 << 20, 0).decode(errors="replace")

    def expect(self, pattern: str, *, count: int = 1) -> re.Match[str]:
        """Wait until the output holds the pattern so many times; return the last match."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            found = list(re.finditer(pattern, self.text))
            if len(found) >= count:
                return found[count - 1]
            assert self.process.poll() is None, f"it has ended ({self.process.returncode}):\n{self.text}"
            assert time.monotonic() < deadline, f"no {pattern!r} in:\n{self.text}"
            time.sleep(0.02)

    def end(self, number: int = signal.SIGTERM) -> int:
        """End it as an operator would; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it does not end:\n{self.text}") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self._output.close()
        return code


class Debugger:
    """A client attached to the root and to everything it starts."""

    def __init__(self, server: Server, breakpoints: Mapping[Path, Sequence[int]]) -> None:
        self.family = Family()
        self._server = server
        client = Client.connect("127.0.0.1", server.debug_port)
        self.root = DebugSession(client, family=self.family)
        self._taken: dict[int, int] = {}
        self.root.attach(breakpoints=breakpoints)

    def close(self) -> None:
        self.root.close()

    @property
    def children(self) -> list[DebugSession]:
        """Those that have not ended."""
        return [
            each
            for each in self.family.sessions
            if each.parent is not None and not each.client.seen("terminated")
        ]

    def wait_children(self, count: int) -> list[DebugSession]:
        """Wait until so many members besides the root are attached to and configured."""
        deadline = time.monotonic() + PATIENCE_S
        while len(found := [each for each in self.children if each.is_configured]) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} children; {self._story()}"
            time.sleep(0.02)
        return found

    def stopped(self) -> DebugSession:
        """Wait for the next stop in any of the processes; return the session, with its thread current."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            for session in self.family.sessions:
                if len(session.client.seen("stopped")) > self._taken.get(id(session), 0):
                    self._taken[id(session)] = self._taken.get(id(session), 0) + 1
                    session.stopped()
                    return session
            assert time.monotonic() < deadline, f"nothing has stopped; {self._story()}"
            time.sleep(0.01)

    def _story(self) -> str:
        lines = [*self.family.failures]
        for each in self.family.sessions:
            events = [str(message.get("event")) for message in each.client.events][-8:]
            lines.append(f"process {each.process_id}, configured: {each.is_configured}, events: {events}")
        return "\n".join([*lines, self._server.text])


class Fetched:
    """A GET request on a thread of its own: it is answered only when the program goes on."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._answer: str | BaseException = "nothing"
        self._thread = threading.Thread(target=self._fetch, daemon=True)
        self._thread.start()

    def _fetch(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                with urllib.request.urlopen(self._url, timeout=PATIENCE_S) as answer:
                    self._answer = answer.read().decode()
                return
            except urllib.error.HTTPError as error:
                self._answer = error
                return
            except OSError as error:
                # Not up yet, or just being started again.
                self._answer = error
                if time.monotonic() > deadline:
                    return
                time.sleep(0.05)

    def result(self) -> str:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "no answer"
        if isinstance(self._answer, BaseException):
            raise self._answer
        return self._answer


@contextlib.contextmanager
def debugged(
    command: Sequence[str],
    *,
    cwd: Path,
    breakpoints: Mapping[Path, Sequence[int]],
    env: Mapping[str, str] | None = None,
    wait: bool = True,
) -> Iterator[tuple[Server, Debugger]]:
    """Run a command with a client from the first line on, and end both."""
    server = Server(command, cwd=cwd, env=env, wait=wait)
    try:
        debugger = Debugger(server, breakpoints)
        try:
            yield server, debugger
        finally:
            debugger.close()
    finally:
        server.end(signal.SIGKILL)


def line_of(path: Path, marker: str) -> int:
    return next(n for n, text in enumerate(path.read_text().splitlines(), 1) if f"@{marker}" in text)
