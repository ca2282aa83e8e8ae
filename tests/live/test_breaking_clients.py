"""What no decent client would send: each is answered, and neither the hub nor the program notices."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.wire import Closed, Refused, Wire
from live.harness.debuggee import remora
from live.harness.debugging import adapter, attached, free_port, launched
from live.harness.programs import Program

Write = Callable[..., Program]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"code": "1", "args": ["a\0b"]}, "args"),
        ({"code": "1", "args": "a\0b"}, "args"),
        ({"code": "1", "args": ["\ud800"]}, "args"),
        ({"code": "1", "python": "a\0b"}, "python"),
        ({"code": "1", "pythonArgs": ["\ud800"]}, "pythonArgs"),
        ({"code": "1", "env": {"A": "\ud800"}}, "env"),
        ({"code": "1", "env": {"\ud800": "A"}}, "env"),
        ({"code": "1", "cwd": "\ud800"}, "cwd"),
        ({"program": "\ud800"}, "program"),
        ({"code": "1\0"}, "code"),
        ({"code": ["1", "'\ud800'"]}, "code"),
    ],
    ids=ascii,
)
def test_texts_no_process_can_be_given(settings: dict[str, Any], named: str) -> None:
    """They are the user's mistake, and named: not a bug of ours."""
    with adapter(Path("/"), "launch", **settings) as debugging:
        with pytest.raises(Refused) as caught:
            debugging.begin()
        assert named in caught.value.text
        assert "bug" not in caught.value.text


@pytest.mark.parametrize("last", ["disconnect", "terminate"])
def test_all_at_once_up_to_the_end(last: str, program: Write) -> None:
    """The launch is called off before it has begun; the hub has nothing to say about that to a terminal."""
    target = program("print('never')\n")
    with launched(target) as debugging:
        wire = debugging.wire
        requests: list[tuple[str, object]] = [
            ("initialize", {"adapterID": "x"}),
            ("launch", debugging.start_arguments),
            ("setBreakpoints", {"source": {"path": str(target.path)}, "breakpoints": [{"line": 1}]}),
            ("configurationDone", None),
            (last, {}),
        ]
        stream = b""
        for seq, (command, arguments) in enumerate(requests, 1):
            message = {"seq": seq, "type": "request", "command": command, "arguments": arguments}
            body = json.dumps(message).encode()
            stream += b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        wire.send_raw(stream)
        assert wire.response(len(requests))["success"] is True
        assert wire.response(2)["success"] is False
        if last == "terminate":
            wire.event("terminated")
            wire.send("disconnect")
        with pytest.raises(Closed):
            wire.event("never")
        (process,) = debugging.processes
        assert process.exit_code() == 0
        assert process.stderr == ""


@pytest.mark.parametrize("kind", ["pipe", "endless"])
def test_breakpoints_in_what_is_no_plain_file(kind: str, program: Write) -> None:
    """Reading it would never end, and the agent with it."""
    target = program("import time\ndone = False\nwhile not done:\n    time.sleep(0.01)  # @here\n")
    path = "/dev/zero"
    if kind == "pipe":
        path = str(target.folder / "pipe.py")
        os.mkfifo(path)
    with launched(target) as debugging:
        debugging.start()
        (answer,) = debugging.break_at({"line": 1}, source={"path": path})
        assert answer["verified"] is False
        with pytest.raises(Refused):
            debugging.wire.request("source", {"source": {"path": path}, "sourceReference": 0})
        debugging.break_at("here")
        stop = debugging.stopped("breakpoint")
        stop.evaluate("globals().update(done=True)", "repl")
        debugging.break_at()
        stop.resume()
        assert debugging.until_exit()[0] == 0


def test_a_crowd_of_strangers_keeps_nobody_out(program: Write) -> None:
    """Silent connections, more than the hub keeps: a client that says what it is gets in at once."""
    target = program("print('ran')\n")
    port = free_port()
    with attached(target, remora("--listen", port, "--wait-for-client", "app.py"), port) as debugging:
        crowd = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
        try:
            client = Wire.connect("127.0.0.1", port)
            client.request("initialize", {"adapterID": "x"})
            attach = client.send("attach")
            client.event("initialized")
            client.request("configurationDone")
            client.result(attach)
            client.event("terminated")
            client.close()
        finally:
            for each in crowd:
                each.close()
        assert debugging.debuggee is not None
        assert debugging.debuggee.exit_code() == 0
