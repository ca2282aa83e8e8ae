"""The agent serves a client itself: `listen(..., in_process=True)`, where no process may be spawned.

One client at a time drives the session; another may connect, and is told at its `attach` who is there.
A peer that connects and says nothing costs a descriptor, nothing else. Everything here runs on the agent
thread. Who may attach is decided as the hub does it (dap/trust.py).
"""

from __future__ import annotations

import _socket
import os

from remora.agent.log import log_exception
from remora.agent.loop import LOST, READ
from remora.agent.session import Session
from remora.dap import trust
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

    def is_ours() -> bool:
        # Where there is no table to read (not Linux), loopback has to be enough.
        return not os.path.exists(trust.TABLES[0]) or owner_of(remote, local) in (0, os.getuid())

    trust.check(
        given,
        token,
        host=remote[0],
        name=f"{remote[0]}:{remote[1]}",
        is_ours=is_ours,
        again="call listen() with a token",
    )


def owner_of(client: Any, server: Any) -> int | None:
    """Return the user id of the TCP socket from `client` to `server` on this machine; None if unseen."""
    for table in trust.TABLES:
        try:
            fd = os.open(table, os.O_RDONLY | os.O_CLOEXEC)  # not open(): programs patch it
        except OSError:
            continue
        try:
            text = b""
            while chunk := os.read(fd, 1 << 16):
                text += chunk
        finally:
            os.close(fd)
        owner = trust.owner_in(text.decode("ascii", "replace"), client, server)
        if owner is not None:
            return owner
    return None
