"""Sub-interpreters: code that runs in one stops, shows what it is, steps and goes on, like any other."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from remora.client import Client, DebugSession, Family

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


class Following:
    """A program under --listen, and a client that follows all its sessions."""

    def __init__(self, program: Program, session: DebugSession, family: Family, debuggee: Debuggee) -> None:
        self.program = program
        self.session = session
        self.family = family
        self.debuggee = debuggee

    def child(self) -> DebugSession:
        return self.session.wait_child(timeout_s=10)


@contextlib.contextmanager
def following(program: Program, *markers: str, family: Family | None = None) -> Iterator[Following]:
    port = free_port()
    debuggee = Debuggee(
        [*remora("--listen", str(port), "--wait-for-client"), program.path], cwd=program.path.parent
    )
    family = family or Family()
    try:
        with DebugSession(Client.connect("127.0.0.1", port), family=family, timeout_s=10) as session:
            session.attach(breakpoints={program.path: [program.line(marker) for marker in markers]})
            yield Following(program, session, family, debuggee)
    finally:
        debuggee.kill()


def threads_of(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def test_a_pool_of_interpreters(tmp_path: Path) -> None:
    program = Program(tmp_path, POOL.format(workers=2, tasks=2))
    with following(program, "square") as it:
        found = set()
        for _ in range(2):
            child = it.child()
            assert child.configuration["interpreterId"] > 0
            assert child.process_id == it.debuggee.pid
            stop = child.stopped("breakpoint")
            top = child.top()
            assert top["name"] == "work"
            assert top["line"] == program.line("square")
            number = child.locals()["number"]["value"]
            found.add(number)
            assert child.evaluate("number + 10", frame_id=top["id"]) == str(int(number) + 10)
            child.step_over()
            assert child.top()["line"] == program.line("return")
            assert child.locals()["square"]["value"] == str(int(number) ** 2)
            assert stop.thread_id in {thread["id"] for thread in child.threads()}
            child.resume()
        assert found == {"0", "1"}
        assert it.session.wait_exit() in (0, None)
        assert it.debuggee.exit_code() == 0
        assert it.debuggee.stdout.strip() == "3"
