"""How a process ends, as the kernel tells whoever is not its parent; and who is at the end of a socket."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys

import pytest

from remora.hub import life
from remora.hub.access import Peer, behind
from remora.hub.life import Life

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pidfd and /proc are Linux's")

# Ends as it is told on its standard input.
PROGRAM = "import os, signal, sys; exec(sys.stdin.read())"


def start() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-S", "-c", PROGRAM], stdin=subprocess.PIPE)


def told(process: subprocess.Popen[bytes], text: str) -> None:
    assert process.stdin is not None
    process.stdin.write(text.encode())
    process.stdin.close()


def is_zombie(pid: int) -> None:
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def knows_the_reaped() -> bool:
    return tuple(map(int, os.uname().release.split("-")[0].split(".")[:2])) >= (6, 15)


@pytest.mark.parametrize("is_waited_for", [False, True], ids=["zombie", "waited for"])
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("os._exit(7)", 7),
        ("", 0),
        ("os.kill(os.getpid(), signal.SIGKILL)", -9),
        ("os.kill(os.getpid(), signal.SIGTERM)", -15),
    ],
)
def test_exit_code(text: str, code: int, is_waited_for: bool) -> None:
    if is_waited_for and not knows_the_reaped():
        pytest.skip("the kernel forgets who was waited for (before Linux 6.15)")

    async def watch() -> int | None:
        process = start()
        watched = Life(process.pid)
        answer = asyncio.get_running_loop().create_future()
        assert watched.is_known
        told(process, text)
        is_zombie(process.pid)
        if is_waited_for:
            process.wait()
        watched.when_dead(answer.set_result)
        found: int | None = await asyncio.wait_for(answer, 10)
        watched.close()
        process.wait()
        return found

    assert asyncio.run(watch()) == code


def test_one_that_has_gone_before_is_told_as_dead() -> None:
    process = start()
    told(process, "")
    process.wait()

    async def watch() -> object:
        watched = Life(process.pid)
        answer = asyncio.get_running_loop().create_future()
        assert watched.is_known
        watched.when_dead(answer.set_result)
        return await asyncio.wait_for(answer, 10)

    assert asyncio.run(watch()) is None


def test_another_program_in_its_place() -> None:
    code = "import os; os.write(1, b'.'); os.read(0, 1); os.execv('/bin/cat', ['cat'])"
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.read(1) == b"."  # Popen returns in the middle of the exec
    watched = Life(process.pid)
    try:
        assert not watched.runs_another_program
        process.stdin.write(b"\nit is cat\n")
        assert process.stdout.read(9) == b"it is cat"
        assert watched.runs_another_program
        watched.look_again()
        assert not watched.runs_another_program
    finally:
        watched.close()
        process.kill()
        process.communicate()
    assert watched.runs_another_program, "which cannot be told"


@pytest.mark.parametrize(
    ("code", "shown", "words", "is_ordinary"),
    [
        (0, 0, "ended with exit code 0", True),
        (139, 139, "ended with exit code 139", True),
        (-signal.SIGTERM, 143, "was ended by signal 15 (SIGTERM)", True),
        (-signal.SIGSEGV, 139, "was ended by signal 11 (SIGSEGV)", False),
        (-signal.SIGKILL, 137, "was ended by signal 9 (SIGKILL)", False),
        (-99, 227, "was ended by signal 99", False),
    ],
)
def test_words(code: int, shown: int, words: str, is_ordinary: bool) -> None:
    assert (life.shown(code), life.described(code), life.is_ordinary(code)) == (shown, words, is_ordinary)


def test_who_is_behind_a_socket() -> None:
    """An id that comes over loopback may be another machine's: it counts if that process has the socket."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert behind(ours).is_process(os.getpid())
        assert not behind(ours).is_process(os.getppid())
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        accepted, remote = server.accept()
        with client, accepted:
            peer = Peer("tcp", accepted.getsockname(), remote)
            assert peer.is_process(os.getpid())
            assert not peer.is_process(os.getppid())
            assert not peer.is_process(1_000_001)
    assert not Peer("private").is_process(os.getpid())
    assert not Peer("tcp", ("10.0.0.1", 1), ("10.0.0.2", 2)).is_process(os.getpid())
