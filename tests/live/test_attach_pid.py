"""Attach by process id: programs that know nothing of us, whatever they do; they are left as they were."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from live.harness.debuggee import until
from live.injected import (
    PROGRAMS,
    adapter,
    adapter_with_port,
    attached,
    folders_left,
    leaves_nothing,
    running,
    threads_and_files,
)
from remora.client import Client, DebugSession, RequestFailed
from remora.inject import debugger, doors, ladder, processes, ptrace
from remora.inject.place import Place

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="attaching by process id needs /proc")

HAS_REMOTE_EXEC = sys.version_info >= (3, 14)


@pytest.mark.parametrize("name", PROGRAMS)
def test_attach_look_and_leave(name: str, tmp_path: Path) -> None:
    """Attached, evaluated in, detached, and again: nothing is left of either time."""
    with running(tmp_path, PROGRAMS[name]) as program:
        before = threads_and_files(program.pid)
        for _ in range(2):
            with attached(program.pid) as session:
                assert session.threads()[0]["name"] == "MainThread"
                session.evaluate("import sys")
                assert session.evaluate("__import__('os').getpid()") == str(program.pid)
            leaves_nothing(program.pid, before)
            assert not folders_left(program.pid)
        assert program.running
        assert program.stdout.strip() == "ready"
        assert program.stderr == ""


def test_break_step_and_go_on(tmp_path: Path) -> None:
    with running(tmp_path, PROGRAMS["busy"]) as program:
        app = tmp_path / "app.py"
        with adapter() as client:
            session = DebugSession(client)
            session.attach(processId=program.pid, breakpoints={str(app): [4]})
            first = session.stopped("breakpoint")
            n = int(session.evaluate("n", session.top()["id"]))
            session.step_over()
            session.step_over()
            assert int(session.evaluate("n", session.top()["id"])) > n
            assert first.reason == "breakpoint"
            session.disconnect()
        assert program.running


@pytest.mark.parametrize("name", ["busy", "threads", "sleep"])
def test_a_second_debugger_is_told_who_is_there(name: str, tmp_path: Path) -> None:
    with running(tmp_path, PROGRAMS[name]) as program, attached(program.pid) as first, adapter() as client:
        second = DebugSession(client)
        with pytest.raises(RequestFailed, match="already attached"):
            second.attach(processId=program.pid)
        assert first.threads()


def test_one_that_listens_is_attached_to_through_its_hub(tmp_path: Path) -> None:
    text = 'import remora, time; remora.listen(0); print("ready", flush=True); time.sleep(1000)'
    with running(tmp_path, text) as program:
        before = doors.doors(program.pid)
        assert len(before) == 1
        with attached(program.pid) as session:
            assert session.evaluate("1 + 1") == "2"
            # No second agent, and no second hub.
            assert doors.doors(program.pid) == before


def test_what_it_starts_from_then_on_is_debugged_too(tmp_path: Path) -> None:
    text = """\
        import os, subprocess, sys, time
        print("ready", flush=True)
        while not os.path.exists("spawn"):
            time.sleep(0.02)
        before = dict(os.environ)
        subprocess.run([sys.executable, "child.py"])
        print(before == dict(os.environ), "PYTHONPATH" in os.environ, flush=True)
        while not os.path.exists("again"):
            time.sleep(0.02)
        subprocess.run([sys.executable, "child.py"])
    """
    (tmp_path / "child.py").write_text(
        "import sys\nprint('child', [n for n in sys.modules if 'remora' in n][:1])\n"
    )
    with running(tmp_path, text) as program:
        with adapter() as client:
            session = DebugSession(client)
            session.attach(processId=program.pid)
            (tmp_path / "spawn").touch()
            child = client.wait_for("debugpyAttach")
            with Client.connect(child["connect"]["host"], child["connect"]["port"]) as other:
                DebugSession(other).attach(
                    subProcessId=child["subProcessId"], breakpoints={str(tmp_path / "child.py"): [2]}
                )
                stopped = other.wait_for("stopped")
                assert stopped["reason"] == "breakpoint"
                other.request("disconnect")
            program.wait_for_output("True False")
            session.disconnect()
        # Afterwards they are none of our business.
        (tmp_path / "again").touch()
        assert program.exit_code() == 0
        assert program.stdout.splitlines()[-1] == "child []"
        assert program.stderr == ""


# -- each way in


def through(pid: int, *ways: str, attempts: int = 1) -> None:
    """Bring the script in by these ways only, `attempts` times; it does no more than say so."""
    for _ in range(attempts):
        target = processes.Target(pid)
        place = Place(target)
        try:
            start = {"do": "connect", "where": ["127.0.0.1", 1], "token": None}
            with pytest.raises(Exception, match="Connection refused"):
                ladder.bring(target, place, start, ladder.Watch(ways=frozenset(ways)))
        finally:
            place.remove()


def is_there(name: str) -> bool:
    return any(os.access(os.path.join(folder, name), os.X_OK) for folder in os.environ["PATH"].split(":"))


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("way", ["ptrace", "gdb"])
def test_each_way_alone(way: str, name: str, tmp_path: Path) -> None:
    if way == "gdb" and not is_there("gdb"):
        pytest.skip("gdb is not installed")
    with running(tmp_path, PROGRAMS[name]) as program:
        before = threads_and_files(program.pid)
        through(program.pid, way, attempts=2 if way == "gdb" else 5)
        leaves_nothing(program.pid, before)
        assert program.running
        assert (program.stdout.strip(), program.stderr) == ("ready", "")


def test_gdb_on_a_machine_we_have_no_code_for(tmp_path: Path) -> None:
    if not is_there("gdb"):
        pytest.skip("gdb is not installed")
    with running(tmp_path, PROGRAMS["busy"]) as program:
        (tmp_path / "script.py").write_text("open('was_here', 'w').close()")
        debugger.enter("gdb", processes.Target(program.pid), str(tmp_path / "script.py"), machine="another")
        until((tmp_path / "was_here").exists, "the script has run")
        assert program.running
        assert program.stderr == ""


@pytest.mark.skipif(not HAS_REMOTE_EXEC, reason="sys.remote_exec came with 3.14")
@pytest.mark.parametrize("name", ["busy", "asyncio"])
def test_remote_exec_alone(name: str, tmp_path: Path) -> None:
    """An idle event loop is woken; that it is not disturbed by it, its sleep tells."""
    with running(tmp_path, PROGRAMS[name]) as program:
        through(program.pid, "remote_exec", "nudge", attempts=5)
        assert program.running
        assert (program.stdout.strip(), program.stderr) == ("ready", "")


# -- what cannot be waited for


STUCK = """\
    import sys
    print("ready", flush=True)
    sum(range(150_000_000))     # keeps the interpreter for itself
    print("done", flush=True)
"""


def test_a_wait_can_be_cancelled_and_nothing_happens_after_it(tmp_path: Path) -> None:
    with running(tmp_path, STUCK) as program:
        before = threads_and_files(program.pid)
        with adapter() as client:
            session = DebugSession(client, features={"supportsProgressReporting": True})
            session.initialize()
            asked = client.send("attach", {"processId": program.pid})
            shown = client.wait_for("progressStart", timeout_s=10)
            assert shown["cancellable"] is True
            assert "waiting" in shown["message"]
            client.wait_for("output", where=lambda body: "its main thread runs" in body["output"])
            client.request("cancel", {"progressId": shown["progressId"]})
            with pytest.raises(RequestFailed, match="cancelled"):
                asked.result(5)
            client.wait_for("progressEnd")
            # And the client may go on: to another process, or to the same.
            with pytest.raises(RequestFailed, match="no such process"):
                client.request("attach", {"processId": 2**22 + 1})
        program.wait_for_output("done", limit_s=40)
        assert program.exit_code() == 0
        assert program.stderr == ""
        assert not folders_left(program.pid)
        assert before[0] == 1


def test_a_program_that_is_gone_meanwhile_is_named(tmp_path: Path) -> None:
    with running(tmp_path, STUCK) as program, adapter() as client:
        session = DebugSession(client)
        session.initialize()
        asked = client.send("attach", {"processId": program.pid})
        client.wait_for("output", where=lambda body: "waiting" in body["output"], timeout_s=10)
        program.kill()
        with pytest.raises(RequestFailed, match="ended"):
            asked.result(10)


# -- cycles: what the program computes is what it computes without us

# Each computes the same again and again until it is told to stop, and says whether it ever differed.
COUNTING = {
    "busy": """\
        import os
        def work():
            total, x = 1, 1.0
            for n in range(1, 20_000):
                total = (total * 31 + n) % 1_000_003
                x = (x * 1.000001 + n / 3.0) % 97.0
            return total, x
        first = work()
        print("ready", flush=True)
        found = set()
        while not os.path.exists("stop"):
            found.add(work())
        print(found == {first})
    """,
    "threads": """\
        import os, queue, threading
        def work(results):
            total = 1
            for n in range(1, 20_000):
                total = (total * 31 + n) % 1_000_003
            results.put(total)
        print("ready", flush=True)
        found = set()
        while not os.path.exists("stop"):
            results = queue.Queue()
            threads = [threading.Thread(target=work, args=(results,)) for _ in range(4)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            found.add((*[results.get() for _ in threads], threading.active_count()))
        print(len(found) == 1)
    """,
    "asyncio": """\
        import asyncio, os
        async def tick(seed):
            total = seed
            for n in range(20):
                await asyncio.sleep(0.001)
                total = (total * 31 + n) % 1_000_003
            return total
        async def main():
            print("ready", flush=True)
            found = set()
            while not os.path.exists("stop"):
                found.add((*await asyncio.gather(*map(tick, range(10))), len(asyncio.all_tasks())))
            print(len(found) == 1)
        asyncio.run(main())
    """,
    "blocked": """\
        import os, select, socket, subprocess, threading, time
        ours, theirs = socket.socketpair()
        ours.settimeout(0.05)
        lock = threading.Lock()
        lock.acquire()
        print("ready", flush=True)
        found = set()
        while not os.path.exists("stop"):
            began = time.monotonic()
            time.sleep(0.1)
            slept = time.monotonic() - began >= 0.099
            late = lock.acquire(timeout=0.05)
            ready = not select.select([ours], [], [], 0.05)[0]
            try:
                received = ours.recv(1)
            except TimeoutError:
                received = "nothing"
            found.add((slept, late, ready, received, subprocess.run(["sleep", "0.05"]).returncode))
        print(found == {(True, False, True, "nothing", 0)})
    """,
}


@pytest.mark.parametrize("name", COUNTING)
def test_cycles_change_nothing(name: str, tmp_path: Path) -> None:
    """A few; benchmarks/attach_cycles.py does 200."""
    with adapter_with_port() as port, running(tmp_path, COUNTING[name]) as program:
        before = threads_and_files(program.pid)
        for _ in range(8):
            with Client.connect("127.0.0.1", port) as client:
                session = DebugSession(client)
                session.attach(processId=program.pid)
                session.threads()
                session.disconnect()
        if name != "threads":
            until(lambda: threads_and_files(program.pid) <= before, "nothing is left")
        (tmp_path / "stop").touch()
        assert program.exit_code() == 0
        assert (program.stdout.split(), program.stderr) == (["ready", "True"], "")


@pytest.mark.skipif(not ptrace.works_here(), reason="needs ptrace")
def test_threads_that_end_while_they_are_looked_at(tmp_path: Path) -> None:
    text = """\
        import threading
        print("ready", flush=True)
        while True:
            threads = [threading.Thread(target=lambda: sum(range(20_000))) for _ in range(8)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
    """
    with running(tmp_path, text) as program:
        through(program.pid, "ptrace", attempts=20)
        assert program.running
        assert program.stderr == ""


def test_a_signal_handler_and_a_timer_are_not_lost(tmp_path: Path) -> None:
    """Signals that come while a thread is ours are delivered after it."""
    text = """\
        import signal, time
        ticks = 0
        def tick(number, frame):
            global ticks
            ticks += 1
        signal.signal(signal.SIGALRM, tick)
        signal.signal(signal.SIGUSR1, lambda number, frame: print("heard", flush=True))
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        print("ready", flush=True)
        while True:
            time.sleep(0.5)
    """
    with running(tmp_path, text) as program:
        through(program.pid, "ptrace", attempts=10)
        os.kill(program.pid, signal.SIGUSR1)
        program.wait_for_output("heard")
        assert program.running
        assert program.stderr == ""


def test_vectors_and_registers_survive(tmp_path: Path) -> None:
    """A hot loop in C and in floating point, interrupted again and again."""
    text = """\
        import array
        print("ready", flush=True)
        def work():
            x = 1.0
            for n in range(1, 2_000_000):
                x = (x * 1.000001 + n / 3.0) % 97.0
            return x
        first = work()
        print(all(work() == first for _ in range(8)), flush=True)
    """
    with running(tmp_path, text) as program:
        while program.running and "True" not in program.stdout and "False" not in program.stdout:
            try:
                through(program.pid, "ptrace")
            except Exception:
                break  # it has ended
        program.exit_code()
        assert program.stdout.split() == ["ready", "True"]


def test_the_module_threading_takes_the_right_thread_for_the_main_one(tmp_path: Path) -> None:
    """Imported first by us, in a program that did not, and at whose end it looks for the main thread."""
    text = """\
        import time, os, sys
        assert "threading" not in sys.modules
        print("ready", flush=True)
        while not os.path.exists("go"):
            time.sleep(0.05)
        import threading
        print(threading.main_thread() is threading.current_thread(), threading.current_thread().name)
        print([thread.name for thread in threading.enumerate()])
        threading.Thread(target=print, args=("from a thread",)).start()
    """
    with running(tmp_path, text) as program:
        through(program.pid, "ptrace")
        with attached(program.pid):
            pass
        (tmp_path / "go").touch()
        assert program.exit_code() == 0
        assert program.stdout.split("\n") == [
            "ready",
            "True MainThread",
            "['MainThread']",
            "from a thread",
            "",
        ]
        assert program.stderr == ""


def test_one_that_exits_at_once_after_it(tmp_path: Path) -> None:
    text = """\
        import time
        print("ready", flush=True)
        time.sleep(1)
    """
    with running(tmp_path, text) as program:
        with attached(program.pid):
            pass
        assert program.exit_code() == 0
        assert program.stderr == ""
        until(lambda: not folders_left(program.pid), "the folder is gone")


def test_one_that_sleeps_now_and_then_hears_of_nothing(tmp_path: Path) -> None:
    """Its main thread wakes long after another has let us in: what had been left for it is taken back."""
    text = """\
        import time
        print("ready", flush=True)
        rounds = 0
        while True:
            time.sleep(0.3)
            rounds += 1
    """
    with running(tmp_path, text) as program:
        for _ in range(2):
            with attached(program.pid) as session:
                wanted = int(session.evaluate("rounds")) + 2
                until(lambda: int(session.evaluate("rounds")) >= wanted, "it has slept twice")  # noqa: B023
        assert program.running
        assert program.stderr == ""
