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
    parent_stops: bool = False,
) -> Iterator[Running]:
    """Run `text` under a client that follows children; breakpoints are at each marker of the child's file."""
    childs = write(child, name="child")
    parents = write(PREFACE + text, name="app")
    port = free_port()
    variables = {"TEST_PORT": str(port), "TEST_CHILD": str(childs.path)} | dict(env or {})
    debuggee = Debuggee([sys.executable, str(parents.path)], cwd=parents.folder, env=variables)
    try:
        session = DebugSession(connect(port), family=Family())
        try:
            stops: dict[str | os.PathLike[str], list[int]] = {
                str(childs.path): list(childs.markers.values()),
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
