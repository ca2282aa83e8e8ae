"""Who may connect to the hub: the rule is dap/trust.py's, the other end of a connection is ours to know."""

from __future__ import annotations

import os
import socket
import struct

from remora.dap import trust

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def check(given: str | None, expected: str | None, peer: Peer) -> None:
    """Let the peer in or raise UsageError; the text never holds a token."""
    if expected is None and peer.is_private:
        return
    trust.check(
        given,
        expected,
        host=peer.host,
        name=peer.name,
        is_ours=peer.trusted,
        again="start it again with a token",
    )


class Peer:
    """The other end of a connection: what its socket tells about it."""

    __slots__ = ("_local", "_pid", "_remote", "host", "is_alien", "is_loopback", "is_private", "name")

    def __init__(
        self,
        family: str,
        local: Any = None,
        remote: Any = None,
        *,
        user: int | None = None,
        pid: int | None = None,
    ) -> None:
        """`family`: "tcp" with both addresses; "private" for pipes and sockets only we could have made.

        "unix" with the process and user id at the other end: ours (or root's) is private, any other is alien,
        and nothing it says is heard.
        """
        self._pid = pid
        self._local = local
        self._remote = remote
        # None: the system does not tell, but the socket lies in a folder of ours.
        is_ours = user is None or user in (0, os.getuid(), os.geteuid())
        self.is_private = family == "private" or (family == "unix" and is_ours)
        self.is_alien = family == "unix" and not is_ours
        self.host: str = remote[0] if family == "tcp" and remote else ""
        self.is_loopback = trust.is_loopback(self.host)
        self.name = f"{self.host}:{remote[1]}" if self.host else "this machine"
        if self.is_alien:
            self.name = f"user {user}"

    @property
    def local(self) -> tuple[str, int] | None:
        """Host and port at which the peer has reached us; None where that was no TCP."""
        return (self._local[0], self._local[1]) if self._local else None

    def is_process(self, pid: int) -> bool:
        """Tell whether it is this process that has made the connection, as we count processes.

        What comes over loopback may come from a container, or through a tunnel: its ids are not ours.
        """
        if self._pid is not None:
            return self._pid == pid
        if not self.is_loopback:
            return False
        inode = _look_up(trust.inode_in, self._remote, self._local)
        folder = f"/proc/{pid}/fd"
        try:
            return any(
                os.readlink(os.path.join(folder, fd)) == f"socket:[{inode}]" for fd in os.listdir(folder)
            )
        except OSError:
            return False

    def trusted(self) -> bool:
        """Tell whether the peer is our own user on this machine."""
        if self.is_private:
            return True
        if not self.is_loopback:
            return False
        if not os.path.exists(trust.TABLES[0]):
            return True  # no table to read (not Linux): loopback has to be enough
        return owner_of(self._remote, self._local) in (0, os.getuid())


def behind(sock: socket.socket) -> Peer:
    """Return who is at the other end of a Unix socket, as far as the system tells."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return Peer("unix")
    pid, user, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i")))
    return Peer("unix", user=user, pid=pid)


def owner_of(client: Any, server: Any) -> int | None:
    """Return the user id of the TCP socket from `client` to `server`, both here; None if unseen."""
    return _look_up(trust.owner_in, client, server)


def _look_up(look: Callable[[str, Any, Any], int | None], client: Any, server: Any) -> int | None:
    for table in trust.TABLES:
        try:
            with open(table, encoding="ascii") as file:
                found = look(file.read(), client, server)
        except OSError:
            continue
        if found is not None:
            return found
    return None
