"""Who may attach: whoever shows the token, else the same user on the same machine.

The rule of the hub and of an agent that serves a client itself, in one place. A loopback peer is in without
a token if its socket belongs to our user (or to root, who could take the process anyway). That is read in the
kernel's table of TCP sockets, not assumed; reading it is the caller's. From any other address there is no way
in without a token.
Source: proc(5), /proc/net/tcp.
"""

from __future__ import annotations

import sys
from _operator import _compare_digest  # from the C module itself: `hmac` brings hashlib and OpenSSL

from remora.dap.errors import TOKEN_NEEDED, TOKEN_WRONG, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# A socket of either family may be at the other end of an IPv4 connection.
TABLES = ("/proc/net/tcp", "/proc/net/tcp6")


def same_secret(given: str, expected: str) -> bool:
    """Compare in constant time."""
    return _compare_digest(given.encode("utf-8", "replace"), expected.encode("utf-8", "replace"))


def is_loopback(host: str) -> bool:
    return host == "::1" or host.removeprefix("::ffff:").startswith("127.")


def check(
    given: object, expected: str | None, *, host: str, name: str, is_ours: Callable[[], bool], again: str
) -> None:
    """Let a peer in or raise UsageError; the text never holds a token.

    `host` and `name` are the peer's, `is_ours` tells whether a loopback peer is of our user, `again` what to
    do to open the port with a token.
    """
    if expected is not None:
        if given is None:
            raise TOKEN_NEEDED()
        if not isinstance(given, str) or not same_secret(given, expected):
            raise TOKEN_WRONG()
        return
    if not is_loopback(host):
        raise UsageError(
            f"clients at other addresses ({name}) need a token, and this port was opened without one: "
            f"connect through an SSH tunnel, or {again}"
        )
    if not is_ours():
        raise UsageError(
            f"this port belongs to another user of this machine and was opened without a token: {again}, "
            "and put that into the attach configuration"
        )


def owner_in(table: str, client: Any, server: Any) -> int | None:
    """Find the user id of the socket that goes from `client` to `server`; None if it is not in this table."""
    fields = _fields_in(table, client, server)
    return int(fields[7]) if fields is not None else None


def inode_in(table: str, client: Any, server: Any) -> int | None:
    """Find the inode of that socket: what its descriptors in /proc/PID/fd are named after."""
    fields = _fields_in(table, client, server)
    return int(fields[9]) if fields is not None else None


def _fields_in(table: str, client: Any, server: Any) -> list[str] | None:
    wanted = {f"{_hex(client)} {_hex(server)}", f"{_hex(client, mapped=True)} {_hex(server, mapped=True)}"}
    for line in table.splitlines():
        # 0: entry 1: local 2: remote 3: state 4: queues 5: timer 6: retransmits 7: uid 8: timeout 9: inode
        fields = line.split(None, 10)
        if len(fields) > 9 and f"{fields[1]} {fields[2]}" in wanted:
            return fields
    return None


def _hex(address: Any, *, mapped: bool = False) -> str:
    """Return an address as the kernel prints it: 32-bit words in the machine's byte order, then the port."""
    from _socket import AF_INET, AF_INET6, inet_pton

    host, port = address[0].removeprefix("::ffff:"), address[1]
    if ":" in host:
        packed = inet_pton(AF_INET6, host.partition("%")[0])
    else:
        packed = inet_pton(AF_INET, host)
        if mapped:
            packed = b"\0" * 10 + b"\xff\xff" + packed
    words = (packed[at : at + 4] for at in range(0, len(packed), 4))
    return "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words) + f":{port:04X}"
