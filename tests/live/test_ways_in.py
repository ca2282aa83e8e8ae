"""Who reaches a session how: through the adapter, over a port, with a token, and who does not."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.wire import Closed, Message, Refused, Wire

from .harness.debuggee import Debuggee, remora, run
from .harness.debugging import Debugging, adapter, attached, free_port
from .harness.programs import Program

type Write = Callable[..., Program]

COUNTING = """\
import time
n = 0
while n >= 0:
    n += 1            # @count
    time.sleep(0.01)
print("counted")
"""


@contextlib.contextmanager
def process(*arguments: str, cwd: Path, env: dict[str, str] | None = None) -> Iterator[Debuggee]:
    made = Debuggee(remora(*arguments), cwd=cwd, env=env)
    try:
        yield made
    finally:
        made.kill()


def listening_port(debuggee: Debuggee) -> int:
    debuggee.wait_for_output("listening on", stream="stderr")
    found = re.search(r"listening on \S+:(\d+)", debuggee.stderr)
    assert found
    return int(found[1])


# -- through the adapter on stdio to a program that listens


@pytest.mark.parametrize("old_style", [False, True])
def test_adapter_passes_on_to_a_program_that_listens(old_style: bool, program: Write) -> None:
    target = program(COUNTING)
    with process("--listen", "0", "app.py", cwd=target.folder) as debuggee:
        port = listening_port(debuggee)
        where: dict[str, object] = (
            {"host": "localhost", "port": port}
            if old_style
            else {"connect": {"host": "localhost", "port": port}}
        )
        for _ in range(2):  # and again: an editor's restart is a new adapter
            with adapter(target.folder, "attach", **where) as debugging:
                debugging.program = target
                debugging.start("count")
                stop = debugging.stopped("breakpoint")
                assert int(stop.evaluate("n")) >= 0
                debugging.wire.request("disconnect")
                with pytest.raises(Closed):
                    debugging.wire.receive()
                assert debugging.processes[0].exit_code() == 0
                assert debuggee.running


def test_paths_are_mapped_on_the_way(program: Write) -> None:
    target = program(COUNTING)
    with process("--listen", "0", "app.py", cwd=target.folder) as debuggee:
        mapping = [{"localRoot": "C:\\Work\\app", "remoteRoot": "."}]
        connect = {"port": listening_port(debuggee)}
        with adapter(target.folder, "attach", connect=connect, pathMappings=mapping) as debugging:
            debugging.program = target
            debugging.begin()
            debugging.break_at("count", source={"path": "c:\\work\\app\\app.py"})
            debugging.go()
            path = debugging.stopped("breakpoint").top["source"]["path"]
            assert path.lower() == "c:\\work\\app\\app.py"
            debugging.disconnect()


def test_the_program_dies_while_the_adapter_is_attached(program: Write) -> None:
    target = program(COUNTING)
    with (
        process("--listen", "0", "app.py", cwd=target.folder) as debuggee,
        adapter(target.folder, "attach", connect={"port": listening_port(debuggee)}) as debugging,
    ):
        debugging.start()
        debuggee.kill()
        debugging.until_exit()
        debugging.wire.request("disconnect")


def test_nobody_listens_there(tmp_path: Path) -> None:
    port = free_port()
    with adapter(tmp_path, "attach", connect={"host": "127.0.0.1", "port": port}) as debugging:
        with pytest.raises(Refused) as caught:
            debugging.begin()
        assert "nothing listens there" in caught.value.text
        assert f"--listen 127.0.0.1:{port}" in caught.value.text


def test_somebody_else_listens_there(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        connect = {"port": server.getsockname()[1]}
        with adapter(tmp_path, "attach", connect=connect) as debugging:
            debugging.wire.request("initialize", {"adapterID": "x"})
            attach = debugging.wire.send("attach", {"connect": connect})
            theirs, _ = server.accept()
            theirs.sendall(b"220 mail.example.org ESMTP ready\r\n")
            answer = debugging.wire.response(attach)
            theirs.close()
            assert answer["success"] is False


def test_attach_needs_an_address(tmp_path: Path) -> None:
    with adapter(tmp_path, "attach") as debugging, pytest.raises(Refused, match='"connect"'):
        debugging.begin()


def test_adapter_listens_for_a_program(program: Write) -> None:
    """`listen` in the configuration: the program connects to the editor."""
    target = program('print("hi")   # @here\n')
    port = free_port()
    with adapter(target.folder, "attach", listen={"port": port}) as debugging:
        debugging.program = target
        debugging.wire.request("initialize", {"adapterID": "x"})
        debugging._start_seq = debugging.wire.send("attach", debugging.start_arguments)
        assert str(port) in debugging.wire.event("output")["output"]
        with process("--connect", str(port), "--wait-for-client", "app.py", cwd=target.folder) as debuggee:
            debugging.wait_initialized()
            debugging.break_at("here")
            debugging.go()
            debugging.stopped("breakpoint").resume()
            debugging.until_exit()
            assert debuggee.exit_code() == 0


# -- a port of the adapter


def test_adapter_on_a_port_serves_many(program: Write) -> None:
    target = program("import sys\nprint(sys.argv[1])   # @here\n")
    with process("adapter", "--port", "0", cwd=target.folder) as server:
        port = listening_port(server)
        sessions = []
        for name in ("one", "two"):
            debugging = Debugging(
                Wire.connect("localhost", port), "launch", {"program": str(target.path), "args": [name]}
            )
            debugging.program = target
            debugging.start("here")
            debugging.stopped("breakpoint")
            sessions.append((debugging, name))
        for debugging, name in sessions:
            debugging.resume()
            assert debugging.until_exit() == (0, {"stdout": f"{name}\n"})
            debugging.disconnect()
        assert server.running
        assert server.stdout == ""


def test_adapter_on_a_port_ends_what_it_launched(program: Write) -> None:
    target = program(COUNTING)
    with process("adapter", "--port", "0", cwd=target.folder) as server:
        debugging = Debugging(
            Wire.connect("127.0.0.1", listening_port(server)), "launch", {"program": str(target.path)}
        )
        debugging.start()
        pid = debugging.wire.event("process")["systemProcessId"]
        server.process.terminate()
        assert server.exit_code() == 0
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        debugging.wire.close()


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = run(remora("adapter", "--port", str(port)), cwd=tmp_path)
    assert done.returncode == 2
    assert f"port {port}" in done.stderr and "in use" in done.stderr and done.stderr.count("\n") == 1


# -- tokens


def attach_with(port: int, **settings: object) -> Message:
    wire = Wire.connect("127.0.0.1", port)
    try:
        wire.request("initialize", {"adapterID": "x"})
        seq = wire.send("attach", settings)
        answer = wire.take(
            lambda m: m.get("event") == "initialized" or m.get("request_seq") == seq, "an answer to attach"
        )
        wire.request("disconnect")
        return answer
    finally:
        wire.close()


def test_an_open_port_wants_a_token(program: Write) -> None:
    target = program(COUNTING)
    with process("--listen", "0.0.0.0:0", "app.py", cwd=target.folder) as debuggee:
        port = listening_port(debuggee)
        debuggee.wait_for_output('"token"', stream="stderr")
        found = re.search(r'"token": "([0-9a-f]{16,})"', debuggee.stderr)
        assert found
        for settings in ({}, {"token": "guess"}):
            answer = attach_with(port, **settings)
            assert answer["success"] is False
            assert "token" in answer["message"] and found[1] not in str(answer)
        assert attach_with(port, token=found[1]).get("event") == "initialized"


@pytest.mark.parametrize("host", ["0.0.0.0:", ""])
@pytest.mark.parametrize("in_process", [False, True])
def test_a_service_keeps_its_token(program: Write, host: str, in_process: bool) -> None:
    """REMORA_TOKEN is what it says, wherever the port is; nobody prints it."""
    secret = "s3cret-of-the-house"
    target = program(COUNTING)
    command = remora("--listen", f"{host}0", "app.py")
    if in_process:
        (target.folder / "service.py").write_text(
            "import remora, runpy, sys\n"
            f"where = remora.listen(({host[:-1] or '127.0.0.1'!r}, 0), in_process=True)\n"
            "print('listening on %s:%s' % where, file=sys.stderr, flush=True)\n"
            "runpy.run_path('app.py')\n"
        )
        command = [sys.executable, "service.py"]
    debuggee = Debuggee(command, cwd=target.folder, env={"REMORA_TOKEN": secret})
    try:
        port = listening_port(debuggee)
        for settings in ({}, {"token": "guess"}):
            answer = attach_with(port, **settings)
            assert answer["success"] is False
            assert "token" in answer["message"] and secret not in str(answer)
        assert attach_with(port, token=secret).get("event") == "initialized"
        assert secret not in debuggee.stderr
        assert ("clients need the value of REMORA_TOKEN" in debuggee.stderr) == bool(host)
    finally:
        debuggee.kill()


def test_the_adapters_open_port_wants_a_token(tmp_path: Path) -> None:
    with process("adapter", "--host", "0.0.0.0", "--port", "0", cwd=tmp_path) as server:
        port = listening_port(server)
        wire = Wire.connect("127.0.0.1", port)
        wire.request("initialize", {"adapterID": "x"})
        with pytest.raises(Refused, match="token"):
            wire.request("launch", {"code": "print(1)"})
        wire.close()
    secret = "s3cret-of-the-house"
    with process("adapter", "--port", "0", cwd=tmp_path, env={"REMORA_TOKEN": secret}) as server:
        wire = Wire.connect("127.0.0.1", listening_port(server))
        debugging = Debugging(
            wire, "launch", {"code": "import os; print(os.environ.get('REMORA_TOKEN'))", "token": secret}
        )
        debugging.start()
        assert debugging.until_exit() == (0, {"stdout": "None\n"}), "the program does not inherit it"
        wire.close()
        assert secret not in server.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_another_user_of_the_machine_is_nobody_here(program: Write) -> None:
    target = program(COUNTING)
    with process("--listen", "0", "app.py", cwd=target.folder) as debuggee:
        port = listening_port(debuggee)
        stranger = f"""\
import os, socket
os.setuid(65534)
s = socket.socket()
s.settimeout(5)
s.connect(("127.0.0.1", {port}))
for seq, command in (1, "initialize"), (2, "attach"):
    body = b'{{"seq":%d,"type":"request","command":"%s"}}' % (seq, command.encode())
    s.sendall(b"Content-Length: %d\\r\\n\\r\\n%b" % (len(body), body))
text = b""
while b'"request_seq":2' not in text and b"initialized" not in text:
    text += s.recv(4096)
print(text.decode())
"""
        done = run([sys.executable, "-c", stranger], cwd=Path("/"))
        assert "another user" in done.stdout, done


# -- strangers


def test_silent_connections_are_few(program: Write) -> None:
    """A hundred that say nothing keep nobody out for long, and the program does not notice."""
    target = program(COUNTING)
    port = free_port()
    with attached(target, remora("--listen", port, "app.py"), port) as debugging:
        debugging.begin()  # a client that has not said a word is one of the crowd, and the oldest of it
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
        debugging.break_at("count")
        debugging.go()
        debugging.stopped("breakpoint")
        debugging.disconnect()
        closed = 0
        for each in silent:
            each.settimeout(0.0)
            with contextlib.suppress(BlockingIOError):
                closed += each.recv(1) == b""
            each.close()
        assert closed >= 100 - 64


@pytest.mark.parametrize(
    ("first", "words"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", ["HTTP/1.1 400", "Debug Adapter Protocol"]),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n12345", ["HTTP/1.1 400", "Debug Adapter Protocol"]),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01", ["not TLS", "Debug Adapter Protocol"]),
        (b"\x00\x01\x02", ["Debug Adapter Protocol"]),
        (b"Content-Length: x\r\n\r\n", ["Content-Length"]),
    ],
)
def test_strangers_are_told_what_this_is(first: bytes, words: list[str], program: Write) -> None:
    target = program(COUNTING)
    with process("--listen", "0", "app.py", cwd=target.folder) as debuggee:
        with socket.create_connection(("127.0.0.1", listening_port(debuggee)), timeout=10) as stranger:
            stranger.sendall(first)
            answer = b""
            while data := stranger.recv(4096):
                answer += data
        text = answer.decode()
        assert all(word in text for word in words), text
        assert debuggee.running


def test_a_hub_does_not_wake_up_for_nothing(program: Write) -> None:
    target = program(COUNTING)
    port = free_port()
    with attached(target, remora("--listen", port, "app.py"), port) as debugging:
        debugging.start()
        hub = next(
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit() and b"hub/boot.py" in _read(entry / "cmdline") and _listens(entry, port)
        )
        # It may still be on its way back to waiting; once there it stays.
        for _ in range(5):
            before = _switches(hub)
            with pytest.raises(Exception, match="nothing for"):
                debugging.wire.receive(timeout_s=1.5)
            if _switches(hub) == before:
                break
        else:
            pytest.fail("the hub wakes up though nobody says anything")
        debugging.disconnect()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _listens(process: Path, port: int) -> bool:
    inodes = {
        line.split()[9]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A"
    }
    with contextlib.suppress(OSError):
        return any(
            os.readlink(fd) == f"socket:[{inode}]" for fd in (process / "fd").iterdir() for inode in inodes
        )
    return False


def _switches(pid: int) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("voluntary_ctxt"))
