"""What a client may say when, before it has a session."""

from __future__ import annotations

from typing import Any

import pytest

from remora.dap.capabilities import CAPABILITIES
from remora.dap.check import check_message
from remora.dap.framing import Decoder, FramingError
from remora.hub.client import Client, Waiting
from unit.hub.fakes import FakeConnection, FakeHouse, Scene, short


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_initialize_is_answered_here(scene: Scene) -> None:
    scene.ask("initialize", {"adapterID": "x"})
    (answer,) = scene.connection.take()
    assert answer["body"] == CAPABILITIES
    assert check_message(answer) == []
    assert scene.agent.sent == []


@pytest.mark.parametrize("arguments", [None, {}])
def test_arguments_may_be_missing(scene: Scene, arguments: dict[str, Any] | None) -> None:
    scene.ask("initialize", arguments)
    assert scene.connection.names() == ["initialize!"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"clientID": 3}, "clientID"),
        ({"linesStartAt1": "yes"}, "linesStartAt1"),
        ({"supportsRunInTerminalRequest": 1}, "supportsRunInTerminalRequest"),
        ({"pathFormat": "windows"}, "pathFormat"),
    ],
)
def test_initialize_with_wrong_types(scene: Scene, arguments: dict[str, Any], named: str) -> None:
    scene.ask("initialize", arguments)
    (answer,) = scene.connection.take()
    assert answer["success"] is False
    assert named in answer["message"]
    scene.ask("initialize", {})
    assert scene.connection.names() == ["initialize!"], "a second try is allowed"


def test_too_early_and_twice(scene: Scene) -> None:
    scene.ask("threads")
    scene.ask("attach")
    scene.ask("initialize")
    scene.ask("initialize")
    scene.ask("threads")
    names = scene.connection.names()
    assert names == ["threads!?", "attach!?", "initialize!", "initialize!?", "threads!?"]
    scene.attach()
    scene.ask("attach")
    assert scene.connection.names() == ["attach!?"]


@pytest.mark.parametrize("command", ["disconnect", "terminate"])
def test_leaving_is_always_answered(scene: Scene, command: str) -> None:
    scene.ask(command)
    assert scene.connection.names() == [command + "!"]
    assert scene.connection.closed == (command == "disconnect")


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"seq": 1},
        {"seq": "1", "type": "request", "command": "threads"},
        {"seq": 1, "type": "request", "command": None},
        {"seq": 1, "type": "request", "command": "threads", "arguments": [1]},
        {"seq": 1, "type": "event", "event": "stopped"},
    ],
)
def test_what_is_no_request_is_answered_with_an_error(scene: Scene, message: dict[str, Any]) -> None:
    scene.client.received(None, message)  # type: ignore[arg-type]
    (answer,) = scene.connection.take()
    assert answer["success"] is False
    assert answer["message"]
    assert check_message(answer) == []


def test_a_bad_body_is_an_error_and_the_session_goes_on(scene: Scene) -> None:
    with pytest.raises(FramingError) as caught:
        Decoder().feed(b"Content-Length: 3\r\n\r\n[1]")
    scene.client.malformed(None, caught.value)  # type: ignore[arg-type]
    scene.ask("initialize")
    assert scene.connection.names() == ["!?", "initialize!"]


def test_answers_nobody_asked_for_are_dropped(scene: Scene) -> None:
    scene.attach()
    answer = {"seq": 1, "type": "response", "request_seq": 55, "success": True, "command": "runInTerminal"}
    scene.client.received(None, answer)  # type: ignore[arg-type]
    assert scene.connection.sent == [] and scene.agent.sent == []


def test_the_token_opens_the_door() -> None:
    house = FakeHouse(token="open sesame")
    connection = FakeConnection()
    client = Client(house, connection)  # type: ignore[arg-type]

    def attach(**settings: Any) -> str:
        client.received(
            None,  # type: ignore[arg-type]
            {"seq": 1, "type": "request", "command": "attach", "arguments": settings},
        )
        (answer,) = connection.take() or [{"message": "", "success": True}]
        assert "sesame" not in str(answer)
        return str(answer["message"])

    client.received(None, {"seq": 1, "type": "request", "command": "initialize"})  # type: ignore[arg-type]
    connection.take()
    assert "needs a token" in attach()
    assert house.started == []
    assert attach(token="open sesame") == ""
    assert len(house.started) == 1


def test_three_wrong_tokens_end_the_connection() -> None:
    connection = FakeConnection()
    client = Client(FakeHouse(token="right"), connection)  # type: ignore[arg-type]
    client.received(None, {"seq": 1, "type": "request", "command": "initialize"})  # type: ignore[arg-type]
    for left in (2, 1):
        client.received(
            None,  # type: ignore[arg-type]
            {"seq": 1, "type": "request", "command": "attach", "arguments": {"token": f"wrong{left}"}},
        )
        assert not connection.closed
    client.received(None, {"seq": 1, "type": "request", "command": "attach"})  # type: ignore[arg-type]
    assert connection.closed
    assert connection.names() == ["initialize!", "attach!?", "attach!?", "attach!?"], "the reason comes first"


def test_unknown_settings_are_named_once(scene: Scene) -> None:
    scene.ask("initialize")
    scene.ask("attach", {"whatever": 1, "andThis": 2, "__sessionId": "x", "name": "me", "request": "attach"})
    output = [m for m in scene.connection.take() if short(m) == "output"]
    assert len(output) == 1
    text = output[0]["body"]["output"]
    assert '"whatever", "andThis"' in text and "__sessionId" not in text and '"name"' not in text


class TestWaiting:
    """While a launch is under way."""

    def begin(self, scene: Scene) -> tuple[Waiting, list[str]]:
        scene.ask("initialize")
        scene.connection.take()
        events: list[str] = []
        waiting = Waiting({"seq": 9, "command": "launch"}, lambda: events.append("given up"))
        scene.client.seat = waiting
        return waiting, events

    def test_requests_are_kept_in_order(self, scene: Scene) -> None:
        waiting, _ = self.begin(scene)
        scene.ask("threads")
        scene.ask("configurationDone")
        assert scene.connection.sent == []
        scene.session.client = scene.client
        waiting.hand_over(scene.client, scene.session)
        assert [short(message) for message in scene.agent.sent] == ["threads?", "configurationDone?"]

    def test_disconnect_gives_up(self, scene: Scene) -> None:
        _, events = self.begin(scene)
        scene.ask("disconnect")
        assert scene.connection.names() == ["launch!?", "disconnect!"]
        assert events == ["given up"]

    def test_terminate_gives_up(self, scene: Scene) -> None:
        _, events = self.begin(scene)
        scene.ask("terminate")
        assert scene.connection.names() == ["launch!?", "terminate!", "terminated"]
        assert events == ["given up"]

    def test_a_client_that_vanishes_gives_up(self, scene: Scene) -> None:
        _, events = self.begin(scene)
        scene.client.lost(None)  # type: ignore[arg-type]
        assert events == ["given up"]
