"""The commands for live programs on one that was never prepared, by its process id or its name."""

from __future__ import annotations

import contextlib
import json
import signal
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


def test_no_such_process(tmp_path: Path) -> None:
    number = run([sys.executable, "-c", "import os; print(os.getpid())"], cwd=tmp_path).stdout.strip()
    done = run(remora("eval", number, "1"), cwd=tmp_path)
    assert done.returncode == 1
    assert number in done.stderr
    assert "Traceback" not in done.stderr
