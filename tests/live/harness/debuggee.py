"""A process under test: its output is collected as it comes, its end is awaited with a limit."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from processes import carrying, current_token, describe

LIMIT_S = 20.0


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a program: SIGABRT makes it print the stacks of its threads."""
    return os.environ | {"PYTHONFAULTHANDLER": "1", "PYTHONDONTWRITEBYTECODE": "1"} | dict(extra or {})


class Debuggee:
    """A child process with its stdout and stderr read by two threads of ours."""

    def __init__(
        self,
        argv: Sequence[str | Path],
        *,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        stdio_is_dap: bool = False,
        stdin: int = subprocess.DEVNULL,
        is_server: bool = False,
    ) -> None:
        self.process = subprocess.Popen(
            [str(part) for part in argv],
            cwd=cwd,
            env=environment(env),
            stdin=subprocess.PIPE if stdio_is_dap else stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.is_server = is_server
        self._texts: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        self._changed = threading.Condition()
        names = ("stderr",) if stdio_is_dap else ("stdout", "stderr")
        self._readers = [threading.Thread(target=self._read, args=(name,), daemon=True) for name in names]
        for reader in self._readers:
            reader.start()

    def _read(self, name: str) -> None:
        stream = getattr(self.process, name)
        while data := os.read(stream.fileno(), 1 << 16):
            with self._changed:
                self._texts[name] += data
                self._changed.notify_all()
        stream.close()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def stdout(self) -> str:
        return self._texts["stdout"].decode(errors="replace")

    @property
    def stderr(self) -> str:
        return self._texts["stderr"].decode(errors="replace")

    def wait_for_output(self, text: str, *, stream: str = "stdout", limit_s: float = LIMIT_S) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: text.encode() in self._texts[stream], limit_s):
                raise TimeoutError(f"{text!r} not on {stream} within {limit_s:g} s: {self._texts!r}")

    def exit_code(self, limit_s: float = LIMIT_S) -> int:
        """Wait for the end, and for the last byte of output."""
        code = self.process.wait(limit_s)
        for reader in self._readers:
            reader.join(limit_s)
        return code

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        if self.running:
            self.process.kill()
        self.process.wait(LIMIT_S)


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    limit_s: float = LIMIT_S,
    input_text: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [str(part) for part in argv],
        cwd=cwd,
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=limit_s,
        input=input_text if input_text is not None else "",
        check=False,
    )


def remora(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "remora", *map(str, arguments)]


def all_stacks(debuggees: Sequence[Debuggee]) -> str:
    """Abort every process of this test and return what they print about their threads."""
    parts = []
    for pid in carrying(current_token()):
        parts.append(describe(pid))
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGABRT)
    for debuggee in debuggees:
        with contextlib.suppress(subprocess.TimeoutExpired):
            debuggee.exit_code(3.0)
        debuggee.kill()
        parts += [f"--- pid {debuggee.pid} stdout", debuggee.stdout[-4000:]]
        parts += [f"--- pid {debuggee.pid} stderr", debuggee.stderr[-8000:]]
    return "\n".join(parts)


def until(condition: Callable[[], object], what: str, limit_s: float = LIMIT_S) -> None:
    """Wait until `condition()` is true; for what only the operating system knows."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {limit_s:g} s: {what}")
        time.sleep(0.01)
