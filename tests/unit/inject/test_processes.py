"""Which processes are programs to attach to, and why not the others."""

from __future__ import annotations

import glob
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from remora.inject import doors, permissions, processes
from remora.inject.failures import DapError, NotPython
from remora.inject.processes import Target

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    text = "import time; print('ready', flush=True); time.sleep(100)"
    with subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def reason(pid: int) -> str:
    with pytest.raises(DapError) as caught:
        Target(pid)
    return caught.value.text


def test_this_very_process() -> None:
    target = Target(os.getpid())
    assert target.version == sys.hexversion
    assert target.version_text == sys.version.split()[0].rstrip("+")
    assert target.uid == os.geteuid()
    assert target.own_pid == os.getpid()
    assert target.shares_view
    assert target.is_same()


def test_another_python(other: subprocess.Popen[bytes]) -> None:
    target = Target(other.pid)
    assert target.version == sys.hexversion
    assert os.path.samefile(target.interpreter(), os.path.realpath(sys.executable))
    assert permissions.may_trace(other.pid)
    other.kill()
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    assert not target.is_same()
    other.wait()
    assert not target.is_same()


def test_no_such_process() -> None:
    assert "there is no such process" in reason(2**22 + 1)


def test_a_zombie() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert "zombie" in reason(process.pid)


def test_a_thread() -> None:
    ids: list[int] = []
    go, stop = threading.Event(), threading.Event()

    def run() -> None:
        ids.append(threading.get_native_id())
        go.set()
        stop.wait(20)

    thread = threading.Thread(target=run)
    thread.start()
    go.wait(20)
    try:
        assert f"its process is {os.getpid()}" in reason(ids[0])
    finally:
        stop.set()
        thread.join()


def test_what_is_no_python() -> None:
    with subprocess.Popen(["sleep", "100"]) as process:
        try:
            # Between fork and exec it is what we are.
            while processes.command_line(process.pid)[:1] != ["sleep"]:
                pass
            with pytest.raises(NotPython, match="not a Python program"):
                Target(process.pid)
        finally:
            process.kill()


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.11"])
def test_an_older_python_is_named(version: str) -> None:
    beside = glob.glob(f"{os.path.dirname(sys.base_prefix)}/{version}*/bin/python{version}")
    interpreter = next(iter(beside), None) or shutil.which(f"python{version}")
    # A name in PATH may stand for a chooser of versions that has none.
    if (
        interpreter is None
        or subprocess.run([interpreter, "-c", ""], capture_output=True, check=False).returncode
    ):
        pytest.skip(f"no Python {version} here")
    text = "import time; print('ready', flush=True); time.sleep(100)"
    with subprocess.Popen([interpreter, "-c", text], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            assert f"it runs Python {version}" in reason(process.pid)
        finally:
            process.kill()


def test_a_kernel_thread() -> None:
    try:
        with open("/proc/2/status") as file:
            is_kernel = "kthreadd" in file.read()
    except OSError:
        is_kernel = False
    if not is_kernel or os.geteuid() != 0:
        pytest.skip("no thread of the kernel to be seen here")
    assert "kernel" in reason(2)


def test_states(other: subprocess.Popen[bytes]) -> None:
    os.kill(other.pid, signal.SIGSTOP)
    try:
        while processes.state(other.pid) != "T":
            pass
    finally:
        os.kill(other.pid, signal.SIGCONT)
    assert processes.state(2**22 + 1) == ""


def test_a_process_that_is_not_debugged_has_no_doors(other: subprocess.Popen[bytes]) -> None:
    assert doors.doors(other.pid) == []
    assert doors.doors(2**22 + 1) == []
