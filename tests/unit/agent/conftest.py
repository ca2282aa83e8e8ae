"""Debuggees that serve one client in process, driven over the bare wire."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from unit.agent.raw import RawClient

PREFACE = """\
import remora, sys
_address = remora.listen(0, in_process=True{options})
print("PORT", _address[1], flush=True)
"""
WAITS = "assert remora.wait_for_client(30)\n"


class Debuggee:
    """A running program and its first client."""

    def __init__(self, path: Path, *, env: dict[str, str] | None = None) -> None:
        self.path = path
        self.lines = {
            line.rpartition("# @")[2].strip(): number
            for number, line in enumerate(path.read_text().splitlines(), 1)
            if "# @" in line
        }
        self.process = subprocess.Popen(
            [sys.executable, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
        )
        assert self.process.stdout is not None
        first = self.process.stdout.readline()
        assert first.startswith("PORT"), (first, self.process.stderr and self.process.stderr.read())
        self.address = ("127.0.0.1", int(first.split()[1]))
        self.client = self.connect()

    def connect(self) -> RawClient:
        return RawClient(self.address)

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def read_line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def break_at(self, *names: str, **more: object) -> list[dict[str, object]]:
        wishes = [{"line": self.lines[name], **more} for name in names]
        body = self.client.request(
            "setBreakpoints", {"source": {"path": str(self.path)}, "breakpoints": wishes}
        )
        found: list[dict[str, object]] = body["breakpoints"]
        return found

    def start(self, *names: str, **arguments: object) -> None:
        """Attach, set breakpoints at the marked lines, and let the program go."""
        seq = self.client.attach(**arguments)
        self.break_at(*names)
        self.client.configured(seq)

    def frame(self) -> int:
        """Return the id of the innermost frame of the main thread."""
        frames = self.client.request("stackTrace", {"threadId": 1, "levels": 1})["stackFrames"]
        number: int = frames[0]["id"]
        return number

    def evaluate(self, expression: str, **more: object) -> str:
        body = self.client.request("evaluate", {"expression": expression, "frameId": self.frame(), **more})
        result: str = body["result"]
        return result

    def go(self) -> None:
        self.client.request("continue", {"threadId": 1})

    def end(self) -> tuple[int, str, str]:
        """Wait for the end; return exit code, stdout and stderr."""
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out, err

    def close(self) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.fixture
def debug(tmp_path: Path) -> Iterator[Callable[..., Debuggee]]:
    made: list[Debuggee] = []

    def start(text: str, *, waits: bool = True, options: str = "", name: str = "prog.py") -> Debuggee:
        path = tmp_path / name
        path.write_text(PREFACE.format(options=options) + (WAITS if waits else "") + textwrap.dedent(text))
        made.append(Debuggee(path))
        return made[-1]

    yield start
    for one in made:
        one.close()
