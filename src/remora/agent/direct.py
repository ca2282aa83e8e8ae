"""The agent serves a client itself: `listen(..., in_process=True)`, where no process may be spawned.

One client at a time drives the session; another may connect, and is told at its `attach` who is there.
A peer that connects and says nothing costs a descriptor, nothing else. Everything here runs on the agent
thread. The same checks as the hub's: the token, or a loopback peer of our own user, looked up and not
assumed (proc(5), /proc/net/tcp).
"""

from __future__ import annotations

import _socket
import os
import sys
from _operator import _compare_digest as compare_digest  # hmac would bring hashlib and OpenSSL

from remora.agent.log import log_exception
from remora.agent.loop import LOST, READ
from remora.agent.session import Session
from remora.dap.errors import TOKEN_NEEDED, TOKEN_WRONG, UsageError
from remora.dap.paths import TO_CLIENT, TO_DEBUGGEE, mapping_from, translate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from remora.agent.agent import Agent
    from remora.dap.paths import PathMapping

# Peers that have connected; those over it are closed at once.
MAX_PEERS = 16


class Door:
    """Listening sockets, and the sessions of those who came in."""

    def __init__(self, agent: Agent, listeners: list[_socket.socket], token: str | None) -> None:
        self._agent = agent
        self._listeners = listeners
        self._token = token
        self.sessions: list[Session] = []

    def open(self) -> None:
        """Begin to accept. On the agent thread, or before it runs."""
        for listener in self._listeners:
            listener.setblocking(False)
            self._agent.loop.watch(listener.fileno(), READ, self._knocks_at(listener))

    def close(self) -> None:
        """Stop accepting and hang up. On the agent thread."""
        for listener in self._listeners:
            if listener.fileno() >= 0:
                self._agent.loop.unwatch(listener.fileno())
            listener.close()
        for session in tuple(self.sessions):
            session.transport.flush(stall_s=0.2)
            session.transport.close("remora stopped listening")

    def abandon(self) -> None:
        """After fork, in the child: give up our copies."""
        for listener in self._listeners:
            listener.close()
        for session in self.sessions:
            session.transport.abandon()

    def _knocks_at(self, listener: _socket.socket) -> Callable[[int], None]:
        return lambda events: self._knock(listener, events)

    def _knock(self, listener: _socket.socket, events: int) -> None:
        if events & LOST:
            self._agent.loop.unwatch(listener.fileno())
            listener.detach()
            return
        try:
            fd, address = listener._accept()  # type: ignore[attr-defined]
        except OSError as error:
            log_exception("accept", error)
            return
        sock = _socket.socket(listener.family, listener.type, listener.proto, fileno=fd)
        if len(self.sessions) >= MAX_PEERS:
            sock.close()
            return
        sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        session = DirectSession(self._agent, sock, address, self._token)
        session.on_closed = self._left
        self.sessions.append(session)
        session.transport.start()

    def _left(self, session: Session, reason: str) -> None:
        self.sessions.remove(session)


class DirectSession(Session):
    """A session with a client itself: it checks who attaches, and maps paths, as the hub would."""

    def __init__(self, agent: Agent, sock: _socket.socket, address: Any, token: str | None) -> None:
        local = sock.getsockname()
        peer = f"{address[0]}:{address[1]}"
        super().__init__(agent, sock, peer=peer, check=lambda given: admit(given, token, address, local))
        self._to_debuggee: PathMapping | None = None

    def received(self, message: dict[str, Any]) -> None:
        if self._to_debuggee is not None:
            message = translate(message, self._to_debuggee, TO_DEBUGGEE)
        super().received(message)

    def admit(self, arguments: dict[str, Any]) -> None:
        super().admit(arguments)
        mapping, problems = mapping_from(
            arguments, debuggee_cwd=os.getcwd(), client_uris=self.client.get("pathFormat") == "uri"
        )
        for problem in problems:
            self.say(f"remora: {problem}\n")
        if mapping:
            self._to_debuggee = mapping
            self.transport.translate = lambda message: translate(message, mapping, TO_CLIENT)


def admit(given: object, token: str | None, remote: Any, local: Any) -> None:
    """Let a peer in or raise UsageError; the text never holds a token."""
    if token is not None:
        if given is None:
            raise TOKEN_NEEDED()
        if not isinstance(given, str) or not compare_digest(given.encode(), token.encode()):
            raise TOKEN_WRONG()
        return
    if not remote[0].removeprefix("::ffff:").startswith("127.") and remote[0] != "::1":
        raise UsageError(
            "clients at other addresses need a token, and this port was opened without one: connect through "
            "an SSH tunnel, or call listen() with a token"
        )
    owner = owner_of(remote, local)
    # Root may take any process anyway. Where there is no table to read, loopback has to be enough.
    if owner not in (0, os.getuid()) and os.path.exists("/proc/net/tcp"):
        raise UsageError(
            "this port belongs to another user of this machine and was opened without a token: call listen() "
            "with a token, and put it into the attach configuration"
        )


def owner_of(local: Any, remote: Any) -> int | None:
    """Return the user id of the TCP socket from `local` to `remote` on this machine; None if unseen."""
    wanted = f"{_hex(local)} {_hex(remote)}"
    table = "/proc/net/tcp6" if ":" in local[0] else "/proc/net/tcp"
    try:
        fd = os.open(table, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        text = b""
        while chunk := os.read(fd, 1 << 16):
            text += chunk
    finally:
        os.close(fd)
    for line in text.decode("ascii", "replace").splitlines()[1:]:
        fields = line.split()
        if " ".join(fields[1:3]) == wanted:
            return int(fields[7])
    return None


def _hex(address: Any) -> str:
    """Write an address as the kernel's table does: words in the machine's byte order, then the port."""
    family = _socket.AF_INET6 if ":" in address[0] else _socket.AF_INET
    packed = _socket.inet_pton(family, address[0])
    words = (packed[at : at + 4] for at in range(0, len(packed), 4))
    return "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words) + f":{address[1]:04X}"
