"""Run a program bare, under pdb, and under debugpy or remora with a client attached."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.figures import Contender
from benchmarks.wire import Message, Wire

PROGRAMS = Path(__file__).parent / "programs"
# debugpy needs a minute and a half for a thousand breakpoints.
PATIENCE_S = 240.0
MARKER = re.compile(r"# @(\w+)")
MODULE = {Contender.DEBUGPY: "debugpy", Contender.REMORA: "remora"}


def marker_lines(path: Path) -> dict[str, int]:
    return {
        found[1]: number
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if (found := MARKER.search(line))
    }


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    # debugpy warns about frozen modules on stderr of every program; that is not what is measured.
    return os.environ | {"PYDEVD_DISABLE_FILE_VALIDATION": "1"} | dict(extra or {})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def told(stdout: str) -> Any:
    """What the program reported with clock.tell()."""
    for line in stdout.splitlines():
        if line.startswith("@@"):
            return json.loads(line[2:])
    raise RuntimeError(f"the program reported nothing: {stdout[-500:]!r}")


def bare(program: Path, *args: str, env: Mapping[str, str] | None = None) -> Any:
    done = subprocess.run(
        [sys.executable, program, *args],
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    return told(done.stdout)


def pdb(program: Path, commands: Sequence[str], *, env: Mapping[str, str] | None = None) -> Any:
    """Run under pdb with these commands, then continue to the end and quit."""
    options = [part for command in commands for part in ("-c", command)]
    done = subprocess.run(
        [sys.executable, "-m", "pdb", *options, program],
        env=environment(env),
        input="quit\n",
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return told(done.stdout)


class Session:
    """A client of debugpy or remora; the same requests go to both."""

    def __init__(self, wire: Wire, process: subprocess.Popen[str] | None, program: Path) -> None:
        wire.keep_transcript = False
        self.wire = wire
        self.process = process
        self.program = program
        self.lines = marker_lines(program) if program.suffix == ".py" else {}
        self._start_seq = 0

    def begin(
        self, command: str, arguments: Mapping[str, object], features: Mapping[str, object] | None = None
    ) -> None:
        introduction = {"adapterID": "x", "pathFormat": "path", "supportsVariablePaging": True}
        self.wire.request("initialize", introduction | dict(features or {}))
        self._start_seq = self.wire.send(command, dict(arguments))
        self.wire.event("initialized")

    def break_at(self, *markers: str | Mapping[str, object], path: Path | None = None) -> list[Message]:
        breakpoints = []
        for marker in markers:
            wish = {"line": marker} if isinstance(marker, str) else dict(marker)
            if isinstance(wish["line"], str):
                wish["line"] = self.lines[wish["line"]]
            breakpoints.append(wish)
        answers: list[Message] = self.wire.request(
            "setBreakpoints",
            {"source": {"path": str(path or self.program)}, "breakpoints": breakpoints},
            timeout_s=PATIENCE_S,
        )["breakpoints"]
        return answers

    def filters(self, *names: str) -> None:
        self.wire.request("setExceptionBreakpoints", {"filters": list(names)})

    def go(self) -> None:
        self.wire.request("configurationDone")
        self.wire.result(self._start_seq)

    def stopped(self) -> Message:
        return self.wire.event("stopped", timeout_s=60)

    def resume(self, thread_id: int) -> None:
        self.wire.request("continue", {"threadId": thread_id})

    def finish(self) -> Any:
        """Return what the program told.

        Not at the end of its output: debugpy's adapter inherits stdout and stays until its client goes.
        """
        assert self.process is not None and self.process.stdout is not None
        return told(self.process.stdout.readline())


@contextlib.contextmanager
def session(
    contender: Contender,
    program: Path,
    *args: str,
    env: Mapping[str, str] | None = None,
    features: Mapping[str, object] | None = None,
) -> Iterator[Session]:
    """Start `program` under --listen --wait-for-client and attach, up to the `initialized` event.

    `features` is what the client announces beyond the usual.
    """
    port = free_port()
    process = listening(contender, port, program, *args, env=env)
    wire = None
    try:
        wire = Wire.connect("127.0.0.1", port)
        made = Session(wire, process, program)
        made.begin("attach", {"justMyCode": True}, features)
        yield made
    finally:
        if wire is not None:
            wire.close()
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def listening(
    contender: Contender,
    port: int,
    program: Path,
    *args: str,
    env: Mapping[str, str] | None = None,
    wait: bool = True,
) -> subprocess.Popen[str]:
    options = ["--wait-for-client"] if wait else []
    return subprocess.Popen(
        [sys.executable, "-m", MODULE[contender], "--listen", str(port), *options, program, *args],
        env=environment(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        text=True,
    )


@contextlib.contextmanager
def adapter(contender: Contender, program: Path) -> Iterator[Session]:
    """A stdio adapter, as editors start one, warm and initialised; nothing is launched yet."""
    module = ["debugpy.adapter"] if contender is Contender.DEBUGPY else ["remora", "adapter"]
    process = subprocess.Popen(
        [sys.executable, "-m", *module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(),
    )
    assert process.stdin is not None and process.stdout is not None
    wire = Wire(process.stdout.fileno(), process.stdin.fileno(), owner=process)
    try:
        yield Session(wire, None, program)
    finally:
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def timed(action: Any, *arguments: Any) -> float:
    began = time.perf_counter()
    action(*arguments)
    return time.perf_counter() - began
