"""The seat of a client whose `attach` names another hub (`connect`): everything is passed on, both ways.

An editor starts `remora adapter` on stdio and tells it where the program is; the hub there does the work.
This end has already answered `initialize`, so it repeats that over there and keeps the answer to itself.

What the hub there tells of children names the address by which it knows itself. The way that leads there from
here is the one we have dialled (a tunnel, a container's port), so that is put in its place.

Whoever has patience (`timeout`, `restart`) may come while the hub of the program before is just ending: it
still accepts, and says that its program is gone, or nothing at all. That counts as nobody listening yet.
"""

from __future__ import annotations

from remora.dap.capabilities import CAPABILITIES
from remora.dap.errors import CANNOT_CONNECT, DEBUGGEE_GONE
from remora.dap.messages import request
from remora.hub.connection import Connection
from remora.hub.loop import asyncio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from remora.dap.errors import DapError
    from remora.dap.framing import FramingError
    from remora.hub.client import Client
    from remora.hub.configuration import Address

CONNECT_S = 15.0
# A program that is started again by itself, or by hand.
RESTART_S = 30.0
RETRY_S = 0.2


class Remote:
    """One client's line to another hub."""

    def __init__(
        self, client: Client, asked: dict[str, Any], address: Address, *, patience_s: float, restart: bool
    ) -> None:
        """`patience_s` is how long to go on dialling where nobody listens."""
        self._client: Client | None = client
        self._asked = asked
        self._address = address
        self._patience_s = patience_s
        self._restart = restart
        self._there: Connection | None = None
        # Requests of the client not yet answered, by number: repeated numbers are answered once each.
        self._open: list[dict[str, Any]] = []
        self._said_terminated = False
        self._attached = False
        self._deadline = asyncio.get_running_loop().time() + patience_s
        # With patience: whether there is a program. DapError: there will be none.
        self._found: asyncio.Future[bool] | None = None
        self._why_not: DapError = DEBUGGEE_GONE(reason="it has ended")

    async def dial(self) -> None:
        """Connect, pass on `initialize` and `attach`; with patience, until a program is there. DapError."""
        loop = asyncio.get_running_loop()
        while True:
            connection = await self._connect()
            client = self._client
            if client is None:
                connection.close()
                return
            if not self._patience_s:
                self._introduce(connection, client)
                return
            self._found = loop.create_future()
            self._introduce(connection, client)
            try:
                if await self._found:
                    return
            except BaseException:
                self._client = self._there = None
                connection.close()
                raise
            if loop.time() >= self._deadline:
                raise self._why_not
            await asyncio.sleep(RETRY_S)

    def _introduce(self, connection: Connection, client: Client) -> None:
        self._there = connection
        # A number no client uses: its answer is ours.
        connection.send(request(0, "initialize", client.arguments))
        arguments = {
            name: value
            for name, value in self._asked["arguments"].items()
            if name not in ("connect", "host", "port")
        }
        self._open.append(self._asked)
        connection.send({**self._asked, "arguments": arguments})

    def _is_nobody(self, why: DapError) -> bool:
        """Take it that no program is there, if we are still looking for one: `dial` goes on."""
        if self._found is None or self._found.done() or "subProcessId" in self._asked["arguments"]:
            return False
        self._why_not = why
        there, self._there = self._there, None
        self._open.clear()
        self._found.set_result(False)
        if there is not None:
            there.close()
        return True

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        address = self._address
        while True:
            try:
                async with asyncio.timeout(CONNECT_S):
                    _, connection = await loop.create_connection(
                        # The hub there has its own limit for what clients send; an answer may be any size.
                        lambda: Connection(self, max_body_bytes=1 << 31),
                        address.host,
                        address.port,
                        happy_eyeballs_delay=0.25,
                    )
                    return connection
            except TimeoutError:
                raise CANNOT_CONNECT(address=address, reason=f"no answer within {CONNECT_S:g} s") from None
            except ValueError as error:  # what cannot be a name: a part longer than 63 characters, for one
                raise CANNOT_CONNECT(address=address, reason=str(error)) from None
            except OSError as error:
                if not (isinstance(error, ConnectionRefusedError) or all_refused(error)):
                    raise CANNOT_CONNECT(address=address, reason=error.strerror or str(error)) from None
            if loop.time() >= self._deadline:
                waited = f" within {self._patience_s:g} s" if self._patience_s else ""
                reason = (
                    f"nothing listens there{waited}; start the program with "
                    f"`python -m remora --listen {address} FILE`, and check host and port"
                )
                raise CANNOT_CONNECT(address=address, reason=reason)
            await asyncio.sleep(RETRY_S)

    # From the client.

    def from_client(self, client: Client, message: dict[str, Any]) -> None:
        if self._there is None:
            if message["command"] == "disconnect":
                client.unbind()
                client.bye(message)
            elif message["command"] == "terminate":
                client.answer(message)
            else:
                client.fail(message, DEBUGGEE_GONE(reason="the connection to it has ended"))
            return
        self._open.append(message)
        self._there.send(message)

    def answer_from_client(self, message: dict[str, Any]) -> None:
        if self._there is not None:
            self._there.send(message)

    def client_lost(self, client: Client) -> None:
        self._client = None
        if self._there is not None:
            self._there.close()

    def hold(self, *, yes: bool) -> None:
        if self._there is not None:
            self._there.hold_reading(yes=yes)

    # From the other hub (this is its connection's owner).

    def received(self, connection: Connection, message: dict[str, Any]) -> None:
        client = self._client
        if client is None or connection is not self._there:
            return
        kind = message.get("type")
        if kind == "response" and message.get("command") == "attach" and message.get("success") is False:
            error = (message.get("body") or {}).get("error") or {}
            if error.get("id") == DEBUGGEE_GONE.id and self._is_nobody(
                DEBUGGEE_GONE(reason=(error.get("variables") or {}).get("reason", "it has ended"))
            ):
                return
        if kind == "response":
            number = message.get("request_seq")
            if number == 0 and message.get("command") == "initialize":
                self._compare(client, message)
                return
            for index, asked in enumerate(self._open):
                if asked.get("seq") == number and asked.get("command") == message.get("command"):
                    del self._open[index]
                    break
            if message.get("command") == "attach" and message.get("success") is False:
                client.forward_answer(message, self._asked)
                self._leave(client)
                if self._found is not None and not self._found.done():
                    self._found.set_result(True)  # as much as there is to find
                return
            if message.get("command") == "attach":
                self._attached = True
        elif kind == "event" and message.get("event") == "terminated":
            self._said_terminated = True
        elif kind == "event" and message.get("event") == "initialized":
            self._attached = True
        if self._attached and self._found is not None and not self._found.done():
            self._found.set_result(True)
        self._point_here(message)
        if kind == "request":
            # Requests of the hub there keep their number: the client's answer goes back under it.
            client.connection.send(message)
        else:
            client.forward_event(message)
        if kind == "response" and message.get("command") == "disconnect":
            client.unbind()
            client.connection.close()

    def malformed(self, connection: Connection, error: FramingError) -> None:
        reason = f"does not speak the Debug Adapter Protocol: {error.text}"
        if self._found is not None and not self._found.done():
            self._found.set_exception(CANNOT_CONNECT(address=self._address, reason=f"it {reason}"))
        elif self._client is not None:
            self._client.note(f"{self._address} {reason}")
        connection.abort()

    def lost(self, connection: Connection) -> None:
        if connection is not self._there:
            return
        reason = f"the connection to {self._address} was closed"
        if self._is_nobody(DEBUGGEE_GONE(reason=reason)):
            return
        self._there = None
        client = self._client
        if client is None:
            return
        for asked in self._open:
            if asked["command"] == "disconnect":
                client.answer(asked)
            else:
                client.fail(asked, DEBUGGEE_GONE(reason=reason))
        self._open.clear()
        if not self._attached:
            self._leave(client)
        elif not self._said_terminated:
            client.note(reason)
            client.event("terminated", {"restart": True} if self._restart else None)

    def crowded(self, connection: Connection, *, yes: bool) -> None:
        if self._client is not None:
            self._client.hold_reading(yes=yes)

    def _point_here(self, message: dict[str, Any]) -> None:
        """Let the client attach to children the way it has come itself."""
        if message.get("command") == "startDebugging" and message.get("type") == "request":
            configuration = (message.get("arguments") or {}).get("configuration")
        elif message.get("event") == "debugpyAttach":
            configuration = message.get("body")
        else:
            return
        if isinstance(configuration, dict) and "connect" in configuration:
            configuration["connect"] = {"host": self._address.host, "port": self._address.port}

    def _compare(self, client: Client, message: dict[str, Any]) -> None:
        """Tell the client where the hub there can do other things than we said."""
        theirs = message.get("body")
        if not isinstance(theirs, dict):
            return
        differing = {
            name: theirs.get(name, False)
            for name in {**CAPABILITIES, **theirs}
            if theirs.get(name, False) != CAPABILITIES.get(name, False)
        }
        if differing:
            client.event("capabilities", {"capabilities": differing})

    def _leave(self, client: Client) -> None:
        self._client = None
        client.unbind()
        if self._there is not None:
            self._there.close()


def all_refused(error: OSError) -> bool:
    """True for what asyncio makes of several addresses that all refused."""
    return error.errno is None and str(error).count("Connect call failed") > 0 and "111" in str(error)
