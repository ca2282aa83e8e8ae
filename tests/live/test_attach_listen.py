"""attach with `listen`, `timeout` and `restart`: who comes first does not matter."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.wire import Refused, Wire

from .harness.debuggee import Debuggee, remora, until
from .harness.debugging import Debugging, adapter, free_port
from .harness.programs import Program

type Write = Callable[..., Program]

TEXT = "import sys\nx = 1   # @here\nprint('done', *sys.argv[1:])\n"


@contextlib.contextmanager
def dialling(program: Program, port: int, *args: str) -> Iterator[Debuggee]:
    """A program that dials and waits for its client."""
    command = remora("--connect", str(port), "--wait-for-client", program.path, *args)
    made = Debuggee(command, cwd=program.folder)
    try:
        yield made
    finally:
        made.kill()


@contextlib.contextmanager
def refused_at_first(program: Program, port: int) -> Iterator[None]:
    """The same; it has said so to a person at a terminal."""
    ours, theirs = os.openpty()
    command = remora("--connect", str(port), "--wait-for-client", program.path)
    made = subprocess.Popen(command, cwd=program.folder, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    try:
        said = b""
        while b"waiting for a debugger" not in said:
            assert select.select([ours], [], [], 20)[0], said
            said += os.read(ours, 1000)
        yield
    finally:
        made.kill()
        made.wait()
        os.close(ours)


def stop_and_go(debugging: Debugging) -> None:
    debugging.wait_initialized()
    debugging.break_at("here")
    debugging.go()
    stop = debugging.stopped("breakpoint")
    assert stop.is_at("here")
    stop.resume()
    assert debugging.until_exit()[0] == 0


def begin_attach(debugging: Debugging, program: Program) -> None:
    debugging.program = program
    debugging.wire.request("initialize", {"adapterID": "x"})
    debugging._start_seq = debugging.wire.send("attach", debugging.start_arguments)


@pytest.mark.parametrize("first", ["client", "program", "both"])
def test_either_may_be_first(first: str, program: Write) -> None:
    target, port = program(TEXT), free_port()
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(adapter(target.folder, "attach", listen={"port": port}))
        if first == "client":
            begin_attach(client, target)
            event = client.wire.event("output")
            assert f"--connect 127.0.0.1:{port}" in event["output"]
            stack.enter_context(dialling(target, port))
        elif first == "program":
            stack.enter_context(refused_at_first(target, port))
            begin_attach(client, target)
        else:
            begin_attach(client, target)
            stack.enter_context(dialling(target, port))
        stop_and_go(client)


def test_a_program_that_does_not_wait_is_told_at_once(program: Write) -> None:
    target, port = program(TEXT), free_port()
    there = Debuggee(remora("--connect", str(port), target.path), cwd=target.folder)
    try:
        assert there.exit_code() == 2
    finally:
        there.kill()


def test_two_programs_and_two_clients(program: Write) -> None:
    """The second program waits at the same port for a client of its own."""
    target, port = program(TEXT), free_port()
    with adapter(target.folder, "attach", listen={"port": port}) as one:
        begin_attach(one, target)
        one.wire.event("output")
        with dialling(target, port, "first"):
            one.wait_initialized()
            with dialling(target, port, "second"):
                # Another editor says the same: its port is that of the first one's adapter.
                with adapter(target.folder, "attach", listen={"port": port}) as two:
                    begin_attach(two, target)
                    stop_and_go(two)
                one.break_at("here")
                one.go()
                one.stopped("breakpoint").resume()
                assert one.until_exit()[0] == 0


def test_attaching_again_by_the_same_words(program: Write) -> None:
    target, port = program("import time\nwhile True:\n    time.sleep(0.01)   # @here\n"), free_port()
    with dialling(target, port):
        for _ in range(2):
            with adapter(target.folder, "attach", listen={"port": port}) as debugging:
                begin_attach(debugging, target)
                debugging.wait_initialized()
                debugging.break_at("here")
                debugging.go()
                debugging.stopped("breakpoint")
                debugging.wire.request("disconnect")
                debugging.wire.close()
                # Its adapter stays for the program that has dialled it, and ends with that.
                debugging.processes.clear()


def test_a_port_that_is_somebody_elses(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        def answer() -> None:
            with contextlib.suppress(OSError):
                peer, _ = taken.accept()
                peer.sendall(b"220 mail\r\n")
                peer.close()

        threading.Thread(target=answer, daemon=True).start()
        with adapter(tmp_path, "attach", listen={"port": port}) as debugging, pytest.raises(Refused):
            debugging.begin()


def test_a_client_that_gives_up_waiting(tmp_path: Path) -> None:
    port = free_port()
    with adapter(tmp_path, "attach", listen={"port": port}) as debugging:
        debugging.wire.request("initialize", {"adapterID": "x"})
        attach = debugging.wire.send("attach", debugging.start_arguments)
        debugging.wire.event("output")
        debugging.wire.request("disconnect")
        assert debugging.wire.response(attach)["success"] is False
        assert debugging.processes[0].exit_code() == 0


def test_dialling_until_somebody_listens(program: Write) -> None:
    target, port = program(TEXT), free_port()
    with adapter(target.folder, "attach", connect={"port": port}, timeout=15) as debugging:
        begin_attach(debugging, target)
        command = remora("--listen", str(port), "--wait-for-client", target.path)
        there = Debuggee(command, cwd=target.folder)
        try:
            stop_and_go(debugging)
        finally:
            there.kill()


def test_nobody_listens_in_time(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"connect": {"port": free_port()}, "timeout": 0.3}
    with adapter(tmp_path, "attach", **settings) as debugging, pytest.raises(Refused) as caught:
        debugging.begin()
    assert "nothing listens there within 0.3 s" in caught.value.text


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_restart_is_asked_for_when_the_program_has_ended(program: Write) -> None:
    target, port = program(TEXT), free_port()
    for restart in (True, False):
        there = Debuggee(remora("--listen", str(port), "--wait-for-client", target.path), cwd=target.folder)
        try:
            wire = Wire.connect("127.0.0.1", port)
            debugging = Debugging(wire, "attach", {"restart": restart})
            debugging.program = target
            debugging.begin()
            debugging.go()
            body = wire.event("terminated")
            assert body == ({"restart": True} if restart else {})
            wire.close()
            assert there.exit_code() == 0
            # Its hub may still accept while it ends; who has no adapter that dials again would meet that.
            until(lambda: not listens(port), "the hub has ended")
        finally:
            there.kill()
