"""The ends of a hub without sockets: connections that remember what was sent on them, a program, a house."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from remora.dap.messages import event, request, response
from remora.hub.access import Peer
from remora.hub.client import Client
from remora.hub.session import Session

Message = dict[str, Any]


class FakeConnection:
    """A connection: `sent` is what went out."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.peer = Peer("private")
        self.closed = False
        self.held = False

    def send(self, message: Message) -> None:
        # A copy: what was sent must not change afterwards.
        assert not self.closed, message
        self.sent.append(dict(message))

    def close(self) -> None:
        self.closed = True

    def hold_reading(self, *, yes: bool) -> None:
        self.held = yes

    def take(self) -> list[Message]:
        sent, self.sent = self.sent, []
        return sent

    def names(self) -> list[str]:
        """What went out, in short: `attach!` an answer, `attach!?` a failed one, `stopped` an event."""
        return [short(message) for message in self.take()]


def short(message: Message) -> str:
    if message["type"] == "response":
        return message["command"] + ("!" if message["success"] else "!?")
    return str(message.get("event") or message["command"] + "?")


class FakeProgram:
    """A process of ours: `end` is remembered; `drain` delivers what waits."""

    def __init__(self) -> None:
        self.ended: list[float] = []
        self.asks = True
        self.held = False
        self.spares: Callable[[], bool] | None = None
        self.waiting: list[tuple[str, str]] = []
        self.session: Session | None = None

    def drain(self) -> None:
        waiting, self.waiting = self.waiting, []
        for category, text in waiting:
            assert self.session is not None
            self.session.program_output(category, text)

    def hold_output(self, *, yes: bool) -> None:
        self.held = yes

    def end(self, *, gently_s: float, spares: Callable[[], bool] | None = None, asks: bool = True) -> None:
        self.ended.append(gently_s)
        self.asks = asks
        self.spares = spares


class FakeHouse:
    """What a client needs of a hub: attaches go to `session`."""

    def __init__(self, session: Session | None = None, token: str | None = None) -> None:
        self.token = token
        self.session = session
        self.started: list[Any] = []
        self.gone: list[Client] = []

    def start(self, client: Client, asked: Message, wish: Any) -> None:
        self.started.append(wish)
        if self.session is not None:
            client.seat = self.session
            self.session.attach(client, asked, wish)

    def client_gone(self, client: Client) -> None:
        self.gone.append(client)

    def bug(self, what: str, error: BaseException) -> None:
        raise error


class Timers:
    """`later`, with the time in the test's hands."""

    def __init__(self) -> None:
        self.calls: list[tuple[float, Callable[[], None]]] = []

    def later(self, delay_s: float, call: Callable[[], None]) -> None:
        self.calls.append((delay_s, call))

    def fire(self) -> None:
        calls, self.calls = self.calls, []
        for _, call in calls:
            call()


class Scene:
    """A session with an agent, and a client at its door."""

    def __init__(self, *, launched: bool = False, **hello: Any) -> None:
        self.agent = FakeConnection()
        self.timers = Timers()
        self.ended: list[Session] = []
        self.program = FakeProgram() if launched else None
        self.session = Session(
            self.agent,
            {"pid": 4711, "name": "app.py", "secret": "", **hello},  # type: ignore[typeddict-item]
            on_end=self.ended.append,
            later=self.timers.later,
            launched=launched,
            program=self.program,
        )
        if self.program is not None:
            self.program.session = self.session
        self.house = FakeHouse(self.session)
        self.connection = FakeConnection()
        self.client = self.new_client(self.connection)
        self.seq = 0

    def new_client(self, connection: FakeConnection) -> Client:
        return Client(self.house, connection)  # type: ignore[arg-type]

    def ask(self, command: str, arguments: Message | None = None, client: Client | None = None) -> Message:
        """Send a request as the client."""
        self.seq += 1
        message = request(self.seq, command, arguments)
        (client or self.client).received(None, dict(message))  # type: ignore[arg-type]
        return message

    def attach(self, **settings: Any) -> None:
        """Go through the start: afterwards nothing is pending and nothing unread."""
        self.ask("initialize", {"adapterID": "x", "clientName": "Ed"})
        self.ask("launch" if self.program else "attach", settings or ({"code": "1"} if self.program else {}))
        self.agent_answers("initialize")
        self.agent_says("initialized")
        self.ask("configurationDone")
        self.agent_answers("configurationDone")
        self.agent_answers("attach")
        self.connection.take()
        self.agent.take()

    def asked_of_agent(self, command: str) -> Message:
        """The last request of that name the agent got."""
        found = [m for m in self.agent.sent if m["type"] == "request" and m["command"] == command]
        assert found, [short(message) for message in self.agent.sent]
        return found[-1]

    def agent_answers(self, command: str, body: Message | None = None, **changes: Any) -> None:
        asked = self.asked_of_agent(command)
        self.session.received(None, {**response(0, asked, body), **changes})  # type: ignore[arg-type]

    def agent_says(self, name: str, body: Message | None = None) -> None:
        self.session.received(None, event(0, name, body))  # type: ignore[arg-type]

    def agent_breaks(self) -> None:
        self.session.lost(self.agent)  # type: ignore[arg-type]
