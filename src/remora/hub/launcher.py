"""One launch under way: start the program, wait for its hello, make the session.

Whatever goes wrong before the session exists is the failed answer to `launch`, and leaves no process behind.
What the program writes before then is kept and shown first.
"""

from __future__ import annotations

import contextlib
import os
import socket

from remora.dap.errors import CANNOT_LAUNCH, DapError
from remora.dap.hello import SESSION_VARIABLE
from remora.hub import launch
from remora.hub.connection import Connection
from remora.hub.loop import asyncio
from remora.hub.process import Process, Watched, leave_reading
from remora.hub.undebugged import Undebugged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from typing import Any

    from remora.dap.framing import FramingError
    from remora.dap.hello import Address, Hello
    from remora.hub.client import Client, Waiting
    from remora.hub.configuration import Launch
    from remora.hub.hub import Hub
    from remora.hub.process import Output
    from remora.hub.session import Session


class Launcher:
    """The program from command line to session, and then what joins its process to its session."""

    def __init__(
        self,
        hub: Hub,
        client: Client,
        wish: Launch,
        plan: launch.Plan,
        waiting: Waiting,
    ) -> None:
        self._hub = hub
        self._client = client
        self._asked = waiting.asked
        self._wish = wish
        self._plan = plan
        self._waiting = waiting
        hub.at_end.add(leave_reading)
        self._program: Watched | None = None
        self._session: Session | None = None
        self._undebugged: Undebugged | None = None
        self._early: list[tuple[str, str]] = []
        self._terminals: Watched | None = None  # the process a client says it has started
        self._hello: asyncio.Future[tuple[Connection, Hello]] = asyncio.get_running_loop().create_future()

    async def start(self) -> None:
        """Start the program and seat the client. Raise DapError if that fails; nothing is left then."""
        for note in self._plan.notes:
            self._client.note(note)
        terminal = self._wish.console != "internalConsole"
        if terminal and not self._client.takes("runInTerminal"):
            self._client.note("the client cannot run programs in a terminal: its output appears here instead")
            terminal = False
            self._wish.arguments["redirectOutput"] = True
        if self._wish.no_debug:
            self._start_undebugged(terminal=terminal)
            return
        secret = os.urandom(16).hex()
        self._hub.expect(secret, self._arrived)
        try:
            limit_s = launch.PASSWORD_S if terminal and self._plan.sudo else launch.HELLO_S
            async with asyncio.timeout(limit_s):
                if terminal:
                    await self._in_terminal(secret, wait=True)
                else:
                    await self._as_child(secret)
        except TimeoutError:
            self._give_up()
            raise CANNOT_LAUNCH(
                program=self._plan.name, reason=f"it did not come up within {limit_s:g} s"
            ) from None
        except BaseException:
            self._give_up()
            raise
        finally:
            self._hub.expect_no_more(secret)

    def _arrived(self, connection: Connection, hello: Hello) -> None:
        if self._hello.done():
            connection.abort()
        else:
            self._hello.set_result((connection, hello))
            if self._program is None:
                # In a terminal: not our child, but its death can be watched all the same.
                self._program = Watched(hello["pid"], self._exited)
                self._hub.keep(self._program)
            else:
                self._program.is_behind(hello["pid"])
            # At once, in this very callback: the agent's next message must find its owner.
            if self._wish.no_debug:
                connection.owner = _Ignored()
            else:
                self._sit(connection, hello)

    def _sit(self, connection: Connection, hello: Hello) -> None:
        assert self._program is not None
        self._session = self._hub.launched(
            connection,
            {**hello, "name": self._plan.name},
            client=self._client,
            wish=self._wish,
            waiting=self._waiting,
            program=self._program,
        )
        early, self._early = self._early, []
        for category, text in early:
            self._output(category, text)

    async def _as_child(self, secret: str) -> None:
        if self._plan.sudo:
            await self._as_root(secret)
            return
        ours, theirs = socket.socketpair()
        with theirs:
            session = self._session_text({"fd": theirs.fileno()}, secret, wait=True, captures=True)
            try:
                self._program = Process(
                    self._plan.debugged(),
                    cwd=self._plan.cwd,
                    env={**self._plan.environment, SESSION_VARIABLE: session},
                    pass_fds=[theirs.fileno()],
                    on_output=self._output,
                    on_exit=self._exited,
                )
            except OSError as error:
                ours.close()
                raise launch.explain(self._plan, error) from None
        self._hub.keep(self._program)
        ours.setblocking(False)
        await asyncio.get_running_loop().create_connection(self._hub.make_connection, sock=ours)
        await self._hello

    async def _as_root(self, secret: str) -> None:
        """Start it under sudo, which passes on neither descriptors nor the environment."""
        async with self._meeting_place() as (folder, path):
            session = self._session_text({"unix": path}, secret, wait=True, captures=True)
            settings = launch.private_file(folder, "settings", self._plan.root_settings(session))
            command = self._plan.as_root(self._plan.debugged(), settings, ask=False)
            self._program = self._start(command, self._output, self._exited)
            self._hub.keep(self._program)
            await self._hello

    def _start(self, command: list[str], on_output: Output, on_exit: Callable[[int | None], None]) -> Process:
        """Start what needs no connection of ours. Raise DapError if that fails."""
        try:
            return Process(
                command,
                cwd=self._plan.cwd,
                env=self._plan.environment,
                pass_fds=(),
                on_output=on_output,
                on_exit=on_exit,
            )
        except OSError as error:
            raise launch.explain(self._plan, error) from None

    @contextlib.asynccontextmanager
    async def _meeting_place(self) -> AsyncIterator[tuple[str, str]]:
        """Listen in a folder that only our user (and root) may enter; gone after the hello."""
        folder = launch.private_folder()
        path = os.path.join(folder, "hub")
        server = None
        try:
            server = await asyncio.get_running_loop().create_unix_server(self._hub.make_connection, path)
            yield folder, path
        finally:
            if server is not None:
                server.close()
            launch.remove_folder(folder)

    async def _in_terminal(self, secret: str, *, wait: bool) -> None:
        async with self._meeting_place() as (folder, path):
            session = self._session_text({"unix": path}, secret, wait=wait, captures=False)
            named = "@" + launch.private_file(folder, "session", session)
            settings = None
            if self._plan.sudo:
                settings = launch.private_file(folder, "settings", self._plan.root_settings(named))
            arguments = launch.in_terminal(
                self._plan,
                self._wish,
                named,
                settings,
                expands=self._client.arguments.get("supportsArgsCanBeInterpretedByShell") is True,
            )
            self._client.ask("runInTerminal", arguments, self._terminal_answered)
            await self._hello
        if self._session is not None:
            # Its environment does not lead here: that names a file which is gone.
            await self._hub.light_beacon(self._session)

    def _session_text(self, address: Address, secret: str, *, wait: bool, captures: bool) -> str:
        has_children = self._wish.arguments.get("subProcess") is not False
        family = self._hub.for_children() if has_children else None
        log = self._hub.journal.path if self._wish.wants_log else None
        if log is not None:
            log = log.replace("remora-hub-", "remora-debuggee-")
            if family is not None:
                family["log"] = log
            self._client.note(f"the log of the program is {log}")
        return self._plan.session(address, secret, wait=wait, captures=captures, family=family, log=log)

    def _terminal_answered(self, answer: dict[str, Any]) -> None:
        if self._hello.done():
            return
        if answer.get("success") is not True:
            reason = f"the client could not open a terminal: {answer.get('message') or 'it gave no reason'}"
            self._hello.set_exception(CANNOT_LAUNCH(program=self._plan.name, reason=reason))
            return
        pid = (answer.get("body") or {}).get("processId")
        # An external terminal may hand its work to a server and end at once: that says nothing.
        if type(pid) is int and pid > 0 and self._wish.console == "integratedTerminal":
            self._terminals = Watched(pid, self._terminals_ended)

    def _terminals_ended(self, code: int | None) -> None:
        # Its hello may be on the way still, or it was only the shell of the program.
        asyncio.get_running_loop().call_later(launch.LAST_HELLO_S, self._never_came)

    def _never_came(self) -> None:
        if not self._hello.done():
            self._hello.set_exception(launch.died_early(self._plan, None, ""))

    def _give_up(self) -> None:
        if self._session is None and self._program is not None:
            self._program.end(gently_s=0)

    # The process.

    def _output(self, category: str, text: str) -> None:
        if self._session is None:
            self._early.append((category, text))
        elif not self._wish.shows_output:
            return
        elif not self._session.ended:
            self._session.program_output(category, text)
        else:
            # What it has started lives on, and writes to the same pipes.
            self._hub.output_of_orphans(self._session, category, text)

    def _exited(self, code: int | None) -> None:
        program = self._program
        if self._session is not None:
            self._session.program_exited(code)
        elif self._undebugged is not None:
            self._undebugged.program_exited(code)
        elif not self._hello.done():
            stderr = "".join(text for category, text in self._early if category == "stderr")
            self._hello.set_exception(launch.died_early(self._plan, code, stderr))
        if program is not None:
            self._hub.drop(program)

    # noDebug.

    def _start_undebugged(self, *, terminal: bool) -> None:
        run = self._run_plain_in_terminal if terminal else self._run_plain
        seat = Undebugged(self._client, self._asked, run, self._hub.drop)
        self._hub.keep(seat)
        self._client.event("initialized")
        self._waiting.hand_over(self._client, seat)

    def _run_plain(self, seat: Undebugged) -> None:
        def exited(code: int | None) -> None:
            if folder is not None:
                launch.remove_folder(folder)
            seat.program_exited(code)
            self._hub.drop(program)

        def output(category: str, text: str) -> None:
            if self._wish.shows_output:
                seat.program_output(category, text)

        command = self._plan.plain()
        folder = None
        try:
            if self._plan.sudo:
                folder = launch.private_folder()
                settings = launch.private_file(folder, "settings", self._plan.root_settings(None))
                command = self._plan.as_root(command, settings, ask=False)
            program = self._start(command, output, exited)
        except DapError as error:
            seat.failed(error)
            return
        self._hub.keep(program)
        seat.started(program, self._plan.name, program.pid)

    def _run_plain_in_terminal(self, seat: Undebugged) -> None:
        """The agent tells the process id and does nothing else: it is never asked to attach."""

        async def run() -> None:
            secret = os.urandom(16).hex()
            self._hub.expect(secret, self._arrived)
            try:
                await self._in_terminal(secret, wait=False)
            except DapError as error:
                seat.failed(error)
                return
            finally:
                self._hub.expect_no_more(secret)
            program = self._program
            assert program is not None
            self._undebugged = seat
            seat.started(program, self._plan.name, program.pid)
            if program.exited:
                seat.program_exited(None)

        self._hub.background(run(), self._client, self._asked)


class _Ignored:
    """Owner of the connection of an agent nobody asks anything."""

    def received(self, connection: Connection, message: dict[str, Any]) -> None:
        pass

    def malformed(self, connection: Connection, error: FramingError) -> None:
        connection.abort()

    def lost(self, connection: Connection) -> None:
        pass

    def crowded(self, connection: Connection, *, yes: bool) -> None:
        pass
