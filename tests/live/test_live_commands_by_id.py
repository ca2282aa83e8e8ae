"""The commands for live programs on one that was never prepared, by its process id or its name."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .harness.debuggee import Debuggee, remora, run, until
from .harness.programs import Program

type Write = Callable[..., Program]

WORK = """\
import os, sys, threading, time

def handle(number, password="hunter2"):
    return number * 2                            # @here

for number in range(10**9):
    handle(number)
    time.sleep(0.005)
    if os.path.exists("ask"):
        os.remove("ask")
        tools = [tool for tool in map(sys.monitoring.get_tool, range(6)) if tool]
        print("tools", tools, threading.active_count(), flush=True)
    if number % 20 == 0:
        print("beat", flush=True)
"""


@contextlib.contextmanager
def running(target: Program) -> Iterator[Debuggee]:
    debuggee = Debuggee([sys.executable, str(target.path)], cwd=target.folder)
    try:
        debuggee.wait_for_output("beat")
        yield debuggee
    finally:
        debuggee.kill()


def place(target: Program) -> str:
    return f"{target.path}:{target.line('here')}"


def state(debuggee: Debuggee, folder: Path) -> str:
    answered = debuggee.stdout.count("tools [")
    (folder / "ask").touch()
    until(lambda: debuggee.stdout.count("tools [") > answered, "an answer of the program")
    return debuggee.stdout.rpartition("tools ")[2].splitlines()[0]


def is_as_before(debuggee: Debuggee, folder: Path) -> None:
    until(lambda: state(debuggee, folder) == "[] 1", "nothing of ours at work")


def test_log_snapshot_eval_and_stack(program: Write) -> None:
    target = program(WORK)
    with running(target) as debuggee:
        pid = str(debuggee.pid)
        done = run(
            remora("log", pid, place(target), "{number} {password}", "--limit", "2"), cwd=target.folder
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert [line.split()[2] for line in done.stdout.splitlines()] == ["<redacted>"] * 2
        done = run(remora("snapshot", pid, place(target), "--json"), cwd=target.folder)
        snapshot = json.loads(done.stdout.splitlines()[0])
        assert snapshot["pid"] == debuggee.pid
        assert snapshot["frames"][0]["variables"][1]["value"] == "<redacted>"
        done = run(remora("eval", pid, "handle.__name__"), cwd=target.folder)
        assert (done.stdout, done.stderr) == ("'handle'\n", "")
        done = run(remora("stack", pid, "--locals"), cwd=target.folder)
        assert done.returncode == 0, done.stderr
        assert "thread 1 'MainThread'" in done.stdout
        assert "number = " in done.stdout
        is_as_before(debuggee, target.folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_however_it_ends_the_program_is_as_it_was(program: Write, number: signal.Signals) -> None:
    target = program(WORK)
    with running(target) as debuggee:
        command = Debuggee(remora("log", str(debuggee.pid), place(target), "{number}"), cwd=target.folder)
        command.wait_for_output("\n")
        command.process.send_signal(number)
        assert command.exit_code() == (-9 if number == signal.SIGKILL else 0)
        is_as_before(debuggee, target.folder)
        done = run(remora("eval", str(debuggee.pid), "1 + 1"), cwd=target.folder)
        assert (done.stdout, done.returncode) == ("2\n", 0), "and the next one gets in"


def test_by_name(program: Write) -> None:
    name = f"shop_{uuid.uuid4().hex[:8]}"
    target = program(WORK, name=name)
    with running(target):
        for text in (name, f"{name}.py"):
            done = run(remora("eval", text, "handle.__name__"), cwd=target.folder)
            assert (done.stdout, done.stderr) == ("'handle'\n", "")
        with running(target):
            done = run(remora("eval", name, "1"), cwd=target.folder)
            assert done.returncode == 2
            assert f"2 processes run '{name}'" in done.stderr
            assert done.stderr.count(str(target.path)) == 2, "and which they are"


BLOCKED = """\
import socket, threading

def wait_for_lock(lock):
    lock.acquire()                               # @lock

lock = threading.Lock()
lock.acquire()
threading.Thread(target=wait_for_lock, args=(lock,), name="locker").start()
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)

def serve():
    password = "hunter2"
    return server.accept()                       # @accept

peer, address = serve()
peer.sendall(b"well")
print([thread.name for thread in threading.enumerate()], flush=True)
lock.release()
"""


@pytest.mark.skipif(sys.version_info < (3, 14), reason="stacks are read from outside from 3.14 on")
def test_stack_of_a_blocked_program_is_read_from_outside(program: Write) -> None:
    target = program(BLOCKED)
    debuggee = Debuggee([sys.executable, str(target.path)], cwd=target.folder)
    try:
        debuggee.wait_for_output("\n")
        where = f"  {target.path.name}:{target.line('accept')} in serve\n    return server.accept()"
        done = run(remora("stack", str(debuggee.pid)), cwd=target.folder)
        assert (done.returncode, done.stderr) == (0, "")
        assert f"thread {debuggee.pid} 'MainThread' blocked in accept\n" in done.stdout
        assert where in done.stdout
        assert f"  app.py:{target.line('lock')} in wait_for_lock" in done.stdout
        done = run(remora("stack", str(debuggee.pid), "--json"), cwd=target.folder)
        main, locker = map(json.loads, done.stdout.splitlines())
        assert (main["type"], main["nativeId"], main["blockedIn"]) == ("thread", debuggee.pid, "accept")
        assert [frame["function"] for frame in main["frames"] if frame["userCode"]] == ["serve", "<module>"]
        assert (locker["name"], locker["blockedIn"]) == ("locker", "a lock")
        with socket.create_connection(("127.0.0.1", int(debuggee.stdout))) as peer:
            assert peer.recv(4) == b"well"
        assert debuggee.exit_code() == 0
        assert debuggee.stdout.endswith("['MainThread', 'locker']\n"), "nobody was let in"
    finally:
        debuggee.kill()


ASYNCIO = """\
import asyncio
async def leaf():
    await asyncio.sleep(1000)
async def main():
    async with asyncio.TaskGroup() as group:
        for number in range(2):
            group.create_task(leaf(), name=f"leaf-{number}")
        await asyncio.sleep(0)
        print("begun", flush=True)
asyncio.run(main())
"""


def test_tasks_of_an_idle_loop(program: Write) -> None:
    target = program(ASYNCIO)
    debuggee = Debuggee([sys.executable, str(target.path)], cwd=target.folder)
    try:
        debuggee.wait_for_output("begun")
        for options in ([], ["--locals"]):
            done = run(remora("stack", str(debuggee.pid), *options), cwd=target.folder)
            assert done.returncode == 0, done.stderr
            assert "task 'Task-1' (main) waits for " in done.stdout
            for number in range(2):
                assert re.search(rf"task 'leaf-{number}' \(leaf\) .*awaited by 'Task-1'\n", done.stdout)
    finally:
        debuggee.kill()


def test_no_such_process(tmp_path: Path) -> None:
    number = run([sys.executable, "-c", "import os; print(os.getpid())"], cwd=tmp_path).stdout.strip()
    done = run(remora("eval", number, "1"), cwd=tmp_path)
    assert done.returncode == 1
    assert number in done.stderr
    assert "Traceback" not in done.stderr
