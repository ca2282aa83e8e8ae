"""A session as a user sees it: six ways to start one, then break, look, step and go on.

Stands on benchmarks/wire.py, not on remora's own client, so that a mistake in the protocol cannot cancel out.
Every message from remora is checked against the specification's tables.
"""

from __future__ import annotations

import contextlib
import enum
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.wire import Closed, Message, Wire
from remora.dap.check import check_message

from .debuggee import LIMIT_S, Debuggee, all_stacks, remora
from .programs import Program

INITIALIZE = {
    "clientID": "remora-tests",
    "adapterID": "remora",
    "pathFormat": "path",
    "linesStartAt1": True,
    "columnsStartAt1": True,
    "supportsVariableType": True,
    "supportsVariablePaging": True,
    "locale": "en",
}


class Way(enum.Enum):
    """How the program and the session come together."""

    LAUNCH = "launch"
    LISTEN_CLI = "listen CLI"
    LISTEN_API = "listen API"
    CONNECT_CLI = "connect CLI"
    CONNECT_API = "connect API"
    IN_PROCESS = "in process"


# What a program says first when it starts the debugger itself.
PREFACES = {
    Way.LISTEN_API: """\
import os, remora
remora.listen(("127.0.0.1", int(os.environ["TEST_PORT"])))
remora.wait_for_client()
""",
    Way.CONNECT_API: """\
import os, remora
remora.connect(("127.0.0.1", int(os.environ["TEST_PORT"])))
remora.wait_for_client()
""",
    Way.IN_PROCESS: """\
import os, remora
remora.listen(("127.0.0.1", int(os.environ["TEST_PORT"])), in_process=True)
remora.wait_for_client()
""",
}


def free_port() -> int:
    """A port nobody listens on; it stays free long enough because the kernel hands out others first."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Debugging:
    """One client, one session."""

    def __init__(self, wire: Wire, start_request: str, start_arguments: Mapping[str, Any]) -> None:
        self.wire = wire
        self.start_request = start_request
        self.start_arguments = dict(start_arguments)
        self.capabilities: Message = {}
        self.program: Program | None = None
        self.debuggee: Debuggee | None = None
        self.port: int | None = None
        self.processes: list[Debuggee] = []
        # For a program without a file: the source as the debugger named it in the first stop.
        self.source: Message | None = None
        self._start_seq: int | None = None
        wire.on_message = self._check

    @staticmethod
    def _check(message: Message) -> None:
        if message.get("event") == "debugpyAttach":
            return  # what clients that cannot be asked with startDebugging are told of children
        problems = check_message(message)
        assert not problems, f"not by the specification: {problems} in {json.dumps(message)[:2000]}"

    # -- beginning

    def begin(self, **initialize: object) -> None:
        """initialize and launch/attach, up to the `initialized` event."""
        self.capabilities = self.wire.request("initialize", INITIALIZE | initialize)
        self._start_seq = self.wire.send(self.start_request, self.start_arguments)
        self.wait_initialized()

    def wait_initialized(self) -> None:
        """Wait for `initialized`, or raise what launch/attach failed with."""
        assert self._start_seq is not None
        first = self.wire.take(
            lambda message: (
                (message["type"] == "event" and message["event"] == "initialized")
                or (message["type"] == "response" and message["request_seq"] == self._start_seq)
            ),
            "initialized event",
        )
        if first["type"] == "response":
            self.wire.backlog.append(first)
            self.wire.result(self._start_seq)

    def go(self) -> None:
        """configurationDone: the program runs."""
        self.wire.request("configurationDone")
        assert self._start_seq is not None
        self.wire.result(self._start_seq)

    def start(self, *markers: str, filters: Sequence[str] = ()) -> None:
        """begin, breakpoints at `markers` of the program, go."""
        self.begin()
        if markers:
            self.break_at(*markers)
        self.wire.request("setExceptionBreakpoints", {"filters": list(filters)})
        self.go()

    # -- breakpoints

    def break_at(self, *wishes: str | dict[str, Any], source: Message | None = None) -> list[Message]:
        """Set the program's breakpoints: markers, or dicts with "line" (a marker or a number) and more."""
        assert self.program is not None
        breakpoints = []
        for wish in wishes:
            spec = {"line": wish} if isinstance(wish, str | int) else dict(wish)
            if isinstance(spec["line"], str):
                spec["line"] = self.program.line(spec["line"])
            breakpoints.append(spec)
        if source is None:
            source = self.source or {"path": str(self.program.path)}
        body = self.wire.request("setBreakpoints", {"source": source, "breakpoints": breakpoints})
        answers: list[Message] = body["breakpoints"]
        assert len(answers) == len(breakpoints)
        return answers

    # -- stopping

    def stopped(self, reason: str | None = None, limit_s: float = LIMIT_S) -> Stopped:
        body = self.wire.event("stopped", timeout_s=limit_s)
        if reason is not None:
            assert body["reason"] == reason, body
        return Stopped(self, body)

    def resume(self, thread_id: int = 1) -> None:
        self.wire.request("continue", {"threadId": thread_id})

    def pause(self, thread_id: int = 1) -> Stopped:
        self.wire.request("pause", {"threadId": thread_id})
        return self.stopped("pause")

    def threads(self) -> list[Message]:
        threads: list[Message] = self.wire.request("threads")["threads"]
        return threads

    # -- the end

    def until_exit(self, limit_s: float = LIMIT_S) -> tuple[int | None, dict[str, str]]:
        """Let it run to `terminated`; return the exit code of `exited` and all output by category."""
        self.wire.event("terminated", timeout_s=limit_s)
        code = None
        output: dict[str, str] = {}
        for message in self.wire.backlog:
            if message["type"] == "event" and message["event"] == "exited":
                code = message["body"]["exitCode"]
            elif message["type"] == "event" and message["event"] == "output":
                category = message["body"].get("category", "console")
                output[category] = output.get(category, "") + message["body"]["output"]
        return code, output

    def disconnect(self, **arguments: object) -> None:
        self.wire.request("disconnect", arguments)
        self.wire.close()


class Stopped:
    """One stop: what can be asked until the program goes on."""

    def __init__(self, debugging: Debugging, body: Message) -> None:
        self.debugging = debugging
        self.wire = debugging.wire
        self.body = body
        self.thread_id: int = body["threadId"]
        self._frames: list[Message] | None = None

    @property
    def frames(self) -> list[Message]:
        if self._frames is None:
            self._frames = self.wire.request("stackTrace", {"threadId": self.thread_id})["stackFrames"]
        return self._frames

    @property
    def top(self) -> Message:
        return self.frames[0]

    def is_at(self, marker: str) -> bool:
        assert self.debugging.program is not None
        expected = self.debugging.program.line(marker)
        assert self.top["line"] == expected, f"stopped at {self.top}, not at @{marker} (line {expected})"
        return True

    def scopes(self, frame: int = 0) -> dict[str, Message]:
        body = self.wire.request("scopes", {"frameId": self.frames[frame]["id"]})
        return {scope["name"]: scope for scope in body["scopes"]}

    def locals(self, frame: int = 0) -> dict[str, str]:
        """Name and text of the variables in the scope of kind "locals"."""
        body = self.wire.request("scopes", {"frameId": self.frames[frame]["id"]})
        scope = next(scope for scope in body["scopes"] if scope.get("presentationHint") == "locals")
        return {variable["name"]: variable["value"] for variable in self.variables(scope)}

    def variables(self, of: Message, **arguments: object) -> list[Message]:
        body = self.wire.request("variables", {"variablesReference": of["variablesReference"]} | arguments)
        variables: list[Message] = body["variables"]
        return variables

    def evaluate(self, expression: str, context: str = "watch", frame: int = 0) -> str:
        return str(self.evaluated(expression, context, frame)["result"])

    def evaluated(self, expression: str, context: str = "watch", frame: int = 0) -> Message:
        arguments = {"expression": expression, "frameId": self.frames[frame]["id"], "context": context}
        return self.wire.request("evaluate", arguments)

    # -- going on

    def resume(self) -> None:
        self.debugging.resume(self.thread_id)

    def step(self, command: str = "next") -> Stopped:
        """next, stepIn or stepOut, and the stop after it."""
        self.wire.request(command, {"threadId": self.thread_id})
        return self.debugging.stopped("step")


# -- starting


@contextlib.contextmanager
def watching(debugging: Debugging) -> Iterator[Debugging]:
    """Explain a failure with the transcript and all stacks; leave nothing behind."""
    try:
        yield debugging
    except BaseException as error:
        recent = "\n".join(
            f"{direction} {json.dumps(message)[:600]}"
            for direction, message in debugging.wire.transcript[-40:]
        )
        error.add_note(f"the last messages:\n{recent}\n{all_stacks(debugging.processes)}")
        raise
    finally:
        debugging.wire.close()
        for process in debugging.processes:
            if process is debugging.debuggee:
                process.kill()
            else:
                # An adapter must end by itself when its client is gone; one that serves a port when told.
                if process.is_server and process.running:
                    process.process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.exit_code(5.0)
                process.kill()


@contextlib.contextmanager
def adapter(folder: Path, start_request: str = "launch", /, **arguments: object) -> Iterator[Debugging]:
    """`remora adapter` on stdio, as an editor starts it."""
    process = Debuggee(remora("adapter"), cwd=folder, stdio_is_dap=True)
    assert process.process.stdin is not None and process.process.stdout is not None
    wire = Wire(
        os.dup(process.process.stdout.fileno()), os.dup(process.process.stdin.fileno()), owner=process.process
    )
    process.process.stdin.close()
    process.process.stdout.close()
    debugging = Debugging(wire, start_request, arguments)
    debugging.processes.append(process)
    with watching(debugging):
        yield debugging


@contextlib.contextmanager
def launched(program: Program, args: Sequence[str] = (), **more: object) -> Iterator[Debugging]:
    """`launch` through `remora adapter` on stdio."""
    arguments: dict[str, object] = {
        **program.launch_arguments,
        "args": args if isinstance(args, str) else list(args),
        "cwd": str(program.folder),
        "python": sys.executable,
        "console": "internalConsole",
    } | more
    # Not in the program's folder: editors start adapters anywhere.
    with adapter(program.folder.parent, **arguments) as debugging:
        debugging.program = program
        yield debugging


@contextlib.contextmanager
def attached(
    program: Program,
    argv: Sequence[str | Path],
    port: int,
    *,
    env: Mapping[str, str] | None = None,
    hub: Debuggee | None = None,
    **attach: object,
) -> Iterator[Debugging]:
    """Start `argv`, then attach a client to `port`."""
    debuggee = Debuggee(argv, cwd=program.folder, env={"TEST_PORT": str(port)} | dict(env or {}))
    try:
        wire = Wire.connect("127.0.0.1", port)
    except OSError as error:
        error.add_note(all_stacks([debuggee]))
        raise
    debugging = Debugging(wire, "attach", attach)
    debugging.program = program
    debugging.debuggee = debuggee
    debugging.port = port
    debugging.processes = [debuggee, *([hub] if hub else [])]
    with watching(debugging):
        yield debugging


@contextlib.contextmanager
def started(way: Way, program: Program, args: Sequence[str] = (), **more: object) -> Iterator[Debugging]:
    """Start `program`, whose text begins with PREFACES[way] if there is one; nothing is sent yet."""
    port = free_port()
    plain = [sys.executable, *program.command_line, *args]
    match way:
        case Way.LAUNCH:
            context = launched(program, args, **more)
        case Way.LISTEN_CLI:
            options = ["--listen", str(port), "--wait-for-client"]
            context = attached(program, remora(*options, *program.command_line, *args), port, **more)
        case Way.LISTEN_API | Way.IN_PROCESS:
            context = attached(program, plain, port, **more)
        case Way.CONNECT_CLI | Way.CONNECT_API:
            context = connected(way, program, args, port, **more)
    with context as debugging:
        yield debugging


@contextlib.contextmanager
def connected(
    way: Way, program: Program, args: Sequence[str], port: int, **more: object
) -> Iterator[Debugging]:
    """A hub that waits on `port`; the program dials it."""
    hub = Debuggee(remora("adapter", "--port", str(port)), cwd=program.folder, is_server=True)
    # A connection that says nothing must not end anything (clients.md, rule 15), so this is a fair probe.
    Wire.connect("127.0.0.1", port).close()
    options = ["--connect", str(port), "--wait-for-client"]
    argv = (
        remora(*options, *program.command_line, *args)
        if way is Way.CONNECT_CLI
        else [sys.executable, *program.command_line, *args]
    )
    with attached(program, argv, port, hub=hub, **more) as debugging:
        yield debugging


def drain(wire: Wire) -> None:
    """Read until the other side closes; what came stays in the backlog."""
    with contextlib.suppress(Closed):
        while True:
            wire.backlog.append(wire.receive())
