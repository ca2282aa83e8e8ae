"""A real hub beside a program that is not there: the test plays the agents of a family, and the clients."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import remora
from benchmarks.wire import Message, Wire
from remora.dap.check import check_message
from remora.dap.hello import GO, HELLO, HUB_VARIABLE, family_name

from .debuggee import LIMIT_S, environment

ROOT_PID = 1_000_001  # of no process
SECRET, FAMILY_SECRET = "of the agent", "of the family"
ENTRY = Path(remora.__file__).parent / "hub" / "boot.py"


class Agent:
    """What an agent says and hears; answers when told to."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(True)
        self.wire = Wire(sock.fileno(), sock.fileno(), owner=sock)

    @classmethod
    def dial(cls, name: str) -> Self:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(name)
        return cls(sock)

    def hello(self, pid: int, **changes: Any) -> Self:
        body = {
            "secret": FAMILY_SECRET, "pid": pid, "name": f"p{pid}.py", "executable": sys.executable,
            "argv": ["x"], "version": "3.13.0", "startMethod": "child", "waiting": True, "cwd": "/",
        }  # fmt: skip
        self.event(HELLO, {**body, **changes})
        return self

    def event(self, name: str, body: Message | None = None) -> None:
        self.wire.send_message({"seq": 0, "type": "event", "event": name, "body": body or {}})

    def request(self, command: str, body: Message | None = None) -> Message:
        """Take the next request of that name, and answer it."""
        asked = self.wire.take(
            lambda message: message["type"] == "request" and message["command"] == command, command
        )
        self.answer(asked, body)
        return asked

    def answer(self, asked: Message, body: Message | None = None, *, success: bool = True) -> None:
        answer = {"seq": 0, "type": "response", "request_seq": asked["seq"], "success": success,
                  "command": asked["command"], "body": body or {}}  # fmt: skip
        self.wire.send_message(answer)

    def attached(self) -> Message:
        """Go through a client's attach to its end; return the settings it came with."""
        self.request("initialize")
        asked = self.wire.take(lambda message: message.get("command") == "attach", "attach")
        self.event("initialized")
        self.request("configurationDone")
        self.answer(asked)
        settings: Message = asked["arguments"]
        return settings

    def wait_for_go(self, timeout_s: float = LIMIT_S) -> None:
        self.wire.event(GO, timeout_s=timeout_s)

    def was_let_go(self) -> bool:
        """Whether `remoraGo` is among what came so far."""
        return any(message.get("event") == GO for message in self.wire.backlog)

    def close(self) -> None:
        self.wire.close()


class Editor:
    """A client, message by message."""

    def __init__(self, wire: Wire, **features: Any) -> None:
        self.wire = wire
        self.features = {"adapterID": "remora", "clientName": "Ed", **features}
        wire.on_message = _check

    def initialize(self) -> Self:
        self.wire.request("initialize", self.features)
        return self

    def begin(self, **settings: Any) -> int:
        """Send `attach`; return its number."""
        self.initialize()
        return self.wire.send("attach", settings)

    def configure(self, attach_seq: int) -> None:
        self.wire.event("initialized")
        self.wire.send("configurationDone")
        self.wire.result(attach_seq)

    def attach(self, agent: Agent, **settings: Any) -> Message:
        """Attach and configure, with `agent` answering."""
        seq = self.begin(**settings)
        agent.request("initialize")
        asked = agent.wire.take(lambda message: message.get("command") == "attach", "attach")
        agent.event("initialized")
        self.wire.event("initialized")
        done = self.wire.send("configurationDone")
        agent.request("configurationDone")
        agent.answer(asked)
        self.wire.result(done)
        self.wire.result(seq)
        return dict(asked["arguments"])

    def told(self, timeout_s: float = LIMIT_S) -> Message:
        """Wait for `startDebugging`, and return the request."""
        return self.wire.take(
            lambda message: message["type"] == "request" and message["command"] == "startDebugging",
            "startDebugging",
            timeout_s,
        )

    def answer(self, asked: Message, *, success: bool = True) -> None:
        self.wire.send_message(
            {"seq": 1000 + asked["seq"], "type": "response", "request_seq": asked["seq"],
             "command": asked["command"], "success": success}
        )  # fmt: skip

    def close(self) -> None:
        self.wire.close()


def _check(message: Message) -> None:
    if message.get("event") != "debugpyAttach":
        problems = check_message(message)
        assert not problems, f"not by the specification: {problems} in {json.dumps(message)[:2000]}"


class Hub:
    """A hub process beside a program that "listens"."""

    def __init__(self, token: str | None = None) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        ours, theirs = socket.socketpair()
        family = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.door = family_name(os.getuid(), os.getpid()) + os.urandom(6).hex()
        family.bind(self.door)
        family.listen(64)
        self.port: int = listener.getsockname()[1]
        passed = [listener.fileno(), theirs.fileno(), family.fileno()]
        start = {
            "listeners": passed[:1], "agent": passed[1], "family": passed[2], "token": token,
            "secret": SECRET, "familySecret": FAMILY_SECRET, "log": os.environ.get("TEST_HUB_LOG"),
        }  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(ENTRY)],
            env=environment({HUB_VARIABLE: json.dumps(start)}),
            pass_fds=passed,
        )
        for sock in (listener, theirs, family):
            sock.close()
        self.root = Agent(ours)
        self._things: list[Agent | Editor] = [self.root]
        self.root.hello(ROOT_PID, startMethod="listen", secret=SECRET, waiting=False)

    def child(self, pid: int, parent: int = ROOT_PID, **hello: Any) -> Agent:
        return self.stranger().hello(pid, parent=parent, **hello)

    def stranger(self) -> Agent:
        made = Agent.dial(self.door)
        self._things.append(made)
        return made

    def editor(self, *, takes_children: bool = True, port: int | None = None) -> Editor:
        wire = Wire.connect("127.0.0.1", self.port if port is None else port)
        made = Editor(wire, supportsStartDebuggingRequest=takes_children)
        self._things.append(made)
        return made

    def attached_editor(self, **features: Any) -> Editor:
        """An editor that is attached to the root."""
        made = self.editor(**features)
        made.attach(self.root)
        return made

    def close(self) -> int:
        """End all that is connected; return the hub's exit code."""
        for thing in self._things:
            thing.close()
        try:
            return self.process.wait(LIMIT_S)
        finally:
            self.process.kill()


@contextlib.contextmanager
def hub(**options: Any) -> Iterator[Hub]:
    made = Hub(**options)
    try:
        yield made
    except BaseException:
        made.process.kill()
        raise
    finally:
        made.close()


type Made = Callable[..., Hub]
