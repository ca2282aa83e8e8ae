"""Where a client goes that may in: to a session that is there, one that is made for it, or another hub.

The seats that take time to get (a launch, an attach by process id, a hub that is dialled) are tasks of the
hub's; until they are done, and while a client waits for a program to dial in, it sits in a `Waiting`.
"""

from __future__ import annotations

import os

from remora.dap.errors import DEBUGGEE_GONE, SESSION_TAKEN, DapError, UsageError
from remora.hub import listeners
from remora.hub.client import Waiting
from remora.hub.configuration import Launch
from remora.hub.mode import Mode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from remora.hub import launch
    from remora.hub.client import Client
    from remora.hub.configuration import Address, Attach
    from remora.hub.hub import Hub
    from remora.hub.loop import asyncio
    from remora.hub.session import Session


class Entrance:
    """The clients' way in. What launches and attaches by process id is loaded when it is asked for."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        # Clients whose attach waits for a debuggee to come.
        self._waiting: list[tuple[Client, Attach, Waiting]] = []

    def start(self, client: Client, asked: dict[str, Any], wish: Attach | Launch) -> None:
        """Let a client that may in go where it wishes. Raise UsageError where that cannot be."""
        if wish.wants_log:
            self._log(client)
        if isinstance(wish, Launch):
            if self._hub.mode is Mode.LISTEN:
                raise UsageError('this port belongs to a running program: use "request": "attach"')
            from remora.hub import launch

            plan = launch.Plan(wish, os.environ, os.getcwd())
            self._run(client, asked, lambda waiting: self._launch(client, wish, plan, waiting))
        elif wish.process_id is not None:
            if self._hub.mode is Mode.LISTEN:
                raise UsageError('this port belongs to a running program: leave out "processId"')
            self._run(client, asked, lambda waiting: self._bring(client, wish, waiting))
        elif wish.connect is not None and not self._is_here(wish.connect):
            address = wish.connect
            self._run(client, asked, lambda waiting: self._dial(client, asked, wish, address, waiting))
        else:
            if wish.connect is not None:
                client.dialled = (wish.connect.host, wish.connect.port)
            self._attach(client, asked, wish)

    def _log(self, client: Client) -> None:
        """Write to a file from now on, and say where."""
        from remora.hub.journal import log_folder

        if self._hub.journal.path is None:
            try:
                self._hub.journal.open(os.path.join(log_folder(), f"remora-hub-{os.getpid()}.log"))
            except OSError as error:
                client.note(f"no log can be written: {error}")
                return
        client.note(f"the log is {self._hub.journal.path}")

    def _is_here(self, address: Address) -> bool:
        """Tell whether that is how a client has reached us: editors say in `attach` what they dialled."""
        if self._hub.mode is Mode.LISTEN:
            return True  # under whatever name: behind a tunnel or a container's port, ours is another one
        return any(port == address.port for _, port in self._hub.ports) and address.host in (
            *listeners.LOOPBACK_NAMES,
            *(host for host, _ in self._hub.ports),
        )

    def _attach(self, client: Client, asked: dict[str, Any], wish: Attach) -> None:
        sessions = self._meant(wish)
        for session in sessions:
            if session.is_free:
                self.seat(client, None, session, wish, asked)
                return
        # Here is where the client's own hub could not listen, for we do: who waits, waits with us.
        waits_here = (
            wish.listen is not None and self._hub.mode is not Mode.LISTEN and self._is_here(wish.listen)
        )
        if sessions and not waits_here:
            holder = sessions[0].client
            if holder is None:
                raise DEBUGGEE_GONE(reason="it closed its connection to remora")
            raise SESSION_TAKEN(who=holder.name)
        if wish.sub_process_id is not None:
            raise DEBUGGEE_GONE(reason=f"there is no process {wish.sub_process_id}")
        if self._hub.mode is Mode.LISTEN and not self._hub.agents_due:
            raise DEBUGGEE_GONE(reason="it has ended")
        if self._hub.mode is Mode.STDIO and wish.listen is None:
            raise UsageError(
                'the attach configuration needs "connect": {"host": …, "port": …}, where the program listens '
                'or "listen", where the program will connect to'
            )
        waiting = Waiting(asked, lambda: self._stop_waiting(client))
        client.seat = waiting
        self._waiting.append((client, wish, waiting))
        if wish.listen is not None and not waits_here:
            address = wish.listen
            try:
                sockets = listeners.listen(address.host, address.port)
                self._hub.background(self._hub.serve(sockets), client, asked)
            except DapError as error:
                client.unbind()
                self._stop_waiting(client)
                if not (isinstance(error, listeners.CannotListen) and error.is_in_use):
                    raise
                # Most likely a hub of before, whose client has left and whose program is still there.
                self._run(client, asked, lambda waiting: self._dial(client, asked, wish, address, waiting))
                return
            client.note(f"waiting for a program: python -m remora --connect {address} FILE")
        elif self._hub.mode is Mode.SERVER or waits_here:
            client.note(
                "waiting for a program to connect to this port: python -m remora --connect HOST:PORT FILE"
            )

    def _meant(self, wish: Attach) -> list[Session]:
        """Return the sessions an attach may mean: the roots, or what is left when these are gone."""
        living = [session for session in self._hub.sessions if not session.ended]
        if wish.sub_process_id is not None:
            return [session for session in living if wish.means(session.pid, session.interpreter)]
        return [session for session in living if not session.is_child] or living

    def _stop_waiting(self, client: Client) -> None:
        self._waiting = [entry for entry in self._waiting if entry[0] is not client]

    def seat(
        self,
        client: Client,
        waiting: Waiting | None,
        session: Session,
        wish: Attach | Launch,
        asked: dict[str, Any] | None = None,
    ) -> None:
        client.seat = session
        session.was_told = self._hub.children.attached(session)
        session.attach(client, waiting.asked if waiting is not None else asked or {}, wish)
        if waiting is not None:
            waiting.hand_over(client, session)

    def pair(self, session: Session) -> None:
        """Let in who waits for this session."""
        for entry in self._waiting:
            client, wish, waiting = entry
            is_meant = wish.means(session.pid, session.interpreter)
            if session.is_free and (is_meant or (wish.sub_process_id is None and not session.is_child)):
                self._waiting.remove(entry)
                self.seat(client, waiting, session, wish)
                return

    def close(self) -> None:
        """Nothing will come any more: answer who waits."""
        for client, _, waiting in self._waiting:
            client.unbind()
            client.fail(waiting.asked, DEBUGGEE_GONE(reason="it has ended"))
        self._waiting.clear()

    # What takes time.

    def _run(
        self,
        client: Client,
        asked: dict[str, Any],
        begin: Callable[[Waiting], Coroutine[Any, Any, None]],
    ) -> None:
        task: asyncio.Task[None] | None = None

        def give_up() -> None:
            if task is not None:
                task.cancel()

        waiting = Waiting(asked, give_up)
        client.seat = waiting
        task = self._hub.background(begin(waiting), client, asked)

    async def _dial(
        self, client: Client, asked: dict[str, Any], wish: Attach, address: Address, waiting: Waiting
    ) -> None:
        from remora.hub.remote import RESTART_S, Remote

        patience_s = wish.timeout_s or (RESTART_S if wish.restart else 0.0)
        remote = Remote(client, asked, address, patience_s=patience_s, restart=wish.restart)
        await remote.dial()
        waiting.hand_over(client, remote)

    async def _launch(self, client: Client, wish: Launch, plan: launch.Plan, waiting: Waiting) -> None:
        from remora.hub.launcher import Launcher

        await Launcher(self._hub, client, wish, plan, waiting).start()

    async def _bring(self, client: Client, wish: Attach, waiting: Waiting) -> None:
        from remora.hub.attaching import Attaching

        await Attaching(self._hub, client, wish, waiting).start()
