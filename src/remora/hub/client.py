"""A client: one connection of an editor, a terminal or a script, from its first message to its last.

Answers what needs no session (`initialize`, and errors for what came too early), lets it in or not, and hands
everything else to its *seat*: the session it is attached to, the remote hub it is passed on to, or the launch
that is still under way. Numbers every message to the client, so that the client sees one sender.
"""

from __future__ import annotations

from remora.dap.capabilities import CAPABILITIES
from remora.dap.errors import (
    ALREADY_INITIALIZED,
    BAD_ARGUMENTS,
    INTERNAL,
    NO_SESSION,
    NOT_INITIALIZED,
    SESSION_EXISTS,
    DapError,
    UsageError,
)
from remora.dap.messages import error_response, event, read_request, request, response
from remora.hub import access, configuration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from remora.dap.framing import FramingError
    from remora.hub.configuration import Attach, Launch
    from remora.hub.connection import Connection

    class Seat(Protocol):
        """Where a client sits once it was let in."""

        def from_client(self, client: Client, message: dict[str, Any]) -> None: ...
        def answer_from_client(self, message: dict[str, Any]) -> None: ...
        def client_lost(self, client: Client) -> None: ...
        def hold(self, *, yes: bool) -> None: ...

    class House(Protocol):
        """What a client needs of the hub."""

        token: str | None

        def start(self, client: Client, asked: dict[str, Any], wish: Attach | Launch) -> None: ...
        def client_gone(self, client: Client) -> None: ...
        def bug(self, what: str, error: BaseException) -> None: ...


# Reverse requests, and the capability by which a client announces that it takes them.
_REVERSE = {
    "runInTerminal": "supportsRunInTerminalRequest",
    "startDebugging": "supportsStartDebuggingRequest",
}
MAX_WRONG_TOKENS = 3
_TEXTS = ("adapterID", "clientID", "clientName", "locale", "pathFormat")
_FLAGS = ("linesStartAt1", "columnsStartAt1")


class Client:
    """One client. Its connection's owner."""

    def __init__(self, house: House, connection: Connection) -> None:
        self.connection = connection
        self.arguments: dict[str, Any] = {}
        self.seat: Seat | None = None
        # Host and port by which it has reached us, as it said itself.
        self.dialled: tuple[str, int] | None = None
        self._house = house
        self._seq = 0
        self._initialized = False
        self._wrong_tokens = 0
        # Requests of the hub's own to the client: number -> what to do with the answer.
        self._asked: dict[int, Callable[[dict[str, Any]], None]] = {}

    @property
    def name(self) -> str:
        """Return who this is, for people."""
        name = self.arguments.get("clientName") or self.arguments.get("clientID") or "a client"
        return f"{name} ({self.connection.peer.name})"

    def takes(self, command: str) -> bool:
        """Tell whether the client announced that it answers this reverse request."""
        return command in _REVERSE and self.arguments.get(_REVERSE[command]) is True

    # From the connection.

    def received(self, connection: Connection, message: dict[str, Any]) -> None:
        try:
            if message.get("type") == "response":
                self._answered(message)
            else:
                self._requested(message)
        except DapError as error:
            self.fail(message, error)
        except Exception as error:
            self._house.bug(f"on {message.get('command')!r:.60}", error)
            self.fail(message, INTERNAL(what=repr(error)))

    def malformed(self, connection: Connection, error: FramingError) -> None:
        self.fail({}, error)
        if not error.recoverable:
            self.note(f"closing the connection: {error.text}")
            connection.close()

    def lost(self, connection: Connection) -> None:
        seat, self.seat = self.seat, None
        if seat is not None:
            seat.client_lost(self)
        self._house.client_gone(self)

    def crowded(self, connection: Connection, *, yes: bool) -> None:
        if self.seat is not None:
            self.seat.hold(yes=yes)

    # To the client.

    def answer(self, asked: dict[str, Any], body: dict[str, Any] | None = None) -> None:
        self.connection.send(response(self._next_seq(), asked, body))

    def fail(self, asked: dict[str, Any], error: DapError) -> None:
        self.connection.send(error_response(self._next_seq(), asked, error))

    def event(self, name: str, body: dict[str, Any] | None = None) -> None:
        self.connection.send(event(self._next_seq(), name, body))

    def note(self, text: str) -> None:
        """Tell the user something, in the console."""
        self.event("output", {"category": "console", "output": f"remora: {text}\n"})

    def bye(self, asked: dict[str, Any]) -> None:
        """Answer a `disconnect` and close."""
        self.answer(asked)
        self.connection.close()

    def ask(self, command: str, arguments: dict[str, Any], then: Callable[[dict[str, Any]], None]) -> None:
        """Send a request of the hub's own; only what the client announced (`takes`)."""
        seq = self._next_seq()
        self._asked[seq] = then
        self.connection.send(request(seq, command, arguments))

    def forward_answer(self, message: dict[str, Any], asked: dict[str, Any]) -> None:
        """Pass on an agent's answer as the answer to `asked`."""
        message["seq"] = self._next_seq()
        message["request_seq"] = asked["seq"]
        message["command"] = asked["command"]
        self.connection.send(message)

    def forward_event(self, message: dict[str, Any]) -> None:
        message["seq"] = self._next_seq()
        if message.get("body") is None:
            message["body"] = {}
        self.connection.send(message)

    def forward_request(self, message: dict[str, Any]) -> int:
        """Pass on an agent's request; return its number here."""
        seq = self._next_seq()
        self.connection.send({**message, "seq": seq})
        return seq

    def hold_reading(self, *, yes: bool) -> None:
        self.connection.hold_reading(yes=yes)

    def unbind(self) -> None:
        """Leave the seat; the client may ask for another."""
        self.seat = None

    # Inside.

    def _next_seq(self) -> int:
        self._seq += 1
        return self._seq

    def _answered(self, message: dict[str, Any]) -> None:
        then = self._asked.pop(message.get("request_seq", 0), None)
        if then is not None:
            then(message)
        elif self.seat is not None:
            self.seat.answer_from_client(message)

    def _requested(self, message: dict[str, Any]) -> None:
        _, command, arguments = read_request(message)
        if command == "initialize":
            if self._initialized:
                raise ALREADY_INITIALIZED()
            _check_introduction(arguments)
            self._initialized = True
            # Required by DAP, left out by some.
            self.arguments = {"adapterID": "remora", **arguments}
            self.answer(message, CAPABILITIES)
        elif command == "disconnect" and self.seat is None:
            self.bye(message)
        elif command == "terminate" and self.seat is None:
            self.answer(message)
        elif not self._initialized:
            raise NOT_INITIALIZED(command=command)
        elif command in ("attach", "launch"):
            if self.seat is not None:
                raise SESSION_EXISTS(command=command)
            self._enter(message, command, arguments)
        elif self.seat is None:
            raise NO_SESSION(command=command)
        else:
            self.seat.from_client(self, message)

    def _enter(self, message: dict[str, Any], command: str, arguments: dict[str, Any]) -> None:
        wish = configuration.read(command, arguments)
        passes_on = isinstance(wish, configuration.Attach) and wish.connect is not None
        # A token with `connect` is for the hub at the other end; this one is the client's own, on stdio.
        if not (passes_on and self.connection.peer.is_private):
            try:
                access.check(wish.token, self._house.token, self.connection.peer)
            except UsageError as error:
                self._wrong_tokens += 1
                self.fail(message, error)
                if self._wrong_tokens >= MAX_WRONG_TOKENS:
                    self.connection.close()
                return
        for note in wish.notes:
            self.note(note)
        self._house.start(self, message, wish)


class Waiting:
    """The seat of a client whose launch or attach is under way: what it sends meanwhile is kept, in order."""

    def __init__(self, asked: dict[str, Any], give_up: Callable[[], None]) -> None:
        self.asked = asked
        self.progress_id: str | None = None  # shown to the client, which may cancel it
        self._give_up = give_up
        self._kept: list[dict[str, Any]] = []

    def from_client(self, client: Client, message: dict[str, Any]) -> None:
        command = message["command"]
        if command == "cancel":
            wanted = message.get("arguments") or {}
            by_progress = self.progress_id is not None and wanted.get("progressId") == self.progress_id
            if by_progress or wanted.get("requestId") == self.asked.get("seq"):
                client.unbind()
                client.fail(self.asked, DapError("cancelled", id=3004))
                self._give_up()
            client.answer(message)
        elif command in ("disconnect", "terminate"):
            client.unbind()
            client.fail(self.asked, DapError("cancelled", id=3004))
            self._give_up()
            if command == "disconnect":
                client.bye(message)
            else:
                client.answer(message)
                client.event("terminated")
        else:
            self._kept.append(message)

    def answer_from_client(self, message: dict[str, Any]) -> None:
        pass  # nothing was asked

    def client_lost(self, client: Client) -> None:
        self._give_up()

    def hold(self, *, yes: bool) -> None:
        pass  # nothing flows yet

    def hand_over(self, client: Client, seat: Seat) -> None:
        """Seat the client for good, if it has not left that seat already, and pass on what was kept."""
        if client.seat is self:
            client.seat = seat
        for message in self._kept:
            if client.seat is seat:
                seat.from_client(client, message)
            else:
                client.received(client.connection, message)


def _check_introduction(arguments: dict[str, Any]) -> None:
    """Check the types in `initialize`. By hand: the tables of `dap.check` would stay in memory for days."""
    problems = []
    for name, value in arguments.items():
        if value is None:
            continue
        if name in _TEXTS:
            if not isinstance(value, str):
                problems.append(f"{name}: expected a string")
        elif (name.startswith("supports") or name in _FLAGS) and not isinstance(value, bool):
            problems.append(f"{name}: expected true or false")
    if arguments.get("pathFormat") not in (None, "path", "uri"):
        problems.append("pathFormat: expected 'path' or 'uri'")
    if problems:
        raise BAD_ARGUMENTS(command="initialize", problems="; ".join(problems))
