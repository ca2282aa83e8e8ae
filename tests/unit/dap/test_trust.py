"""Whose socket is at the other end, as the kernel's tables say."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from remora.dap import trust
from remora.dap.errors import UsageError

# Little-endian, as on x86 and ARM; the words of an address are printed in the machine's order.
PLAIN = "   3: 0100007F:9C40 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 111 1\n"
MAPPED = (
    "   4: 0000000000000000FFFF00000100007F:9C40 0000000000000000FFFF00000100007F:1F90 01 "
    "00000000:00000000 00:00000000 00000000  1001        0 112 1\n"
)


@pytest.fixture(autouse=True)
def little_endian(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.byteorder", "little")


@pytest.mark.parametrize(("table", "owner"), [(PLAIN, 1000), (MAPPED, 1001), ("", None)])
def test_a_client_may_use_a_socket_of_either_family(table: str, owner: int | None) -> None:
    head = (
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    )
    client, server = ("127.0.0.1", 40000), ("127.0.0.1", 8080)
    assert trust.owner_in(head + table, client, server) == owner
    assert trust.owner_in(head + table, ("::ffff:127.0.0.1", 40000), server) == owner
    assert trust.owner_in(head + table, ("127.0.0.1", 40001), server) is None
    assert trust.owner_in(head + table, server, client) is None, "the other direction is our own socket"


def test_ipv6() -> None:
    table = PLAIN.replace("0100007F", "00000000000000000000000001000000")
    assert trust.owner_in(table, ("::1", 40000, 0, 0), ("::1", 8080, 0, 0)) == 1000


@pytest.mark.parametrize("given", ["", "Token", "tokentoken", "tökén", 5, ["token"]])
def test_wrong_tokens(given: object) -> None:
    with pytest.raises(UsageError) as caught:
        trust.check(given, "token", host="127.0.0.1", name="x", is_ours=lambda: True, again="y")
    assert str(given) not in caught.value.text or not given


def test_a_client_on_a_dual_stack_socket_is_let_in(tmp_path: Path) -> None:
    """Java's sockets are IPv6 ones even to 127.0.0.1: in process they were taken for strangers."""
    import json
    import subprocess
    import sys

    program = (
        "import remora, sys\nprint(remora.listen(0, in_process=True)[1], flush=True)\nsys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with socket.socket(socket.AF_INET6) as client:
            client.settimeout(10)
            client.connect(("::ffff:127.0.0.1", port))
            for seq, command in enumerate(("initialize", "attach"), 1):
                body = json.dumps(
                    {"seq": seq, "type": "request", "command": command, "arguments": {"adapterID": "x"}}
                )
                client.sendall(f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
            received = b""
            while b'"initialized"' not in received and b'"success":false' not in received.replace(b" ", b""):
                received += client.recv(65536) or pytest.fail("closed")
        assert b'"initialized"' in received, received
