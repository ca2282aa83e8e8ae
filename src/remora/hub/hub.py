"""The hub: who is connected, which sessions there are, and when all is over.

Three ways to be one, by what ends it:

* `LISTEN` (beside a program that called `listen`): the end of its last session, then of its last client;
* `STDIO` (`remora adapter`): its one client leaves (or a signal), what that launched has ended, and nobody is
  attached to a child of it;
* `SERVER` (`remora adapter --port`): a signal.

All state is touched on the loop's thread only; the tasks in the task group do what takes time (starting a
program, dialling), everything else happens in callbacks.
"""

from __future__ import annotations

import os
import signal
import socket

from remora.dap.errors import INTERNAL, DapError, UsageError
from remora.dap.hello import HELLO
from remora.dap.trust import same_secret
from remora.hub import access, family, listeners
from remora.hub.children import Children
from remora.hub.client import Client
from remora.hub.connection import Connection
from remora.hub.entrance import Entrance
from remora.hub.journal import Journal
from remora.hub.life import Life
from remora.hub.loop import asyncio
from remora.hub.mode import Mode
from remora.hub.session import Session
from remora.hub.strangers import Strangers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from remora.dap.framing import FramingError
    from remora.dap.hello import Family, Hello
    from remora.hub.access import Peer
    from remora.hub.client import Waiting
    from remora.hub.configuration import Attach, Launch
    from remora.hub.process import Watched
    from remora.hub.undebugged import Undebugged


# A client that has introduced itself may stay this long without attaching.
ATTACH_S = 60.0
# After `terminated` clients say goodbye; one that does not is not waited for.
GOODBYE_S = 10.0
# A program that has died without a word may have left a child that is about to dial: daemons fork like that.
LINGER_S = 0.25
# One that says it has just started a process. Below what a new run of the program waits for the port.
BIRTH_S = 0.75


class Hub:
    """One hub process."""

    def __init__(self, mode: Mode, *, token: str | None = None, journal: Journal | None = None) -> None:
        self.mode = mode
        self.token = token
        self.journal = journal or Journal()
        self.sessions: list[Session] = []
        self.beacons: set[str] = set()  # names of sockets of ours by which single processes are found
        self._running: set[object] = set()  # programs without a session: undebugged, or on their way to one
        self._clients: set[Client] = set()
        self._stdio: Client | None = None
        self._strangers = Strangers(self.journal, agent=self._agent_arrived, client=self._client_arrived)
        self._door: family.Door | None = None
        self._tree = family.Tree(is_one=mode is not Mode.SERVER)
        self.children = Children(
            self._tree,
            later=lambda seconds, call: asyncio.get_running_loop().call_later(seconds, call),
            address_for=self._address_for,
            token=lambda: self.token,
            on_given_up=self._look_for_the_end,
            journal=self.journal,
        )
        # Host and port of the TCP sockets; what is asked for first is listed first.
        self.ports: list[tuple[str, int]] = []
        self._entrance = Entrance(self)
        # Debuggees we started and wait for: secret -> what to do when they say hello.
        self._expected: dict[str, Callable[[Connection, Hello], None]] = {}
        self._had_session = False
        self._lingering: asyncio.TimerHandle | None = None
        self.agents_due = 0
        self._servers: list[asyncio.Server] = []
        self._finished = asyncio.Event()
        self.at_end: set[Callable[[], None]] = set()  # what is called last
        self._group: asyncio.TaskGroup | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # Life.

    async def run(self, start: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Call `start`, then live until the end of what the mode names."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self.stop)
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                await start()
                self._look_for_the_end()
                await self._finished.wait()
                await self._end_programs()
                for task in list(self._tasks):
                    task.cancel()
        finally:
            for server in self._servers:
                server.close()
            if self._door is not None:
                self._door.close()
            for client in list(self._clients):
                client.connection.close()
            for call in self.at_end:
                call()

    def stop(self) -> None:
        """End, and what we launched with us. What we did not launch runs on.

        On stdio that is as if the client left: an editor sends the signal when its first session has ended,
        and may have others, of children, that go on.
        """
        if self.mode is Mode.STDIO and self._stdio is not None:
            client, self._stdio = self._stdio, None
            client.connection.close()
            self._look_for_the_end()
        else:
            self._finished.set()

    async def serve(self, sockets: list[socket.socket]) -> None:
        """Take connections on listening sockets."""
        loop = asyncio.get_running_loop()
        for sock in sockets:
            if sock.family == socket.AF_UNIX:
                server = await loop.create_unix_server(self.make_connection, sock=sock)
            else:
                self.ports.append(sock.getsockname()[:2])
                server = await loop.create_server(self.make_connection, sock=sock)
            self._servers.append(server)

    async def serve_family(self, sock: socket.socket, secret: str) -> None:
        """Take the members of a family whose socket somebody else has made."""
        self._door = family.Door(sock, secret)
        await self.serve([sock])

    def for_children(self) -> Family:
        """Return what a program that is launched now passes on to its children."""
        if self._door is None:
            self._door = family.open_door(os.getpid())
            self._serve_soon([self._door.sock])
        return self._door.for_children()

    def _serve_soon(self, sockets: list[socket.socket]) -> None:
        # They listen already: whoever dials before the task has begun waits in the kernel.
        assert self._group is not None
        self._group.create_task(self.serve(sockets))

    async def adopt_agent(self, sock: socket.socket) -> None:
        """Take a connection that is an agent's, proven by being ours."""
        self.agents_due += 1
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: Connection(_Agent(self)), sock=sock)

    def adopt_client(self, connection: Connection) -> None:
        """Make a connection a client's (stdio)."""
        client = self._stdio = Client(self, connection)
        connection.owner = client
        self._clients.add(client)

    def make_connection(self) -> Connection:
        """Make the protocol of a connection that has just been accepted."""
        return Connection(self._strangers)

    def _client_arrived(self, connection: Connection, message: dict[str, Any]) -> None:
        client = Client(self, connection)
        connection.owner = client
        self._clients.add(client)
        asyncio.get_running_loop().call_later(ATTACH_S, self._undecided, client)
        client.received(connection, message)

    def _undecided(self, client: Client) -> None:
        if client in self._clients and client.seat is None:
            client.note(f"closing the connection: no 'attach' or 'launch' within {ATTACH_S:g} s")
            client.connection.close()

    # Agents.

    def _agent_arrived(self, connection: Connection, hello: Any, *, proven: bool = False) -> None:
        if not _is_hello(hello):
            self.journal.write("refused a hello that is none")
            connection.abort()
            return
        expected = next((secret for secret in self._expected if same_secret(hello["secret"], secret)), None)
        if expected is not None:
            self._expected.pop(expected)(connection, hello)
            return
        is_member = self._door is not None and same_secret(hello["secret"], self._door.secret)
        if not proven and not is_member:
            try:
                if self.mode is Mode.LISTEN:
                    raise UsageError("this hub belongs to another program")
                access.check(hello["secret"] or None, self.token, connection.peer)
            except UsageError as error:
                self.journal.write(f"refused an agent: {error.text}")
                connection.abort()
                return
        if proven:
            self.agents_due -= 1
        if self._succeeds(connection, hello):
            return
        session = self._make_session(connection, hello)
        if session.is_child:
            self._entrance.pair(session)
            if session.client is None:
                self.children.born(session)
        else:
            self._entrance.pair(session)

    def _succeeds(self, connection: Connection, hello: Hello) -> bool:
        """Take what a process says after an exec: its session goes on."""
        if hello["startMethod"] != "child" or hello.get("parent") != hello["pid"] or hello.get("interpreter"):
            return False
        member = self._tree.living(hello["pid"], _machine(connection.peer))
        session = member.session if member is not None else None
        if session is None or session.ended:
            return False
        self.journal.write(f"process {session.pid} runs another program")
        connection.owner = session
        session.successor(connection, hello)
        if session.client is None:
            self.children.ended(session)
            self.children.born(session)
        return True

    def _make_session(
        self, connection: Connection, hello: Hello, *, launched: bool = False, program: Watched | None = None
    ) -> Session:
        loop = asyncio.get_running_loop()
        # A sub-interpreter does not end with an exit code, and its process is not this session's.
        is_main = not hello.get("interpreter")
        is_here = program is None and is_main and connection.peer.is_process(hello["pid"])
        session = Session(
            connection, hello, on_end=self._session_ended, later=loop.call_later,
            on_ready=self._client_ready, on_left=self._client_left, launched=launched, program=program,
            life=Life(hello["pid"]) if is_here else None, condemn=self._condemn if is_here else None,
        )  # fmt: skip
        session.member = self._tree.add(
            session, session.pid, hello.get("parent"), _machine(connection.peer), session.interpreter
        )
        session.spares = lambda: self._others_look(session)
        connection.owner = session
        self.sessions.append(session)
        self._had_session = True
        self.journal.write(f"session: process {hello['pid']}")
        return session

    def _condemn(self, session: Session, /, *, asks: bool, gently_s: float) -> None:
        def ended(code: int | None) -> None:
            self.drop(process)

        from remora.hub.process import Watched

        process = Watched(session.pid, ended)
        self.keep(process)
        # What it has started is its own affair, or its group's: we have not started it.
        process.end(gently_s=gently_s, asks=asks, spares=lambda: True)

    def _others_look(self, session: Session) -> bool:
        """Tell whether somebody is attached to another process of the session's family."""
        family = self._tree.of_family(session.member.root) if session.member is not None else ()
        return any(other is not session and other.client is not None for other in family)

    def agent_lost_early(self) -> None:
        """The agent we were made for went before its hello."""
        self.agents_due -= 1
        self._had_session = True
        self._look_for_the_end()

    def _session_ended(self, session: Session) -> None:
        self.journal.write(f"session of process {session.pid} has ended")
        if session in self.sessions:
            self.sessions.remove(session)
        self.children.ended(session)
        if session.member is not None:
            self._tree.close(session.member)
        if self.mode is Mode.LISTEN and self._lingering is None:
            wait_s = BIRTH_S if session.has_just_started else 0.0 if session.said_goodbye else LINGER_S
            if wait_s:
                self._lingering = asyncio.get_running_loop().call_later(wait_s, self._lingered)
        self._look_for_the_end()

    def _lingered(self) -> None:
        self._lingering = None
        self._look_for_the_end()

    def _client_ready(self, session: Session) -> None:
        self.children.ready(session, was_told=session.was_told)

    def _client_left(self, session: Session, client: Client) -> None:
        self.children.left(client, for_good=not session.ended)

    def _address_for(self, client: Client) -> tuple[str, int]:
        """Return where a client dials to reach another session of this hub. OSError if there is no port."""
        if client.dialled is not None:
            return client.dialled
        local = client.connection.peer.local
        if local is not None:
            return local
        if not self.ports:
            # The client is on stdio: the ones for the children dial a port of their own.
            sockets = listeners.listen("127.0.0.1", 0)
            address = sockets[0].getsockname()
            self._serve_soon(sockets)
            return address[0], address[1]
        return self.ports[0]

    # Clients.

    def client_gone(self, client: Client) -> None:
        self._clients.discard(client)
        self._look_for_the_end()

    def bug(self, what: str, error: BaseException) -> None:
        self.journal.exception(f"a bug {what}", error)

    def start(self, client: Client, asked: dict[str, Any], wish: Attach | Launch) -> None:
        """Let a client that may in go where it wishes. Raise UsageError where that cannot be."""
        self._entrance.start(client, asked, wish)

    def background(
        self, work: Coroutine[Any, Any, None], client: Client, asked: dict[str, Any]
    ) -> asyncio.Task[None]:
        """Do what takes time; if it fails, that is the answer to `asked`."""

        async def guarded() -> None:
            try:
                await work
                return
            except DapError as error:
                failure = error
            except Exception as error:
                self.bug(f"on {asked.get('command')!r}", error)
                failure = INTERNAL(what=repr(error))
            client.unbind()
            client.fail(asked, failure)
            self._look_for_the_end()

        assert self._group is not None
        task = self._group.create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # Cancelled before its first step it would leave `work` behind, and Python says so on stderr.
        task.add_done_callback(lambda _: work.close())
        return task

    # For the launcher, and attaching by process id.

    def expect(self, secret: str, then: Callable[[Connection, Hello], None]) -> None:
        """Call `then` when a debuggee says hello with this secret."""
        self._expected[secret] = then

    def expect_no_more(self, secret: str) -> None:
        self._expected.pop(secret, None)

    def keep(self, thing: Watched | Undebugged) -> None:
        """Don't end before this has ended (`drop`)."""
        self._running.add(thing)

    def drop(self, thing: Watched | Undebugged) -> None:
        self._running.discard(thing)
        self._look_for_the_end()

    def output_of_orphans(self, parent: Session, category: str, text: str) -> None:
        """Show what children of an ended program write to its pipes, where one of them is looked at."""
        member = parent.member
        for session in self._tree.of_family(member.root) if member is not None else ():
            if session.client is not None and not session.ended:
                session.program_output(category, text)
                return

    def launched(
        self,
        connection: Connection,
        hello: Hello,
        *,
        client: Client,
        wish: Launch,
        waiting: Waiting,
        program: Watched,
    ) -> Session:
        """Make the session of a program that has said hello, and seat its client."""
        session = self._make_session(connection, hello, launched=True, program=program)
        self._entrance.seat(client, waiting, session, wish)
        return session

    def brought(
        self, connection: Connection, hello: Hello, *, client: Client, wish: Attach, waiting: Waiting
    ) -> Session:
        """Make the session of a program that was running before it had an agent, and seat its client."""
        session = self._make_session(connection, hello)
        self._entrance.seat(client, waiting, session, wish)
        return session

    async def light_beacon(self, session: Session) -> None:
        """While we have it, let who knows no more than its process id find us."""
        try:
            door = family.open_door(session.pid)
        except OSError:
            return  # others are told that somebody has it, not who
        self.beacons.add(door.name)
        server = await asyncio.get_running_loop().create_unix_server(self.make_connection, sock=door.sock)
        session.when_ended(lambda: self.beacons.discard(door.name))
        session.when_ended(server.close)
        session.when_ended(door.close)

    # The end.

    def _look_for_the_end(self) -> None:
        if self.mode is Mode.SERVER or self._running:
            return
        if self.mode is Mode.STDIO:
            # Children that nobody looks at run on without us. A program that has dialled in stays: whoever
            # attaches with the same "listen" again finds it here.
            is_needed = any(not session.is_child for session in self.sessions)
            if not (is_needed or self._clients or self.children.is_waiting):
                self._finished.set()
            return
        if self.sessions or not self._had_session or self._lingering is not None:
            return
        for server in self._servers:
            server.close()
        self._servers.clear()
        self.ports.clear()
        self._entrance.close()
        if not self._clients:
            self._finished.set()
            return
        asyncio.get_running_loop().call_later(GOODBYE_S, self._finished.set)

    async def _end_programs(self) -> None:
        """End what we launched: the hub ends first only when told to."""
        ended = [thing for thing in self._running if hasattr(thing, "end")]
        for program in ended:
            program.end(gently_s=1.0)
        try:
            async with asyncio.timeout(3.0):
                while any(program in self._running for program in ended):
                    await asyncio.sleep(0.02)
        except TimeoutError:
            self.journal.write("a program would not end")


class _Agent:
    """Owner of a connection that is known to be an agent's, until its hello."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def received(self, connection: Connection, message: dict[str, Any]) -> None:
        if message.get("type") == "event" and message.get("event") == HELLO:
            self._hub._agent_arrived(connection, message.get("body"), proven=True)

    def malformed(self, connection: Connection, error: FramingError) -> None:
        connection.abort()

    def lost(self, connection: Connection) -> None:
        self._hub.agent_lost_early()

    def crowded(self, connection: Connection, *, yes: bool) -> None:
        pass


def _machine(peer: Peer) -> str:
    """Return where the peer's process ids mean something: "" is here."""
    return "" if peer.is_private or peer.is_loopback else peer.host


def _is_hello(hello: Any) -> bool:
    return (
        isinstance(hello, dict)
        and isinstance(hello.get("secret"), str)
        and isinstance(hello.get("name"), str)
        and isinstance(hello.get("startMethod"), str)
        and type(hello.get("pid")) is int
        and hello["pid"] > 0
        and (hello.get("parent") is None or type(hello["parent"]) is int)
        and type(hello.get("interpreter", 0)) is int
    )
