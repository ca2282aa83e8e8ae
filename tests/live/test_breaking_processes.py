"""Programs of several processes at their limits: they do what they do without us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from remora.client import DebugSession, RequestFailed
from remora.inject import ladder, processes
from remora.inject.place import Place

from .harness.debuggee import LIMIT_S, remora, until
from .harness.debuggee import run as run_to_its_end
from .harness.programs import Program
from .injected import adapter, running
from .test_children import family

type Write = Callable[..., Program]


def as_without_us(text: str, folder: Path) -> None:
    """Run a program bare and under `remora --listen`: same exit code, same output."""
    path = folder / "program.py"
    path.write_text("import os, subprocess, sys, threading, time\n" + text)
    bare = run_to_its_end([sys.executable, path], cwd=folder)
    ours = run_to_its_end([*remora("--listen", "0"), path], cwd=folder)
    said = "".join(line for line in ours.stderr.splitlines(True) if not line.startswith("remora: listening"))
    assert (ours.returncode, ours.stdout, said) == (bare.returncode, bare.stdout, bare.stderr)


@pytest.mark.parametrize("option", ["-I", "-E", "-S", "-P"])
def test_zip_and_folder_with_options(option: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "__main__.py").write_text(
        "import sys; print(sys.argv, sys.path[0])\nimport beside\n"
    )
    (tmp_path / "folder" / "beside.py").write_text("print('beside')")
    as_without_us(
        f"""
line = [sys.executable, "{option}", "folder", "word"]
print(subprocess.run(line, capture_output=True, text=True))
""",
        tmp_path,
    )


@pytest.mark.parametrize("option", ["-S", "-SE", "-I"])
def test_path_of_a_child_with_options(option: str, tmp_path: Path) -> None:
    as_without_us(
        f"""
line = [sys.executable, "{option}", "-c", "import sys; print(sys.path)"]
print(subprocess.run(line, capture_output=True, text=True))
""",
        tmp_path,
    )


def test_closing_all_descriptors_at_once_is_no_failure_of_the_hub(tmp_path: Path) -> None:
    as_without_us(
        """
os.closerange(3, 4096)
time.sleep(0.3)
print("here")
""",
        tmp_path,
    )


FORKED_FROM_A_THREAD = """
import threading
def work():
    pid = os.fork()
    if not pid:
        {child}
        return
    print("ended with", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
import warnings
warnings.simplefilter("ignore")
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


@pytest.mark.parametrize(
    "child",
    [
        "print('child', flush=True)",
        "sys.exit(3)",
        "threading.Thread(target=lambda: (time.sleep(0.2), print('late', flush=True))).start()",
        "again = os.fork(); again and print(os.waitpid(again, 0)[1], flush=True)",
        "os._exit(4)",
    ],
    ids=["returns", "exits", "another goes on", "forks again", "os._exit"],
)
def test_child_of_a_thread_ends_with_its_last_thread(child: str, tmp_path: Path) -> None:
    as_without_us(FORKED_FROM_A_THREAD.format(child=child), tmp_path)


def test_attached_child_of_a_thread_ends_too(program: Write) -> None:
    text = FORKED_FROM_A_THREAD.format(child="number = 1  # @child")
    with family(program, text) as debugged:
        child = debugged.next_child()
        child.stopped("breakpoint", timeout_s=LIMIT_S)
        child.resume()
        assert child.wait_exit(timeout_s=LIMIT_S) == 0
        assert debugged.end() == "ended with 0\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user, whose limit is that of nobody else")
def test_fork_that_fails_at_the_limit_of_processes(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    as_without_us(
        """
import resource
os.setgid(65534)
os.setuid(65534)
resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
def starts(): subprocess.call(["true"])
def forks(): subprocess.call(["true"], preexec_fn=os.getpid)
for way in (os.fork, starts, forks):
    try:
        way()
    except OSError as error:
        print(error)
print("still here")
""",
        tmp_path,
    )


LIMITED = """
import resource
for limit in (5, 6, 7, 9, 12, 16):
    def few(): resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    line = [sys.executable, "-c", "import json, asyncio"]
    code = subprocess.call(line, preexec_fn=few, stderr=subprocess.DEVNULL)
    print(limit, code)
"""


def test_children_with_few_descriptors(tmp_path: Path) -> None:
    as_without_us(LIMITED, tmp_path)


def test_children_with_few_descriptors_and_a_client(program: Write, tmp_path: Path) -> None:
    path = tmp_path / "limited.py"
    path.write_text("import subprocess, sys\n" + LIMITED)
    bare = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=LIMIT_S, check=True)
    with family(program, LIMITED, child_stops=False) as debugged:
        assert debugged.end() == bare.stdout


def test_ctrl_c_that_strikes_in_a_fork_is_not_lost(tmp_path: Path) -> None:
    """Nearly all of the time of this program is spent in forks."""
    as_without_us(
        """
import signal, warnings
warnings.simplefilter("ignore")
signal.signal(signal.SIGALRM, signal.default_int_handler)
interrupted = 0
for turn in range(12):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.002 + 0.0001 * turn)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            pid = os.fork()
            if not pid:
                os._exit(0)
            os.waitpid(pid, 0)
    except KeyboardInterrupt:
        interrupted += 1
print(interrupted > 9)
""",
        tmp_path,
    )


def test_a_program_without_descriptors_is_left_in_peace(tmp_path: Path) -> None:
    """Attaching by process id fails with the reason, and prints nothing in the program."""
    text = """\
        import resource, time
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
        print("ready", flush=True)
        time.sleep(1000)
    """
    with running(tmp_path, text) as debuggee:
        with adapter() as client, pytest.raises(RequestFailed, match="Too many open files"):
            DebugSession(client).attach(processId=debuggee.pid)
        assert debuggee.running
        assert debuggee.stderr == ""


def test_threads_do_not_pile_up_in_a_program_that_lets_nobody_in(tmp_path: Path) -> None:
    text = """\
        import threading, time
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
        print("ready", flush=True)
        sum(range(10**12))
    """
    with running(tmp_path, text) as debuggee:
        target = processes.Target(debuggee.pid)
        place = Place(target)
        told: list[str] = []
        watch = ladder.Watch(told.append, ways=frozenset({"ptrace"}))
        try:
            waiter = threading.Thread(target=ladder.bring, args=(target, place, {}, watch))
            waiter.start()
            until(lambda: any("still waiting" in text for text in told), "it waits", 15.0)
            watch.stop()
            waiter.join(LIMIT_S)
        finally:
            place.remove()
        assert len(os.listdir(f"/proc/{debuggee.pid}/task")) <= 2 + ladder.MAX_STARTED


def test_ctrl_c_ends_a_forked_child_that_is_held(program: Write) -> None:
    """It comes to the child as KeyboardInterrupt when the hub has let it go, and says nothing of ours."""
    text = """
import time
try:
    pid = os.fork()
    if not pid:
        time.sleep(5)
        os._exit(6)
except KeyboardInterrupt:
    os._exit(5)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    with family(program, text, follows=False) as debugged:
        # A client that takes the event and does not come: the child is held for some seconds.
        body = debugged.session.client.wait_for("debugpyAttach", timeout_s=LIMIT_S)
        os.kill(body["subProcessId"], signal.SIGINT)
        assert debugged.end() == "5\n"
        assert debugged.debuggee.stderr == ""
