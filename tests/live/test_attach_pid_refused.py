"""Attach by process id where it cannot be: the text says what to change. And other users, containers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from live.harness.debuggee import Debuggee, remora, run, until
from live.injected import (
    PROGRAMS,
    adapter,
    attached,
    folders_left,
    leaves_nothing,
    running,
    threads_and_files,
)
from remora.client import Client, DebugSession, RequestFailed
from remora.inject import ladder, permissions, processes, ptrace
from remora.inject.place import Place

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="attaching by process id needs /proc")

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Debuggee]:
    with running(tmp_path, PROGRAMS["sleep"]) as program:
        yield program


def refusal(pid: int) -> str:
    with adapter() as client:
        session = DebugSession(client)
        session.initialize()
        with pytest.raises(RequestFailed) as caught:
            client.request("attach", {"processId": pid})
    return str(caught.value)


def as_nobody(work: Callable[[], str]) -> str:
    """Run `work` in a child that has become another user; what it imports is imported before."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads; this child starts none
        pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.write(writing, work().encode())
        except BaseException as error:
            os.write(writing, f"{type(error).__name__}: {error}".encode())
        os._exit(0)
    os.close(writing)
    with open(reading, encoding="utf-8") as stream:
        text = stream.read()
    os.waitpid(pid, 0)
    return text


def test_no_such_process() -> None:
    assert "there is no such process" in refusal(2**22 + 1)


def test_what_is_no_python() -> None:
    with subprocess.Popen(["sleep", "100"]) as process:
        until(lambda: processes.command_line(process.pid)[:1] == ["sleep"], "sleep runs")
        try:
            assert "not a Python program" in refusal(process.pid)
        finally:
            process.kill()


def test_the_adapter_itself() -> None:
    with adapter() as client:
        DebugSession(client).initialize()
        own = [int(name) for name in os.listdir("/proc") if name.isdecimal() and is_child(int(name))]
        answers = []
        for pid in own:
            if "adapter" in processes.command_line(pid):
                with pytest.raises(RequestFailed) as caught:
                    client.request("attach", {"processId": pid})
                answers.append(str(caught.value))
        assert any("that is the debugger itself" in answer for answer in answers)


def is_child(pid: int) -> bool:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) == os.getpid()
    except OSError:
        return False


def test_a_stopped_process(sleeper: Debuggee) -> None:
    os.kill(sleeper.pid, signal.SIGSTOP)
    until(lambda: processes.state(sleeper.pid) == "T", "it is stopped")
    text = refusal(sleeper.pid)
    assert "it is stopped" in text
    assert f"kill -CONT {sleeper.pid}" in text
    os.kill(sleeper.pid, signal.SIGCONT)
    with attached(sleeper.pid) as session:
        assert session.threads()


@pytest.mark.skipif(not ptrace.works_here(), reason="needs ptrace")
def test_one_that_is_traced_by_another(sleeper: Debuggee) -> None:
    go, stop = threading.Event(), threading.Event()

    def trace() -> None:
        # Seized, not stopped: as by strace between two system calls.
        seized = ptrace.Stopped(sleeper.pid, sleeper.pid)
        seized._do(0x4206)
        go.set()
        stop.wait(30)

    thread = threading.Thread(target=trace)
    thread.start()
    go.wait(10)
    try:
        text = permissions.why_not_traced(sleeper.pid, os.geteuid())
        assert f"process {os.getpid()} debugs or traces it already" in text
        if sys.version_info < (3, 14):
            assert "traces it already" in refusal(sleeper.pid)
    finally:
        stop.set()
        thread.join()


@pytest.mark.skipif(sys.version_info < (3, 14), reason="3.14 brought what can be switched off")
@pytest.mark.parametrize("how", ["option", "variable"])
def test_remote_debugging_switched_off(how: str, tmp_path: Path) -> None:
    path = tmp_path / "app.py"
    path.write_text("import time; print('ready', flush=True); time.sleep(1000)")
    option = ["-X", "disable-remote-debug"] if how == "option" else []
    variable = {"PYTHON_DISABLE_REMOTE_DEBUG": "1"} if how == "variable" else {}
    program = Debuggee([sys.executable, *option, path], cwd=tmp_path, env=variable)
    try:
        program.wait_for_output("ready")
        assert "remote debugging switched off" in refusal(program.pid)
        assert not folders_left(program.pid)
    finally:
        program.kill()


@as_root
def test_another_users_process(sleeper: Debuggee) -> None:
    def look() -> str:
        try:
            processes.Target(sleeper.pid)
        except Exception as error:
            return str(error)
        return "it was let in"

    text = as_nobody(look)
    assert "it belongs to user root" in text
    assert "sudo" in text


@as_root
@pytest.mark.parametrize(
    ("scope", "words"),
    [
        (1, ["ptrace_scope is 1", "sysctl kernel.yama.ptrace_scope=0", "--cap-add=SYS_PTRACE"]),
        (2, ["only root", "ptrace_scope is 2", "as root"]),
        (3, ["ptrace_scope is 3", "--listen"]),
        (None, ["protects it"]),
    ],
)
def test_each_scope_of_yama_has_its_own_advice(scope: int | None, words: list[str]) -> None:
    text = as_nobody(lambda: permissions.why_not_traced(os.getpid(), NOBODY, scope))
    for word in words:
        assert word in text


@as_root
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv")
def test_root_without_the_capability(tmp_path: Path) -> None:
    """As in a container without --cap-add=SYS_PTRACE: the processes of other users are out of reach."""
    os.chmod(tmp_path, 0o755)
    program = subprocess.Popen(["setpriv", "--reuid=65534", "sleep", "1000"])
    try:
        until(lambda: processes.command_line(program.pid)[:1] == ["sleep"], "sleep runs")
        done = run(
            ["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace",
             *remora("--listen", "0", "--pid", str(program.pid))],
            cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 2
        assert "--cap-add=SYS_PTRACE" in done.stderr
        assert "Traceback" not in done.stderr
    finally:
        program.kill()
        program.wait()


def wrapped(folder: Path, wrapper: list[str], text: str) -> tuple[Debuggee, int]:
    """Start a program through another one; return it and the id of its Python, as we see that."""
    path = folder / "app.py"
    path.write_text(text)
    program = Debuggee([*wrapper, sys.executable, "-u", path], cwd=folder)
    program.wait_for_output("ready")
    words = [sys.executable, "-u", str(path)]
    return program, next(pid for pid in processes.all_pids() if processes.command_line(pid) == words)


@as_root
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv")
def test_root_attaches_to_another_users_program(tmp_path: Path) -> None:
    if as_nobody(lambda: str(os.access(os.path.realpath(sys.executable), os.X_OK))) != "True":
        pytest.skip("this interpreter lies where other users cannot run it")
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        os.chmod(folder, 0o755)
    wrapper = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    program, pid = wrapped(tmp_path, wrapper, "import time; print('ready', flush=True); time.sleep(1000)")
    try:
        before = threads_and_files(pid)
        with attached(pid) as session:
            assert session.evaluate("__import__('os').getuid()") == str(NOBODY)
        leaves_nothing(pid, before)
        assert not folders_left(pid)
        assert program.stderr == ""
    finally:
        os.kill(pid, signal.SIGKILL)
        program.kill()


def namespaces_work() -> bool:
    command = ["unshare", "-m", "-p", "-n", "-f", "--mount-proc", "true"]
    try:
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except OSError:
        return False


@as_root
@pytest.mark.skipif(not ptrace.works_here(), reason="needs ptrace")
def test_a_container(tmp_path: Path) -> None:
    """Other mounts, other process ids, another network, a /tmp of its own."""
    if not namespaces_work():
        pytest.skip("this machine does not let us make namespaces")
    wrapper = ["unshare", "-m", "-p", "-n", "-f", "--mount-proc", "sh", "-c",
               'mount -t tmpfs none /var/tmp && exec "$@"', "sh"]  # fmt: skip
    text = "import os, time; print('ready', os.getpid(), flush=True)\nwhile True:\n    time.sleep(0.01)\n"
    program, pid = wrapped(tmp_path, wrapper, text)
    try:
        assert not processes.Target(pid).shares_view
        before = threads_and_files(pid)
        for _ in range(2):
            with adapter() as client:
                session = DebugSession(client)
                session.attach(processId=pid, breakpoints={str(tmp_path / "app.py"): [3]})
                session.stopped("breakpoint")
                assert session.evaluate("os.getpid()", session.top()["id"]) != str(pid)
                session.disconnect()
            leaves_nothing(pid, before)
        assert not folders_left(pid)
        assert program.stderr == ""
    finally:
        os.kill(pid, signal.SIGKILL)
        program.exit_code()


# -- the command line


def test_a_running_program_is_made_to_listen(sleeper: Debuggee) -> None:
    done = run(remora("--listen", "0", "--pid", str(sleeper.pid)), cwd=Path.cwd())
    assert done.returncode == 0, done.stderr
    assert f"process {sleeper.pid} is listening on 127.0.0.1:" in done.stderr
    port = int(done.stderr.strip().rpartition(":")[2])
    with Client.connect("127.0.0.1", port) as client:
        session = DebugSession(client)
        session.attach()
        assert session.evaluate("1 + 1") == "2"
        session.disconnect()
    assert sleeper.running
    assert (sleeper.stdout.strip(), sleeper.stderr) == ("ready", "")


def test_a_port_for_others_gets_a_token_that_is_told_here(sleeper: Debuggee) -> None:
    done = run(remora("--listen", "0.0.0.0:0", "--pid", str(sleeper.pid)), cwd=Path.cwd())
    assert done.returncode == 0, done.stderr
    assert '"token"' in done.stderr
    assert sleeper.stderr == ""


def test_what_cannot_be_is_said_in_a_line(sleeper: Debuggee, tmp_path: Path) -> None:
    for arguments, words in {
        ("--listen", "0", "--pid", "4194305"): "there is no such process",
        ("--listen", "0", "--pid", "x"): "'x' is no process id",
        ("--listen", "0", "--pid", "1", "app.py"): "not both",
        ("--connect", "1", "--pid", str(sleeper.pid)): "Connection refused",
    }.items():
        done = run(remora(*arguments), cwd=tmp_path)
        assert done.returncode == 2
        assert words in done.stderr
        assert "Traceback" not in done.stderr
    assert sleeper.stderr == ""
    assert not folders_left(sleeper.pid)


def test_ps(sleeper: Debuggee, tmp_path: Path) -> None:
    done = run(remora("ps", "--json"), cwd=tmp_path)
    entries = {entry["pid"]: entry for entry in json.loads(done.stdout)}
    entry = entries[sleeper.pid]
    assert entry["version"] == sys.version.split()[0].rstrip("+")
    assert entry["state"] == "in sleep"
    assert entry["attach"] == ("remote_exec" if sys.version_info >= (3, 14) else "ptrace")
    assert entry["command"][-1].endswith("app.py")
    text = run(remora("ps"), cwd=tmp_path).stdout
    assert any(line.split()[0] == str(sleeper.pid) for line in text.splitlines() if line)
    os.kill(sleeper.pid, signal.SIGSTOP)
    until(lambda: processes.state(sleeper.pid) == "T", "it is stopped")
    entries = {entry["pid"]: entry for entry in json.loads(run(remora("ps", "--json"), cwd=tmp_path).stdout)}
    assert entries[sleeper.pid]["attach"] == "no"
    assert "stopped" in entries[sleeper.pid]["reason"]


def test_ps_shows_what_is_debugged(sleeper: Debuggee, tmp_path: Path) -> None:
    with attached(sleeper.pid):
        entries = {
            entry["pid"]: entry for entry in json.loads(run(remora("ps", "--json"), cwd=tmp_path).stdout)
        }
        assert entries[sleeper.pid]["attach"] == "agent"


def test_a_program_with_a_module_called_remora_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "remora.py").write_text("")
    text = "import remora, time; print('ready', flush=True); time.sleep(1000)"
    with running(tmp_path, text) as program:
        assert "a module of its own that is called remora" in refusal(program.pid)
        assert program.stderr == ""


def test_files_of_the_program_do_not_get_into_us(tmp_path: Path) -> None:
    """Named like modules of the standard library, they are not what we load."""
    for name in ("json", "socket", "select", "bisect", "tokenize", "linecache", "signal"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('loaded by mistake')")
    with running(
        tmp_path, "while True:\n    print('ready', flush=True)\n    break\nwhile True: pass"
    ) as program:
        target = processes.Target(program.pid)
        place = Place(target)
        try:
            with pytest.raises(Exception, match="Connection refused"):
                ladder.bring(
                    target, place, {"do": "connect", "where": ["127.0.0.1", 1], "token": None}, ladder.Watch()
                )
        finally:
            place.remove()
        assert program.stderr == ""
