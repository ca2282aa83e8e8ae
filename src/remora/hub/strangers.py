"""Connections that have said nothing yet: `remoraHello` makes one an agent's, anything else a client's.

Until then nobody is trusted with anything: such connections are few, timed, and may send little. One that
came through a Unix socket is of our own user, who needs no such limits: a hundred children may come at once.
"""

from __future__ import annotations

from remora.dap.hello import HELLO
from remora.hub.loop import asyncio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from remora.dap.framing import FramingError
    from remora.hub.connection import Connection
    from remora.hub.journal import Journal

# A stranger may hold a connection this long without saying what it is.
FIRST_MESSAGE_S = 10.0
MAX_STRANGERS = 64


class Strangers:
    """Owns a connection until its first message."""

    def __init__(
        self,
        journal: Journal,
        *,
        agent: Callable[[Connection, Any], None],
        client: Callable[[Connection, dict[str, Any]], None],
    ) -> None:
        self._journal = journal
        self._agent = agent
        self._client = client
        self._timers: dict[Connection, asyncio.TimerHandle] = {}

    def made(self, connection: Connection) -> None:
        if connection.peer.is_alien:
            self._journal.write(f"closed a connection of {connection.peer.name}")
            connection.abort()
            return
        far = [one for one in self._timers if not one.peer.is_private]
        if len(far) >= MAX_STRANGERS and not connection.peer.is_private:
            # The one that has been silent longest goes: a client says what it is at once, and is let in.
            self._journal.write("too many connections that say nothing: closed one")
            self._silent(far[0])
        loop = asyncio.get_running_loop()
        self._timers[connection] = loop.call_later(FIRST_MESSAGE_S, self._silent, connection)

    def received(self, connection: Connection, message: dict[str, Any]) -> None:
        self._known(connection)
        if message.get("type") == "event" and message.get("event") == HELLO:
            self._agent(connection, message.get("body"))
        else:
            self._client(connection, message)

    def malformed(self, connection: Connection, error: FramingError) -> None:
        connection.refuse(error)

    def lost(self, connection: Connection) -> None:
        self._known(connection)

    def crowded(self, connection: Connection, *, yes: bool) -> None:
        pass  # a stranger is sent nothing

    def _known(self, connection: Connection) -> None:
        timer = self._timers.pop(connection, None)
        if timer is not None:
            timer.cancel()

    def _silent(self, connection: Connection) -> None:
        self._known(connection)
        connection.abort()
