"""One attach by process id under way.

A process that is debugged already has a hub: the client is passed on to that (`_Door`). Else an agent is
brought into the program, dials a socket of this hub's, and gets its session.

What blocks (`remora.inject`) runs on a thread of its own; its news come back onto the loop. Whatever ends
this, an answer, a `cancel` or the client's leaving, the thread is waited for: when it has ended, nothing of
ours is left in the program, or will be run there.
"""

from __future__ import annotations

import _thread
import os

from remora.dap.errors import DEBUGGEE_GONE
from remora.dap.hello import HELLO
from remora.dap.trust import same_secret
from remora.hub.connection import Connection
from remora.hub.loop import asyncio
from remora.hub.remote import Remote
from remora.inject import doors, ladder, processes
from remora.inject.failures import cannot
from remora.inject.place import Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from remora.dap.framing import FramingError
    from remora.dap.hello import Hello
    from remora.hub.client import Client, Waiting
    from remora.hub.configuration import Attach
    from remora.hub.hub import Hub
    from remora.hub.session import Session

# A hub answers at once; one that does not is not asked any longer.
DOOR_S = 5.0


class Attaching:
    """From the process id to the session."""

    def __init__(self, hub: Hub, client: Client, wish: Attach, waiting: Waiting) -> None:
        self._hub = hub
        self._client = client
        self._wish = wish
        self._waiting = waiting
        assert wish.process_id is not None
        self._pid = wish.process_id
        self._loop = asyncio.get_running_loop()
        self._secret = os.urandom(16).hex()
        self._seated: asyncio.Future[None] = self._loop.create_future()
        self._session: Session | None = None
        self._watch = ladder.Watch(lambda text: self._soon(lambda: self._tell(text)))

    async def start(self) -> None:
        """Seat the client. Raise DapError if that fails; nothing is left then."""
        if self._pid == os.getpid():
            raise cannot(self._pid, "that is the debugger itself")
        target = processes.Target(self._pid)
        if await self._by_its_hub(target):
            return
        place = Place(target)
        server = None
        try:
            server = await self._loop.create_unix_server(
                lambda: Connection(_Arriving(self)), place.socket_path()
            )
            place.socket_made()
            await self._bring(target, place)
            if self._session is not None:
                await self._hub.light_beacon(self._session)
        finally:
            if server is not None:
                server.close()
            place.remove()
            self._end_progress()

    # A hub that is there already.

    async def _by_its_hub(self, target: processes.Target) -> bool:
        asked = self._waiting.asked
        passed_on = ("processId", "connect", "host", "port")
        arguments = {name: value for name, value in asked["arguments"].items() if name not in passed_on}
        asked = {**asked, "arguments": {**arguments, "subProcessId": self._pid}}
        # Ourselves we ask only while there is something to be had: a socket that is being closed may take a
        # connection and forget it (CPython gh-109564).
        is_ours = any(
            session.pid == self._pid and not session.ended and (session.client or session.is_free)
            for session in self._hub.sessions
        )
        for name in doors.doors(self._pid):
            if name in self._hub.beacons and not is_ours:
                continue
            door = _Door(self._client, asked, name, target)
            if await door.opens():
                self._waiting.hand_over(self._client, door)
                return True
        return False

    # An agent of our own.

    async def _bring(self, target: processes.Target, place: Place) -> None:
        over: asyncio.Future[None] = self._loop.create_future()
        start: dict[str, Any] = {
            "do": "attach",
            "address": {"unix": os.path.join(place.inside, "hub")},
            "secret": self._secret,
        }
        # In a container, or as another user, children could not reach us.
        if target.shares_view and target.uid == os.geteuid() and self._wish.arguments.get("subProcess", True):
            start["family"] = self._hub.for_children()

        def work() -> None:
            failure: BaseException | None = None
            try:
                ladder.bring(target, place, start, self._watch)
            except BaseException as error:  # boundary: it is raised again on the loop's thread
                failure = error
            self._soon(lambda: settle(failure))

        def settle(failure: BaseException | None) -> None:
            if failure is None:
                over.set_result(None)
            else:
                over.set_exception(failure)

        _thread.start_new_thread(work, ())
        try:
            await asyncio.wait((over, self._seated), return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Seated, failed or given up: in each case the thread ends now, and is waited for.
            self._watch.stop()
            while not over.done():
                try:
                    await asyncio.wait((over,))
                except asyncio.CancelledError:
                    continue  # a second time: the hub ends. What the thread tidies up is not ours to leave
            failure = over.exception()
        if failure is not None and not self._seated.done():
            raise failure

    def _soon(self, call: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:
            return  # the hub has ended: nobody hears it

    def arrived(self, connection: Connection, hello: Hello) -> None:
        """Take the agent: at once, in this very callback, for its next message must find its owner."""
        secret = hello.get("secret")
        if self._watch.stopped or not isinstance(secret, str) or not same_secret(secret, self._secret):
            connection.abort()
            return
        self._watch.stop()
        self._end_progress()
        # In a container the program knows itself by another number than we do.
        hello = {**hello, "pid": self._pid}
        self._session = self._hub.brought(
            connection, hello, client=self._client, wish=self._wish, waiting=self._waiting
        )
        self._seated.set_result(None)

    # What the client hears meanwhile.

    def _tell(self, text: str) -> None:
        if self._watch.stopped or self._client.seat is not self._waiting:
            return
        self._client.note(text)
        if self._client.arguments.get("supportsProgressReporting") is not True:
            return
        message = text.splitlines()[0]
        if self._waiting.progress_id is None:
            self._waiting.progress_id = f"attach-{self._pid}"
            body = {
                "progressId": self._waiting.progress_id,
                "title": f"Attaching to process {self._pid}",
                "cancellable": True,
                "message": message,
            }
            self._client.event("progressStart", body)
        else:
            self._client.event(
                "progressUpdate", {"progressId": self._waiting.progress_id, "message": message}
            )

    def _end_progress(self) -> None:
        if self._waiting.progress_id is not None:
            self._client.event("progressEnd", {"progressId": self._waiting.progress_id})
            self._waiting.progress_id = None


class _Arriving:
    """Owner of a connection to the private socket until its hello; only the target's user can reach that."""

    def __init__(self, attaching: Attaching) -> None:
        self._attaching = attaching

    def received(self, connection: Connection, message: dict[str, Any]) -> None:
        body = message.get("body")
        if message.get("type") == "event" and message.get("event") == HELLO and isinstance(body, dict):
            self._attaching.arrived(connection, body)  # type: ignore[arg-type]
        else:
            connection.abort()

    def malformed(self, connection: Connection, error: FramingError) -> None:
        connection.abort()

    def lost(self, connection: Connection) -> None:
        pass

    def crowded(self, connection: Connection, *, yes: bool) -> None:
        pass


class _Door(Remote):
    """The seat of a client whose process is a member of another hub's family, if that hub says so."""

    def __init__(self, client: Client, asked: dict[str, Any], name: str, target: processes.Target) -> None:
        super().__init__(client, asked, f"the hub of process {target.pid}", patience_s=0.0, restart=False)  # type: ignore[arg-type]
        self._name = name
        self._target = target
        self._knows: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def opens(self) -> bool:
        """Ask it for the process. False if it does not know it; whatever else it says is the client's."""
        try:
            async with asyncio.timeout(DOOR_S):
                await self.dial()
                return await self._knows
        except (TimeoutError, OSError):
            self._forget()
            return False

    async def _connect(self) -> Connection:
        transport, connection = await asyncio.get_running_loop().create_unix_connection(
            lambda: Connection(self, max_body_bytes=1 << 31), self._name
        )
        if not doors.is_trusted(transport.get_extra_info("socket"), self._target.uid):
            connection.abort()
            raise PermissionError("somebody else's socket")
        return connection

    def received(self, connection: Connection, message: dict[str, Any]) -> None:
        if not self._knows.done():
            if message.get("command") == "attach" and message.get("success") is False:
                error = (message.get("body") or {}).get("error") or {}
                if error.get("id") == DEBUGGEE_GONE.id:
                    self._forget()
                    return
                self._knows.set_result(True)
            elif message.get("type") == "event" and message.get("event") in ("initialized", "process"):
                self._knows.set_result(True)
        super().received(connection, message)

    def lost(self, connection: Connection) -> None:
        if self._knows.done():
            super().lost(connection)
        else:
            self._forget()

    def _forget(self) -> None:
        self._client = None
        if not self._knows.done():
            self._knows.set_result(False)
        if self._there is not None:
            self._there.abort()

    def _point_here(self, message: dict[str, Any]) -> None:
        """The hub is on this machine: the address it gives for children is good."""
