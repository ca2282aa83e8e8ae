"""The seat of a client that launched with `noDebug`: a program that runs plainly, shown but not debugged.

Speaks enough DAP that a client goes through its usual motions: breakpoints are answered as not verified,
there are no threads, anything that needs a debugger says that there is none.
"""

from __future__ import annotations

from remora.dap.errors import DebuggeeError
from remora.dap.messages import arguments_of
from remora.hub.life import shown
from remora.hub.session import GENTLY_S, HURRIED_S

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from remora.hub.client import Client
    from remora.hub.session import Program

_WHY = "the program was started without debugging"


class Undebugged:
    """`start` starts the program; it is called once, when the client has configured what it likes."""

    def __init__(
        self,
        client: Client,
        asked: dict[str, Any],
        start: Callable[[Undebugged], None],
        on_end: Callable[[Undebugged], None],
    ) -> None:
        self.client: Client | None = client
        self.program: Program | None = None
        self._asked: dict[str, Any] | None = asked
        self._start = start
        self._on_end = on_end
        self._when_ended: list[Callable[[], None]] = []
        self._ending = False

    def started(self, program: Program, name: str, pid: int) -> None:
        self.program = program
        client, asked, self._asked = self.client, self._asked, None
        if client is not None and asked is not None:
            client.answer(asked)
            client.event(
                "process",
                {"name": name, "systemProcessId": pid, "isLocalProcess": True, "startMethod": "launch"},
            )

    def failed(self, error: Any) -> None:
        """The program could not be started."""
        client, asked, self._asked = self.client, self._asked, None
        self.client = None
        if client is not None:
            if asked is not None:
                client.fail(asked, error)
            client.unbind()
            client.event("terminated")
        self._on_end(self)

    def from_client(self, client: Client, message: dict[str, Any]) -> None:
        command = message["command"]
        if command == "configurationDone":
            client.answer(message)
            if self.program is None and self._asked is not None:
                self._start(self)
        elif command in ("disconnect", "terminate"):
            self._leave(client, message, command)
        elif command.startswith("set") and command.endswith("Breakpoints"):
            wished = arguments_of(message).get("breakpoints") or []
            unverified = [{"verified": False, "message": _WHY} for _ in wished]
            client.answer(message, {"breakpoints": unverified})
        elif command == "threads":
            client.answer(message, {"threads": []})
        else:
            client.fail(message, DebuggeeError(f"'{command}' needs a debugger, and {_WHY}"))

    def answer_from_client(self, message: dict[str, Any]) -> None:
        pass  # nothing was asked

    def client_lost(self, client: Client) -> None:
        self.client = None
        if self.program is not None:
            self.program.end(gently_s=HURRIED_S)
        elif self._asked is not None:
            self._asked = None
            self._on_end(self)

    def hold(self, *, yes: bool) -> None:
        if self.program is not None:
            self.program.hold_output(yes=yes)

    def program_output(self, category: str, text: str) -> None:
        if self.client is not None:
            self.client.event("output", {"category": category, "output": text})

    def program_exited(self, code: int | None) -> None:
        self.program = None
        if self.client is not None:
            if code is not None:
                self.client.event("exited", {"exitCode": shown(code)})
            self.client.event("terminated")
        for call in self._when_ended:
            call()
        self._on_end(self)

    def _leave(self, client: Client, message: dict[str, Any], command: str) -> None:
        wanted = arguments_of(message).get("terminateDebuggee")
        program = self.program
        if command == "terminate":
            client.answer(message)
            if program is not None:
                program.end(gently_s=GENTLY_S)
                self._ending = True
            else:
                client.event("terminated")
        elif program is None or wanted is False:
            self.client = None
            client.unbind()
            client.bye(message)
            if program is None:
                self._on_end(self)
        else:

            def gone() -> None:
                client.unbind()
                client.bye(message)

            self._when_ended.append(gone)
            program.end(gently_s=0.0 if self._ending else HURRIED_S)
