"""Sub-interpreters: code that runs in one stops, shows what it is, steps and goes on, like any other.

And they end as they would have: CPython ends the process if a thread of ours is left in one that ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from remora.client import Client, DebugSession, Family, RequestFailed
from remora.client.family import HOLD

from .harness.debuggee import Debuggee, remora
from .harness.debugging import free_port
from .harness.programs import Program

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 14), reason="concurrent.interpreters came with Python 3.14"
)

POOL = """\
from concurrent.futures import InterpreterPoolExecutor

def work(number):
    square = number * number  # @square
    return square + 1  # @return

if __name__ == "__main__":
    with InterpreterPoolExecutor(max_workers={workers}) as pool:
        print(sum(pool.map(work, range({tasks}))))
"""
PREFACE = """\
from concurrent import interpreters
import os, subprocess, sys, threading, time

def double(number):
    twice = number * 2  # @twice
    return twice

def spin(seconds):
    end = time.monotonic() + seconds
    open(f"spin {seconds}", "x").close()
    while time.monotonic() < end:
        threading.get_ident()  # @spin
    return True

def sleep(path):
    open("sleep", "x").close()
    while not os.path.exists(path):
        time.sleep(0.1)
    return True  # @awake

def crowd(number):
    threading.Thread(target=double, args=(number,), name="worker").start()

def outer(number):
    inner = interpreters.create()
    result = inner.call(double, number)
    inner.close()
    argv = [sys.executable, "-c", f"print({result} + 1)"]
    return int(subprocess.run(argv, capture_output=True, env={}).stdout)

def have():
    return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))

def settles_at(expected):
    deadline = time.monotonic() + 5
    while have() != expected and time.monotonic() < deadline:
        time.sleep(0.01)
    return have() == expected or (have(), expected)

"""


class Following:
    """A program under --listen, and a client that follows all its sessions."""

    def __init__(self, program: Program, session: DebugSession, family: Family, debuggee: Debuggee) -> None:
        self.program = program
        self.session = session
        self.family = family
        self.debuggee = debuggee

    def child(self) -> DebugSession:
        return self.session.wait_child(timeout_s=15)

    def ends(self) -> str:
        """Wait for the end, which is to be a good one, and return what the program printed."""
        assert self.session.wait_exit(timeout_s=15) == 0
        assert self.debuggee.exit_code() == 0
        assert "Fatal" not in self.debuggee.stderr
        return self.debuggee.stdout.strip()


@contextlib.contextmanager
def following(program: Program, *markers: str, family: Family | None = None) -> Iterator[Following]:
    port = free_port()
    debuggee = Debuggee(
        [*remora("--listen", str(port), "--wait-for-client"), program.path], cwd=program.path.parent
    )
    family = family or Family()
    try:
        with DebugSession(Client.connect("127.0.0.1", port), family=family, timeout_s=15) as session:
            session.attach(breakpoints={program.path: [program.line(marker) for marker in markers]})
            yield Following(program, session, family, debuggee)
    finally:
        debuggee.kill()


def running(folder: Path, text: str) -> Program:
    """A program whose main part is `text`, under the functions of PREFACE."""
    body = "".join(f"    {line}\n" for line in text.strip().splitlines())
    return Program(folder, f'{PREFACE}if __name__ == "__main__":\n{body}')


def test_a_pool_of_interpreters(tmp_path: Path) -> None:
    program = Program(tmp_path, POOL.format(workers=2, tasks=2))
    with following(program, "square") as it:
        found = set()
        for _ in range(2):
            child = it.child()
            number = child.configuration["interpreterId"]
            assert child.configuration["name"] == f"app.py (interpreter {number} of {it.debuggee.pid})"
            assert child.process_id == it.debuggee.pid
            stop = child.stopped("breakpoint")
            top = child.top()
            assert (top["name"], top["line"]) == ("work", program.line("square"))
            value = child.locals()["number"]["value"]
            found.add(value)
            assert child.evaluate("number + 10", frame_id=top["id"]) == str(int(value) + 10)
            child.step_over()
            assert child.top()["line"] == program.line("return")
            assert child.locals()["square"]["value"] == str(int(value) ** 2)
            assert stop.thread_id == 1 and [thread["id"] for thread in child.threads()] == [1]
            child.resume()
        assert found == {"0", "1"}
        assert it.ends() == "3"


def test_twenty_at_once(tmp_path: Path) -> None:
    with following(Program(tmp_path, POOL.format(workers=20, tasks=20)), "square") as it:
        children = [it.child() for _ in range(20)]
        for child in children:
            child.stopped("breakpoint")
        assert {child.locals()["number"]["value"] for child in children} == {str(n) for n in range(20)}
        for child in children:
            child.resume()
        assert it.ends() == str(sum(n * n + 1 for n in range(20)))


def test_what_nobody_attaches_to_runs_on(tmp_path: Path) -> None:
    """A client that takes no children: nothing waits, and nothing is left when an interpreter ends."""
    program = running(
        tmp_path,
        """
interpreters.create().close()
before = have()
for number in range(3):
    interpreter = interpreters.create()
    print(interpreter.call(double, number))
    interpreter.close()
print(settles_at(before))
""",
    )
    port = free_port()
    debuggee = Debuggee([*remora("--listen", str(port), "--wait-for-client"), program.path], cwd=tmp_path)
    try:
        with DebugSession(Client.connect("127.0.0.1", port)) as session:
            session.attach(breakpoints={program.path: [program.line("twice")]}, subProcess=False)
            assert session.wait_exit() == 0
        assert debuggee.exit_code() == 0
        assert debuggee.stdout.split() == ["0", "2", "4", "True"]
    finally:
        debuggee.kill()


def test_an_interpreter_ends_its_session(tmp_path: Path) -> None:
    """With threads of ours in it: the agent's, and the one that looks after evaluations."""
    program = running(
        tmp_path,
        """
interpreter = interpreters.create()
print(interpreter.call(double, 1))
interpreter.close()
print(interpreters.create().call(double, 5))
""",
    )
    with following(program, "twice") as it:
        first = it.child()
        first.stopped("breakpoint")
        assert first.evaluate("sum(range(number + 9))", context="watch") == "45"
        with pytest.raises(RequestFailed, match="cannot be ended"):
            first.terminate()
        first.resume()
        first.wait_exit()
        # The process ends with this one alive: Python warns of it, and that is all.
        second = it.child()
        second.stopped("breakpoint")
        assert second.evaluate("number", context="watch") == "5"
        second.resume()
        assert it.ends().split() == ["2", "10"]


def test_pause_and_breakpoints_in_code_that_runs(tmp_path: Path) -> None:
    program = running(
        tmp_path,
        """
busy, idle = interpreters.create(), interpreters.create()
threads = busy.call_in_thread(spin, 60), idle.call_in_thread(sleep, "wake")
for thread in threads:
    thread.join()
""",
    )
    with following(program) as it:
        children = sorted(
            (it.child() for _ in range(2)), key=lambda each: each.configuration["interpreterId"]
        )
        for child, name, path in zip(children, ("spin", "sleep"), ("spin 60", "sleep"), strict=True):
            child.client.wait_until((tmp_path / path).exists, f"{name} to run", 15)
            child.pause()
            assert name in [frame["name"] for frame in child.stack()]
            child.set_breakpoints(program.path, [program.line("spin"), program.line("awake")])
            child.resume()
        busy, idle = children
        busy.stopped("breakpoint")
        (tmp_path / "wake").touch()
        idle.stopped("breakpoint")
        assert busy.top()["line"] == program.line("spin"), "it stands while the other goes its way"
        busy.evaluate("end = 0")
        for child in children:
            child.set_breakpoints(program.path, [])
            child.resume()
        it.ends()


def test_clients_that_go(tmp_path: Path) -> None:
    with following(Program(tmp_path, POOL.format(workers=2, tasks=4)), "square") as it:
        leaving, vanishing = it.child(), it.child()
        leaving.stopped("breakpoint")
        vanishing.stopped("breakpoint")
        leaving.disconnect()
        vanishing.client.close()
        assert it.ends() == "18"


def test_ctrl_c_while_it_waits_for_its_client(tmp_path: Path) -> None:
    program = running(
        tmp_path,
        """
interpreter = interpreters.create()
print("now", flush=True)
try:
    interpreter.exec("print('not yet', flush=True)")
except KeyboardInterrupt:
    print("interrupted", flush=True)
interpreter.exec("print('again', flush=True)")
""",
    )
    with following(program, family=Family(lambda child: HOLD)) as it:
        it.debuggee.wait_for_output("now")
        it.session.client.wait_until(lambda: bool(it.session.children), "the interpreter's session", 15)
        os.kill(it.debuggee.pid, signal.SIGINT)
        assert it.ends().split() == ["now", "interrupted", "again"]


def test_interpreters_and_processes_from_within(tmp_path: Path) -> None:
    program = running(
        tmp_path,
        """
print(interpreters.create().call(outer, 4))
""",
    )
    with following(program, "twice") as it:
        it.child()
        inner = it.child()
        inner.stopped("breakpoint")
        assert inner.top()["name"] == "double"
        inner.resume()
        child = it.child()
        assert child.process_id != it.debuggee.pid and "interpreterId" not in child.configuration
        assert it.ends() == "9"


def test_in_a_child(tmp_path: Path) -> None:
    """Python reads the child's sitecustomize, ours, in each interpreter again: that is not how they join."""
    program = running(
        tmp_path,
        """
if len(sys.argv) == 1:
    sys.exit(subprocess.call([sys.executable, __file__, "child"]))
interpreter = interpreters.create()
interpreter.exec("import os; print('remora' in os.environ.get('PYTHONPATH', ''))")
print(interpreter.call(double, 21))
""",
    )
    with following(program, "twice") as it:
        child = it.child()
        assert child.process_id != it.debuggee.pid
        interpreter = child.wait_child(timeout_s=15)
        assert interpreter.process_id == child.process_id
        interpreter.stopped("breakpoint")
        assert interpreter.locals()["number"]["value"] == "21"
        interpreter.resume()
        assert child.wait_exit() in (0, None)
        assert it.ends().split() == ["True", "42"]


def test_threads_within(tmp_path: Path) -> None:
    """All of them stop, and an interpreter that ends waits for those that do not."""
    program = running(
        tmp_path,
        """
interpreter = interpreters.create()
interpreter.call(crowd, 3)
interpreter.close()
""",
    )
    with following(program, "twice") as it:
        child = it.child()
        stop = child.stopped("breakpoint")
        assert stop.thread_id != 1
        assert [thread["name"].split(" ")[0] for thread in child.threads()] == ["MainThread", "worker"]
        child.resume()
        it.ends()


def test_listening_when_interpreters_are_there(tmp_path: Path) -> None:
    """One that runs code just then is met at its next; stop() leaves nothing of us in any of them."""
    program = running(
        tmp_path,
        """
import remora
idle, busy = interpreters.create(), interpreters.create()
idle.call(double, 1)
before = have()
thread = busy.call_in_thread(spin, 0.5)
for port in sys.argv[1:]:
    remora.listen(("127.0.0.1", int(port)))
    remora.wait_for_client()
    idle.call(double, 2)
    thread.join()
    busy.call(double, 3)
    remora.stop()
    print(settles_at(before), flush=True)
    idle.call(double, 4)
""",
    )
    ports = [free_port(), free_port()]
    debuggee = Debuggee([sys.executable, program.path, *map(str, ports)], cwd=tmp_path)
    try:
        for port in ports:
            client = Client.connect("127.0.0.1", port, connect_timeout_s=15)
            with DebugSession(client, family=Family(), timeout_s=15) as session:
                session.attach(breakpoints={program.path: [program.line("twice")]})
                for expected in ("2", "3"):
                    child = session.wait_child(timeout_s=15)
                    child.stopped("breakpoint")
                    assert child.locals()["number"]["value"] == expected
                    child.resume()
                session.wait_exit()
        assert debuggee.exit_code() == 0
        assert debuggee.stdout.split() == ["True", "True"]
    finally:
        debuggee.kill()


def test_the_code_that_is_run_sees_nothing_of_us(tmp_path: Path) -> None:
    program = running(
        tmp_path,
        """
interpreter = interpreters.create()
interpreter.exec("import sys; print(sorted(n for n in dir() if not n.startswith('__')))")
interpreter.exec("print(sys.argv[0], any('remora/agent' in each for each in sys.path), len(sys.path))")
try:
    interpreter.exec("1 / 0")
except interpreters.ExecutionFailed as error:
    print(error.excinfo.type.__name__)
print(interpreter.is_running())
try:
    interpreters.create().call(42)
except Exception as error:
    print(type(error).__name__)
interpreter.close()
try:
    interpreter.exec("1")
except Exception as error:
    print(type(error).__name__)
""",
    )
    bare = Debuggee([sys.executable, program.path], cwd=tmp_path)
    assert bare.exit_code() == 0
    with following(program) as it:
        debugged = it.ends().splitlines()
    expected = bare.stdout.splitlines()
    # What Python was started with is what an interpreter sees as its argv and its path.
    assert expected[1].endswith(f"app.py False {debugged[1].split()[-1]}")
    assert [debugged[0], *debugged[2:]] == [expected[0], *expected[2:]]
