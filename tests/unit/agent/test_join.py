"""Addresses and sockets of listen(), and what is said when they cannot be had."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys

import pytest

from remora.agent import sockets


@pytest.mark.parametrize(
    ("address", "read"),
    [
        (5678, ("127.0.0.1", 5678)),
        (("::1", 1), ("::1", 1)),
        ((None, 0), ("127.0.0.1", 0)),
        (["localhost", 80], ("localhost", 80)),
    ],
)
def test_addresses(address: object, read: tuple[str, int]) -> None:
    assert sockets.read_address(address) == read


@pytest.mark.parametrize("address", ["5678", True, ("127.0.0.1",), ("127.0.0.1", "5678"), None, 1.5])
def test_what_is_no_address(address: object) -> None:
    with pytest.raises(TypeError, match="expected a port or"):
        sockets.read_address(address)


@pytest.mark.parametrize("port", [-1, 65536])
def test_port_out_of_range(port: int) -> None:
    with pytest.raises(ValueError, match=str(port)):
        sockets.read_address(port)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_is_bound_twice_and_stays_closed_to_children(host: str) -> None:
    listeners = sockets.bind(host, 0)
    assert {listener.getsockname()[0] for listener in listeners} <= {"127.0.0.1", "::1"}
    assert len({listener.getsockname()[1] for listener in listeners}) == 1
    assert not any(os.get_inheritable(listener.fileno()) for listener in listeners)
    for listener in listeners:
        listener.close()


def test_port_in_use_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            OSError, match=rf"cannot listen on 127\.0\.0\.1:{port}.*another program"
        ) as caught:
            sockets.bind("127.0.0.1", port)
    assert caught.value.errno == errno.EADDRINUSE


def test_addresses_are_shown_as_they_are_given() -> None:
    assert sockets.shown("::1", 5678) == "[::1]:5678"
    assert sockets.shown("127.0.0.1", 5678) == "127.0.0.1:5678"


def test_nobody_to_connect_to() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closing:
        port = closing.getsockname()[1]
    with pytest.raises(OSError, match=rf"cannot connect to 127\.0\.0\.1:{port}"):
        sockets.dial({"host": "127.0.0.1", "port": port})


def run(text: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-c", text]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)


def test_listening_elsewhere_is_refused_until_stopped() -> None:
    text = """
import remora
first = remora.listen(0, in_process=True)
assert remora.listen(first, in_process=True) == first
try:
    remora.listen(("127.0.0.1", first[1] + 1 if first[1] < 65535 else 1024), in_process=True)
except RuntimeError as error:
    print(error)
remora.stop()
remora.stop()
assert remora.listen(first, in_process=True) == first
assert remora.wait_for_client(0.01) is False
remora.stop()
try:
    remora.wait_for_client()
except RuntimeError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.stderr == ""
    first, second = done.stdout.splitlines()
    assert "already; call remora.stop() first" in first
    assert "remora.listen()" in second


def test_other_machines_need_a_token_which_is_made_and_shown() -> None:
    text = """
import remora, socket, json
address = remora.listen(("0.0.0.0", 0), in_process=True)
print(address[1])
"""
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 0
    assert '"token": "' in done.stderr and f'"port": {done.stdout.strip()}' in done.stderr


def test_importing_remora_imports_nothing() -> None:
    text = "import sys; before = set(sys.modules); import remora; print(sorted(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout in ("['__future__', 'remora']\n", "['remora']\n")


def test_children_never_meet_the_hub() -> None:
    text = """
import os, remora
remora.listen(0)
try:
    os.wait()
except ChildProcessError:
    print("no child")
remora.stop()
"""
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=False, timeout=30
    )
    assert (done.stdout, done.stderr) == ("no child\n", "")
