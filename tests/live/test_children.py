"""Every way a program can start another Python: the child is held, attached to, and stops where it shall."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from remora.client import Client, DebugSession
from remora.client.family import Family

from .harness.debuggee import LIMIT_S, Debuggee
from .harness.debugging import free_port
from .harness.programs import Program

type Write = Callable[..., Program]

PREFACE = """\
import os, subprocess, sys
import remora
remora.listen(int(os.environ["TEST_PORT"]))
remora.wait_for_client()
CHILD = os.environ["TEST_CHILD"]
def succeeded(code):
    assert code == 7, code
"""

# The child ends with 7, so that what started it is known to have seen it end as it would without us.
CHILD = """\
import os, sys
def work(number):
    doubled = number * 2  # @work
    return doubled
if __name__ == "__main__":
    print("child", work(21), flush=True)
    sys.exit(7)
"""


class Running(NamedTuple):
    session: DebugSession
    debuggee: Debuggee
    child: Program
    parent: Program

    def next_child(self, parent: DebugSession | None = None) -> DebugSession:
        return (parent or self.session).wait_child(timeout_s=LIMIT_S)

    def end(self) -> str:
        """Let the program end well; return what it has written."""
        code = self.debuggee.exit_code()
        assert code == 0, self.debuggee.stderr
        return self.debuggee.stdout


@contextlib.contextmanager
def family(
    write: Write,
    text: str,
    *,
    child: str = CHILD,
    filters: list[str] | None = None,
    env: dict[str, str] | None = None,
    follows: bool = True,
    child_stops: bool = True,
) -> Iterator[Running]:
    """Run `text` under a client that follows children; breakpoints are at each marker of the child's file."""
    childs = write(child, name="child")
    parents = write(PREFACE + text, name="app")
    port = free_port()
    variables = {"TEST_PORT": str(port), "TEST_CHILD": str(childs.path)} | dict(env or {})
    debuggee = Debuggee([sys.executable, str(parents.path)], cwd=parents.folder, env=variables)
    try:
        session = DebugSession(connect(port), family=Family() if follows else None)
        try:
            stops: dict[str | os.PathLike[str], list[int]] = {
                str(childs.path): list(childs.markers.values()) if child_stops else [],
                str(parents.path): list(parents.markers.values()),
            }
            session.attach(breakpoints=stops, exception_filters=filters or [])
            yield Running(session, debuggee, childs, parents)
        except BaseException as error:
            error.add_note(f"stdout: {debuggee.stdout}\nstderr: {debuggee.stderr}")
            raise
        finally:
            session.close()
    finally:
        debuggee.kill()


def connect(port: int) -> Client:
    return Client.connect("127.0.0.1", port, connect_timeout_s=LIMIT_S)


def is_at(session: DebugSession, program: Program, marker: str) -> None:
    session.stopped("breakpoint", timeout_s=LIMIT_S)
    top = session.top()
    assert (top["source"]["path"], top["line"]) == (str(program.path), program.line(marker))


WAYS = {
    "Popen": "succeeded(subprocess.call([sys.executable, CHILD]))",
    "shell": "succeeded(subprocess.call(f'true; {sys.executable} {CHILD}', shell=True))",
    "system": "succeeded(os.waitstatus_to_exitcode(os.system(f'{sys.executable} {CHILD}')))",
    "preexec_fn": "succeeded(subprocess.call([sys.executable, CHILD], preexec_fn=os.getpid))",
    "posix_spawn": """\
pid = os.posix_spawn(sys.executable, [sys.executable, CHILD], os.environ)
succeeded(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
""",
    "spawnv": "succeeded(os.spawnv(os.P_WAIT, sys.executable, [sys.executable, CHILD]))",
    "fork and exec": """\
pid = os.fork()
if not pid:
    os.execv(sys.executable, [sys.executable, CHILD])
succeeded(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
""",
    "env is empty": "succeeded(subprocess.call([sys.executable, CHILD], env={}))",
    "env is another": """\
succeeded(subprocess.call([sys.executable, CHILD], env={**os.environ, "PYTHONPATH": "/nowhere"}))
""",
    "environ cleared": "os.environ.clear(); succeeded(subprocess.call([sys.executable, CHILD]))",
    "execve env is empty": """\
pid = os.fork()
if not pid:
    os.execve(sys.executable, [sys.executable, CHILD], {})
succeeded(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
""",
    "-I": "succeeded(subprocess.call([sys.executable, '-I', CHILD]))",
    "-E": "succeeded(subprocess.call([sys.executable, '-E', CHILD]))",
    "-S": "succeeded(subprocess.call([sys.executable, '-S', CHILD]))",
    "-ISX dev": "succeeded(subprocess.call([sys.executable, '-ISXdev', CHILD], env={}))",
    "asyncio": """\
import asyncio
async def main():
    process = await asyncio.create_subprocess_exec(sys.executable, CHILD)
    succeeded(await process.wait())
asyncio.run(main())
""",
    "closed streams": """\
succeeded(subprocess.call(f"{sys.executable} {CHILD} <&- 2>&-", shell=True))
""",
}


@pytest.mark.parametrize("way", WAYS)
def test_started_child_stops_at_its_breakpoint(way: str, program: Write) -> None:
    with family(program, WAYS[way]) as running:
        child = running.next_child()
        is_at(child, running.child, "work")
        assert child.locals()["number"]["value"] == "21"
        child.resume()
        assert child.wait_exit(timeout_s=LIMIT_S) in (7, None)
        assert "child 42" in running.end()


def test_child_from_stdin(program: Write) -> None:
    source = "import sys, child; print('child', child.work(21), repr(sys.stdin.read()))"
    text = f"""\
source = {source!r}.encode()
subprocess.run([sys.executable, "-"], input=source, cwd=os.path.dirname(CHILD), check=True)
"""
    with family(program, text) as running:
        child = running.next_child()
        is_at(child, running.child, "work")
        child.resume()
        assert "child 42 ''" in running.end()


def test_forked_child_and_its_parent_both_go_on(program: Write) -> None:
    text = """\
pid = os.fork()
if pid == 0:
    mine = "child"  # @child
    os._exit(5)
theirs = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])  # @parent
print("code", theirs)
"""
    with family(program, text) as running:
        is_at(running.session, running.parent, "parent")
        child = running.next_child()
        is_at(child, running.parent, "child")
        assert len(child.stack()) == 1
        assert [thread["id"] for thread in child.threads()] == [1]
        running.session.resume()
        child.step_over()
        assert child.locals()["mine"]["value"] == "'child'"
        child.resume()
        assert child.wait_exit(timeout_s=LIMIT_S) == 5
        assert "code 5" in running.end()


POOLS = {
    "Process": """\
process = multiprocessing.get_context({method!r}).Process(target=child.work, args=(21,))
process.start()
process.join()
assert process.exitcode == 0
""",
    "Pool": """\
with multiprocessing.get_context({method!r}).Pool(1) as pool:
    assert pool.map(child.work, [21]) == [42]
""",
    "futures": """\
import concurrent.futures
context = multiprocessing.get_context({method!r})
with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
    assert pool.submit(child.work, 21).result() == 42
""",
}


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("kind", POOLS)
def test_multiprocessing(kind: str, method: str, program: Write) -> None:
    body = POOLS[kind].format(method=method).replace("\n", "\n    ")
    text = f"""\
import multiprocessing
import child
if __name__ == "__main__":
    {body}
    print("done")
"""
    # A spawned child runs the line that listens again: it is told the family's port.
    with family(program, text) as running:
        child = running.next_child()
        is_at(child, running.child, "work")
        assert child.locals()["number"]["value"] == "21"
        child.resume()
        assert "done" in running.end()
        assert running.session.children == [child]


def test_grandchildren(program: Write) -> None:
    between = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, sys.argv[1]]))"
    text = f"succeeded(subprocess.call([sys.executable, '-c', {between!r}, CHILD]))"
    with family(program, text) as running:
        child = running.next_child()
        grandchild = running.next_child(child)
        is_at(grandchild, running.child, "work")
        grandchild.resume()
        assert "child 42" in running.end()


def test_program_of_one_thread_is_not_warned_of_threads(program: Write) -> None:
    text = """\
import warnings
warnings.simplefilter("error")
x = 1  # @stop
for round in range(3):
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
subprocess.run([sys.executable, "-c", ""], preexec_fn=os.getpid, check=True)
print("done")
"""
    with family(program, text) as running:
        is_at(running.session, running.parent, "stop")
        assert (
            running.session.evaluate("40 + 2", running.session.top()["id"], context="watch") == "42"
        )  # starts the watcher of its time
        running.session.resume()
        assert "done" in running.end()
        assert "Warning" not in running.debuggee.stderr


def test_fork_beside_a_thread_that_stands(program: Write) -> None:
    """The child is on its own; in the parent all is as before, and the stop goes on."""
    text = """\
import threading, time
def stand():
    while not go.wait(0.001):
        pass
    x = 1  # @stands
go = threading.Event()
thread = threading.Thread(target=stand)
thread.start()
time.sleep = None
def forks():
    pid = os.fork()
    if not pid:
        y = 1  # @child
        os._exit(4)
    print("code", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
other = threading.Thread(target=forks)
go.set()
thread.join()
other.start()
other.join()
"""
    with family(program, text) as running:
        is_at(running.session, running.parent, "stands")
        running.session.resume()
        child = running.next_child()
        is_at(child, running.parent, "child")
        assert [thread["id"] for thread in child.threads()] == [1]
        assert child.locals()["pid"]["value"] == "0"
        child.resume()
        assert child.wait_exit(timeout_s=LIMIT_S) == 4
        assert "code 4" in running.end()


def test_evaluated_fork_while_stopped(program: Write) -> None:
    text = """\
x = 1  # @stop
print("done")
"""
    with family(program, text) as running:
        is_at(running.session, running.parent, "stop")
        forked = (
            "[os._exit(3) if not (pid := os.fork()) else os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])]"
        )
        assert running.session.evaluate(forked, context="repl") == "[3]"
        assert running.session.top()["line"] == running.parent.line("stop")
        running.session.resume()
        assert "done" in running.end()


def test_terminal_of_its_own(program: Write) -> None:
    text = """\
import pty
pid, fd = pty.fork()
if not pid:
    os.execv(sys.executable, [sys.executable, CHILD])
data = b""
try:
    while chunk := os.read(fd, 1000):
        data += chunk
except OSError:
    pass
succeeded(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
print(data.decode())
"""
    with family(program, text) as running:
        child = running.next_child()
        is_at(child, running.child, "work")
        child.resume()
        assert "child 42" in running.end()


def test_program_that_becomes_another(program: Write) -> None:
    """Exec: the same session, the same breakpoints, and what was printed before is not lost."""
    text = """\
x = 1  # @before
print("before", flush=True)
os.execv(sys.executable, [sys.executable, CHILD])
"""
    with family(program, text) as running:
        is_at(running.session, running.parent, "before")
        running.session.resume()
        is_at(running.session, running.child, "work")
        running.session.resume()
        running.session.client.wait_for("terminated", timeout_s=LIMIT_S)
        assert running.debuggee.exit_code() == 7
        assert running.debuggee.stdout == "before\nchild 42\n"
        assert running.session.output("stdout") == "before\nchild 42\n"


def test_exec_that_fails_changes_nothing(program: Write) -> None:
    text = """\
try:
    os.execv("/nowhere/python", ["python", "-I", CHILD])
except FileNotFoundError:
    x = 1  # @after
print("done")
"""
    with family(program, text) as running:
        is_at(running.session, running.parent, "after")
        running.session.resume()
        assert "done" in running.end()


def test_breakpoint_and_waiting_in_a_child(program: Write) -> None:
    child_text = """\
import remora
assert remora.wait_for_client(20)
assert remora.is_client_connected()
breakpoint()
print("child")
"""
    with family(program, "subprocess.run([sys.executable, CHILD], check=True)", child=child_text) as running:
        child = running.next_child()
        child.stopped("breakpoint", timeout_s=LIMIT_S)
        assert child.top()["source"]["path"] == str(running.child.path)
        child.resume()
        assert "child" in running.end()


LISTENS = """\
import remora, sys
where = remora.listen(int(sys.argv[1]))
print("child listens", where[1], flush=True)
"""


def test_child_that_listens_where_its_family_does(program: Write) -> None:
    text = """\
port = os.environ["TEST_PORT"]
subprocess.run([sys.executable, CHILD, port], check=True)
print("family listens", port)
"""
    with family(program, text, child=LISTENS) as running:
        out = dict(line.rsplit(" ", 1) for line in running.end().splitlines())
        assert out["child listens"] == out["family listens"]


def test_child_nobody_is_attached_to_may_listen_elsewhere(program: Write) -> None:
    text = """\
import socket
with socket.create_server(("127.0.0.1", 0)) as probe:
    port = str(probe.getsockname()[1])
subprocess.run([sys.executable, CHILD, port], check=True)
print("wished for", port)
"""
    with family(program, text, child=LISTENS, follows=False) as running:
        out = dict(line.rsplit(" ", 1) for line in running.end().splitlines())
        assert out["child listens"] == out["wished for"]


UNCAUGHT = {
    "multiprocessing": """\
import child, multiprocessing
process = multiprocessing.get_context("fork").Process(target=child.fails)
process.start()
process.join()
""",
    "spawned": """\
import child, multiprocessing
if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=child.fails)
    process.start()
    process.join()
""",
    "Popen": """\
subprocess.run([sys.executable, '-c', 'import child; child.fails()'], cwd=os.path.dirname(CHILD))
""",
    "fork": """\
import child
if not os.fork():
    child.fails()
os.wait()
""",
}


@pytest.mark.parametrize("way", UNCAUGHT)
def test_uncaught_exception_of_a_child_stops_post_mortem(way: str, program: Write) -> None:
    child_text = """\
def fails():
    answer = 42
    raise ValueError("no")  # @raises
"""
    text = UNCAUGHT[way] + "\n"
    with family(program, text, child=child_text, filters=["uncaught"], child_stops=False) as running:
        child = running.next_child()
        child.stopped("exception", timeout_s=LIMIT_S)
        assert child.top()["line"] == running.child.line("raises")
        assert child.locals()["answer"]["value"] == "42"
        child.resume()
        assert "ValueError: no" in (running.end() + running.debuggee.stderr)


def test_daemon_that_closes_everything(program: Write) -> None:
    """Twice forked, all descriptors closed and the standard ones opened again: it is debugged all the same.

    The client goes on in the session it has.
    """
    text = """\
def work():
    z = 1  # @daemon
    with open(os.environ["TEST_CHILD"] + ".out", "w") as file:
        file.write("written")
import select, time
from remora.agent import join
alive, end = os.pipe()
if os.fork():
    os.wait()
    os.close(end)
    select.select([alive], [], [], 20)  # whose session ends before the daemon calls cannot be told of it
else:
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir("/")
    before = join.current()
    for fd in range(0, 256):
        if fd != end:
            try:
                os.close(fd)
            except OSError:
                pass
    assert [os.open(os.devnull, os.O_RDWR), os.dup(0), os.dup(0)] == [0, 1, 2]
    deadline = time.monotonic() + 10
    while join.current() is before or not remora.wait_for_client(0.05):
        assert time.monotonic() < deadline
    work()
    os._exit(0)
"""
    with family(program, text) as running:
        # The process in between has ended, maybe before its child was born.
        follows = running.session.family
        assert follows is not None
        follows.wait_child(None, timeout_s=LIMIT_S)
        daemon = follows.wait_child(None, timeout_s=LIMIT_S)
        is_at(daemon, running.parent, "daemon")
        daemon.resume()
        daemon.client.wait_for("terminated", timeout_s=LIMIT_S)
        running.end()
        assert (running.child.path.parent / "child.py.out").read_text() == "written"


def test_child_that_cannot_join_is_named_once(program: Write) -> None:
    text = """\
for _ in range(2):
    subprocess.run([sys.executable, "-I", "-"], input=b"print('ran')", check=True)
"""
    with family(program, text) as running:
        out = running.end()
        assert out == "ran\nran\n"
        running.session.client.wait_for("terminated", timeout_s=LIMIT_S)
        assert running.session.output("console").count("not debugged") == 1
