"""One attach by process id under way: an agent is brought into the program, dials us, and gets its session.

What blocks (`remora.inject`) runs on a thread of its own; its news come back onto the loop. Whatever ends this,
an answer, a `cancel` or the client's leaving, the thread is waited for: when it has ended, nothing of ours is left
in the program, or will be run there.
"""

from __future__ import annotations

import _thread
import os

from remora.dap.hello import HELLO
from remora.dap.trust import same_secret
from remora.hub.connection import Connection
from remora.hub.loop import asyncio
from remora.inject import ladder, processes
from remora.inject.failures import cannot
from remora.inject.place import Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from remora.dap.framing import FramingError
    from remora.dap.hello import Hello
    from remora.hub.client import Client, Waiting
    from remora.hub.configuration import Attach
    from remora.hub.hub import Hub

# The script has begun: what it loads takes 50 ms, on a machine under load seconds.
HELLO_S = 60.0


class Attaching:
    """From the process id to the session."""

    def __init__(self, hub: Hub, client: Client, wish: Attach, waiting: Waiting) -> None:
        self._hub = hub
        self._client = client
        self._wish = wish
        self._waiting = waiting
        self._pid = int(wish.process_id)
        self._loop = asyncio.get_running_loop()
        self._secret = os.urandom(16).hex()
        self._seated: asyncio.Future[None] = self._loop.create_future()
        self._watch = ladder.Watch(lambda text: self._soon(self._tell, text))

    async def start(self) -> None:
        """Bring the agent in and seat the client. Raise DapError if that fails; nothing is left then."""
        if self._pid == os.getpid():
            raise cannot(self._pid, "that is the debugger itself")
        target = processes.Target(self._pid)
        place = Place(target)
        server = None
        try:
            server = await self._loop.create_unix_server(lambda: Connection(_Arriving(self)), place.socket_path())
            place.socket_made()
            await self._bring(target, place)
        finally:
            if server is not None:
                server.close()
            place.remove()

    async def _bring(self, target: processes.Target, place: Place) -> None:
        over: asyncio.Future[None] = self._loop.create_future()
        start = {
            "do": "attach",
            "address": {"unix": os.path.join(place.inside, "hub")},
            "secret": self._secret,
        }

        def work() -> None:
            failure: BaseException | None = None
            try:
                ladder.bring(target, place, start, self._watch)
            except BaseException as error:  # boundary: it is raised again on the loop's thread
                failure = error
            self._soon(settle, failure)

        def settle(failure: BaseException | None) -> None:
            if over.cancelled():
                return
            if failure is None:
                over.set_result(None)
            else:
                over.set_exception(failure)

        _thread.start_new_thread(work, ())
        try:
            await asyncio.wait((over, self._seated), return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Seated, failed or given up: in each case the thread ends now.
            self._watch.stop()
            await asyncio.wait((over,))
        if not self._seated.done():
            over.result()

    def _soon(self, call: Any, *arguments: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:
            return  # the hub has ended: nobody hears it

    def _tell(self, text: str) -> None:
        if not self._seated.done():
            self._client.note(text)

    def arrived(self, connection: Connection, hello: Hello) -> None:
        """Take the agent: at once, in this very callback, for its next message must find its owner."""
        if self._seated.done() or self._watch.stopped or not same_secret(str(hello.get("secret")), self._secret):
            connection.abort()
            return
        self._watch.stop()
        # In a container the program knows itself by another number than we do.
        hello = {**hello, "pid": self._pid}
        self._hub.brought(connection, hello, client=self._client, wish=self._wish, waiting=self._waiting)
        self._seated.set_result(None)


class _Arriving:
    """Owner of a connection to the private socket, which only the target (and root) can reach, until its hello."""

    def __init__(self, attaching: Attaching) -> None:
        self._attaching = attaching

    def received(self, connection: Connection, message: dict[str, Any]) -> None:
        if message.get("type") == "event" and message.get("event") == HELLO:
            self._attaching.arrived(connection, message.get("body") or {})  # type: ignore[typeddict-item]
        else:
            connection.abort()

    def malformed(self, connection: Connection, error: FramingError) -> None:
        connection.abort()

    def lost(self, connection: Connection) -> None:
        pass

    def crowded(self, connection: Connection, *, yes: bool) -> None:
        pass


