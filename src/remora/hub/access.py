"""Who may connect: the token, or the same user on the same machine.

A client that shows the token is in. Without a token set, a loopback peer is in if its socket belongs to our
user (or to root, who could take the process anyway); that is read from the kernel's table, not assumed. From
any other address there is no way in without a token.
Source: proc(5), /proc/net/tcp.
"""

from __future__ import annotations

import os

from remora.dap.errors import TOKEN_NEEDED, TOKEN_WRONG, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")


def same_secret(given: str, expected: str) -> bool:
    """Compare in constant time."""
    # From the C module itself: `hmac` brings hashlib and OpenSSL.
    from _operator import _compare_digest

    return _compare_digest(given.encode("utf-8", "replace"), expected.encode("utf-8", "replace"))


def check(given: str | None, expected: str | None, peer: Peer) -> None:
    """Let the peer in or raise UsageError; the text never holds a token."""
    if expected is not None:
        if given is None:
            raise TOKEN_NEEDED()
        if not same_secret(given, expected):
            raise TOKEN_WRONG()
        return
    if peer.trusted():
        return
    if peer.is_loopback:
        raise UsageError(
            "this port belongs to another user of this machine and was opened without a token: "
            "start it again with a token, and put that into the attach configuration"
        )
    raise UsageError(
        f"clients at other addresses ({peer.name}) need a token, and this port was opened without one: "
        "connect through an SSH tunnel, or start it again with a token"
    )


class Peer:
    """The other end of a connection: what its socket tells about it."""

    __slots__ = ("_family", "_local", "_remote", "is_loopback", "is_private", "name")

    def __init__(self, family: str, local: Any = None, remote: Any = None) -> None:
        """`family`: "tcp" with both addresses; "private" for pipes and sockets only we could have made."""
        self._family = family
        self._local = local
        self._remote = remote
        self.is_private = family == "private"
        host = remote[0] if family == "tcp" and remote else ""
        self.is_loopback = host == "::1" or host.startswith(("127.", "::ffff:127."))
        self.name = f"{host}:{remote[1]}" if host else "this machine"

    def trusted(self) -> bool:
        """Tell whether the peer is our own user on this machine."""
        if self.is_private:
            return True
        if not self.is_loopback:
            return False
        uid = owner_of(self._remote, self._local)
        # No table to read (not Linux): loopback has to be enough.
        return uid in (None, 0, os.getuid()) if not os.path.exists(_TABLES[0]) else uid in (0, os.getuid())


def owner_of(local: Any, remote: Any) -> int | None:
    """Return the user id of the TCP socket from `local` to `remote`, both on this machine; None if unseen."""
    wanted = {f"{_hex(local)} {_hex(remote)}", f"{_hex(local, mapped=True)} {_hex(remote, mapped=True)}"}
    for table in _TABLES:
        try:
            with open(table, encoding="ascii") as lines:
                for line in lines:
                    # 0: entry 1: local 2: remote 3: state 4: queues 5: timer 6: retransmits 7: uid
                    fields = line.split(None, 8)
                    if len(fields) > 7 and f"{fields[1]} {fields[2]}" in wanted:
                        return int(fields[7])
        except OSError:
            continue
    return None


def _hex(address: Any, *, mapped: bool = False) -> str:
    """Return an address as the kernel prints it: 32-bit words in the machine's byte order."""
    import socket
    import sys

    host, port = address[0], address[1]
    if host.startswith("::ffff:"):
        host = host[7:]
    if ":" in host:
        packed = socket.inet_pton(socket.AF_INET6, host)
    else:
        packed = socket.inet_pton(socket.AF_INET, host)
        if mapped:
            packed = b"\0" * 10 + b"\xff\xff" + packed
    words = [packed[i : i + 4] for i in range(0, len(packed), 4)]
    if sys.byteorder == "little":
        words = [word[::-1] for word in words]
    return b"".join(words).hex().upper() + f":{port:04X}"
