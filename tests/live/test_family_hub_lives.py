"""Launched programs and their children: sessions of all of them, and what lives how long."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from remora.client import Client, DebugSession
from remora.client.family import Family
from remora.client.stream import CommandStream

from .harness.debuggee import LIMIT_S, Debuggee, remora, until
from .harness.debugging import free_port
from .harness.programs import Program

type Write = Callable[..., Program]

CHILD = """\
import sys, time
print("child begins", flush=True)       # @begin
for line in open(sys.argv[1]):          # a pipe: waits until somebody says something
    print("child was told", line.strip(), flush=True)   # @told
    break
print("child ends", flush=True)
"""
# Starts the child and does not wait for it.
LEAVING = """\
import os, subprocess, sys
child = subprocess.Popen([sys.executable, *sys.argv[1:]], start_new_session={new_session})
print("child is", child.pid, flush=True)
child.returncode = 0                    # no warning that it runs on
"""
# Starts the child, and stays until it is told to go.
RESTING = """\
import signal, subprocess, sys
child = subprocess.Popen([sys.executable, *sys.argv[1:]])
child.returncode = 0
signal.pause()
"""
# Starts the child and waits for it.
STAYING = """\
import subprocess, sys
code = subprocess.call([sys.executable, *sys.argv[1:]])
print("child gave", code)               # @after
"""


class Scene:
    """A launched parent, its child's fifo, and the adapter's process."""

    def __init__(self, write: Write, parent: str, folder: Path, child: str = CHILD) -> None:
        self.parent = write(parent, name="app")
        self.child = write(child, name="child")
        self.fifo = folder / "fifo"
        os.mkfifo(self.fifo)
        self.arguments = {
            "program": str(self.parent.path),
            "args": [str(self.child.path), str(self.fifo)],
            "python": sys.executable,
            "console": "internalConsole",
        }

    def tell(self, text: str) -> None:
        """Say something to the child."""
        self.fifo.write_text(text + "\n")

    def breakpoints(self, *markers: str) -> dict[str | os.PathLike[str], list[int]]:
        return {
            str(program.path): [program.line(marker) for marker in markers if marker in program.markers]
            for program in (self.parent, self.child)
        }  # fmt: skip


@pytest.fixture
def scene(program: Write, tmp_path: Path) -> Callable[..., Scene]:
    return lambda parent, **more: Scene(program, parent, tmp_path, **more)


@contextlib.contextmanager
def launched(
    it: Scene, *markers: str, family: Family | None = None, **settings: object
) -> Iterator[DebugSession]:
    client = Client.spawn(remora("adapter"))
    session = DebugSession(client, family=family or Family(), timeout_s=LIMIT_S)
    try:
        session.launch(breakpoints=it.breakpoints(*markers), **{**it.arguments, **settings})
        yield session
    finally:
        session.close()


def adapter_of(session: DebugSession) -> int:
    stream = session.client.stream
    assert isinstance(stream, CommandStream)
    return stream.process.pid


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_launched_programs_child_stops_and_goes_on(scene: Callable[..., Scene]) -> None:
    it = scene(STAYING)
    with launched(it, "begin", "after") as session:
        child = session.wait_child(timeout_s=LIMIT_S)
        child.stopped("breakpoint")
        assert child.top()["line"] == it.child.line("begin")
        child.resume()
        it.tell("hello")
        child.wait_exit()
        session.stopped("breakpoint")
        session.resume()
        assert session.wait_exit() == 0
        until(lambda: "child gave 0" in session.output("stdout"), "the parent's output")
        text = session.output("stdout")
        assert text.count("child was told hello") == 1, text
        assert "child was told" not in child.output(), "it is shown where it was written to, once"


def test_the_child_outlives_the_program_and_the_adapters_client(scene: Callable[..., Scene]) -> None:
    """As VS Code does it: disconnect, and SIGTERM to the adapter, as soon as the first session has ended."""
    it = scene(LEAVING.format(new_session=False))
    with launched(it, "told") as session:
        child = session.wait_child(timeout_s=LIMIT_S)
        assert session.wait_exit() == 0
        pid = child.process_id
        adapter = adapter_of(session)
        session.client.send("disconnect")
        os.kill(adapter, signal.SIGTERM)
        assert pid is not None and lives(pid)
        it.tell("you")
        child.stopped("breakpoint")
        assert child.evaluate("line.strip()") == "'you'"
        child.resume()
        assert child.wait_exit() in (0, None)
        assert not child.client.seen("exited") or child.client.seen("exited")[-1]["exitCode"] == 0
        child.disconnect()
        until(lambda: not lives(pid), "the child's end")
        until(lambda: not lives(adapter), "the adapter's end")


def test_a_child_nobody_looks_at_outlives_the_adapter(scene: Callable[..., Scene]) -> None:
    it = scene(LEAVING.format(new_session=False))
    with launched(it, subProcess=False) as session:
        assert session.wait_exit() == 0
        until(lambda: "child begins" in session.output("stdout"), "the child's output")
        pid = int(session.output("stdout").split("child is ")[1].split()[0])
        adapter = adapter_of(session)
        session.disconnect()
        until(lambda: not lives(adapter), "the adapter's end")
        assert lives(pid)
        it.tell("you")
        until(lambda: not lives(pid), "the child's end")


@pytest.mark.parametrize("how", ["terminate", "disconnect"])
def test_the_end_of_a_launched_root_is_its_trees(how: str, scene: Callable[..., Scene]) -> None:
    it = scene(STAYING)
    with launched(it) as session:
        child = session.wait_child(timeout_s=LIMIT_S)
        until(lambda: "child begins" in session.output("stdout"), "the child's output")
        if how == "terminate":
            session.terminate()
            session.wait_exit()
        else:
            session.disconnect()
        child.client.wait_for("terminated", timeout_s=LIMIT_S)
        until(lambda: not lives(child.process_id or 0), "the child's end")


def test_a_client_that_vanishes_spares_what_others_look_at(scene: Callable[..., Scene]) -> None:
    it = scene(RESTING)
    with launched(it, "told") as session:
        child = session.wait_child(timeout_s=LIMIT_S)
        until(lambda: "child begins" in session.output("stdout"), "the child's output")
        adapter = adapter_of(session)
        assert isinstance(session.client.stream, CommandStream)
        session.client.stream._grace_s = 2.0
        session.client.close()
        it.tell("still there")
        child.stopped("breakpoint")
        child.resume()
        child.wait_exit()
        child.disconnect()
        until(lambda: not lives(adapter), "the adapter's end")


EXEC = """\
import os, sys
if len(sys.argv) == 1:
    print("first image")        # @first
    os.execv(sys.executable, [sys.executable, __file__, "again"])
print("second image")           # @second
sys.exit(7)
"""


def test_exec_goes_on_in_the_same_session(program: Write) -> None:
    target = program(EXEC)
    client = Client.spawn(remora("adapter"))
    with DebugSession(client, family=Family(), timeout_s=LIMIT_S) as session:
        lines = [target.line("first"), target.line("second")]
        session.begin("launch", {"program": str(target.path), "python": sys.executable, "stopOnEntry": True})
        ids = [each["id"] for each in session.set_breakpoints(target.path, lines)]
        session.configuration_done()
        session.stopped("entry")
        session.resume()
        assert session.stopped("breakpoint").breakpoint_ids == ids[:1]
        session.resume()
        stop = session.stopped()
        assert (stop.reason, stop.breakpoint_ids) == ("breakpoint", ids[1:]), "no second stop on entry"
        assert session.evaluate("sys.argv[1]") == "'again'"
        session.resume()
        assert session.wait_exit() == 7
        assert len(session.client.seen("terminated")) == 1
        until(lambda: "second image" in session.output("stdout"), "the output")
        session.disconnect()


def test_exec_of_what_is_no_python_ends_with_its_exit_code(program: Write) -> None:
    target = program("import os; os.execv('/bin/sh', ['sh', '-c', 'echo from the shell; exit 5'])")
    client = Client.spawn(remora("adapter"))
    with DebugSession(client, family=Family(), timeout_s=LIMIT_S) as session:
        session.launch(program=str(target.path), python=sys.executable)
        assert session.wait_exit() == 5
        assert "from the shell" in session.output("stdout")
        session.disconnect()


def test_children_behind_an_adapter_are_reached_the_way_the_client_came(program: Write) -> None:
    target = program(STAYING.replace("*sys.argv[1:]", "'-c', 'answer = 42\\nprint(answer)'"))
    port = free_port()
    debuggee = Debuggee(remora("--listen", str(port), "--wait-for-client", target.path), cwd=target.folder)
    try:
        client = Client.spawn(remora("adapter"))
        with DebugSession(client, family=Family(), timeout_s=LIMIT_S) as session:
            session.attach(connect={"host": "localhost", "port": port}, timeout=LIMIT_S)
            child = session.wait_child(timeout_s=LIMIT_S)
            assert child.configuration["connect"] == {"host": "localhost", "port": port}
            child.wait_exit()
            session.wait_exit()
        assert debuggee.exit_code() == 0
    finally:
        debuggee.kill()


def test_a_program_that_dials_a_server_brings_its_children(program: Write) -> None:
    target = program(STAYING.replace("*sys.argv[1:]", "'-c', 'answer = 42\\nprint(answer)'"))
    port = free_port()
    hub = Debuggee(remora("adapter", "--port", str(port)), cwd=target.folder, is_server=True)
    debuggee = None
    try:
        with DebugSession(Client.connect("127.0.0.1", port), family=Family(), timeout_s=LIMIT_S) as session:
            session.initialize()
            start = session.client.send("attach", {})
            debuggee = Debuggee(
                remora("--connect", str(port), "--wait-for-client", target.path), cwd=target.folder
            )
            session.client.wait_for("initialized", unless=start, timeout_s=LIMIT_S)
            session.ask("configurationDone")
            child = session.wait_child(timeout_s=LIMIT_S)
            assert child.configuration["connect"]["port"] == port
            child.wait_exit()
            session.wait_exit()
        assert debuggee.exit_code() == 0
    finally:
        if debuggee is not None:
            debuggee.kill()
        hub.process.terminate()
        hub.exit_code()


RESTARTED = textwrap.dedent("""\
    import os, time
    import remora
    remora.listen(int(os.environ["TEST_PORT"]))
    remora.wait_for_client()
    print("went on")
""")


def test_restart_means_attach_again(program: Write) -> None:
    """The client is told to come again, and its next attach waits for the program to be there."""
    target = program(RESTARTED)
    port = free_port()
    environment = {"TEST_PORT": str(port)}
    settings = {"connect": {"host": "127.0.0.1", "port": port}, "restart": True}
    for _ in range(2):
        client = Client.spawn(remora("adapter"))
        with DebugSession(client, timeout_s=LIMIT_S) as session:
            session.initialize()
            start = session.client.send("attach", settings)
            debuggee = Debuggee([sys.executable, target.path], cwd=target.folder, env=environment)
            try:
                session.client.wait_for("initialized", unless=start, timeout_s=LIMIT_S)
                session.ask("configurationDone")
                assert session.client.wait_for("terminated", timeout_s=LIMIT_S) == {"restart": True}
                assert debuggee.exit_code() == 0
            finally:
                debuggee.kill()
