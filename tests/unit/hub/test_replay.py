"""What is repeated to a new image of a process, and the numbers of its breakpoints."""

from __future__ import annotations

from typing import Any

from remora.hub.replay import Replay

type Message = dict[str, Any]


def ask(replay: Replay, seq: int, command: str, arguments: Message, *ids: int) -> list[int]:
    """Send a request and its answer through; return the ids as the client sees them."""
    replay.asked(seq, command, arguments)
    message = {"body": {"breakpoints": [{"id": each} for each in ids]}}
    replay.answered(seq, message)
    return [each["id"] for each in message["body"]["breakpoints"]]


def set_in(path: str, *lines: int) -> Message:
    return {"source": {"path": path}, "breakpoints": [{"line": line} for line in lines]}


def test_the_last_wish_of_each_file_is_repeated() -> None:
    replay = Replay()
    ask(replay, 1, "setBreakpoints", set_in("/a.py", 1), 1)
    ask(replay, 2, "setBreakpoints", set_in("/b.py", 5), 2)
    ask(replay, 3, "setBreakpoints", set_in("/a.py", 2, 3), 3, 4)
    ask(replay, 4, "setExceptionBreakpoints", {"filters": ["raised"]})
    ask(replay, 5, "evaluate", {"expression": "1"})
    wishes = [replay.request(key) for key in replay.begin_again()]
    assert ("setBreakpoints", set_in("/a.py", 2, 3)) in wishes
    assert ("setBreakpoints", set_in("/b.py", 5)) in wishes
    assert ("setExceptionBreakpoints", {"filters": ["raised"]}) in wishes
    assert len(wishes) == 3


def test_what_was_taken_back_is_not_repeated() -> None:
    replay = Replay()
    ask(replay, 1, "setBreakpoints", set_in("/a.py", 1), 1)
    ask(replay, 2, "setBreakpoints", set_in("/a.py"))
    ask(replay, 3, "setExceptionBreakpoints", {"filters": []})
    ask(replay, 4, "setBreakpoints", {"source": {"path": "/c.py"}, "lines": [4]}, 2)
    assert [replay.request(key)[1]["source"]["path"] for key in replay.begin_again()] == ["/c.py"]


def test_what_was_not_answered_is_repeated() -> None:
    replay = Replay()
    replay.asked(1, "setBreakpoints", set_in("/a.py", 1))
    (key,) = replay.begin_again()
    told = replay.repeated(key, {"breakpoints": [{"id": 3}]})
    assert [each["id"] for each in told] == [1]


def test_ids_stay_those_of_the_client_through_any_number_of_images() -> None:
    replay = Replay()
    assert ask(replay, 1, "setBreakpoints", set_in("/a.py", 1, 2), 4, 9) == [4, 9]
    for _ in range(3):
        (key,) = replay.begin_again()
        told = replay.repeated(key, {"breakpoints": [{"id": 2}, {"id": 1}]})
        assert [each["id"] for each in told] == [4, 9]
        event: Message = {"event": "stopped", "body": {"hitBreakpointIds": [1, 2]}}
        replay.event(event)
        assert event["body"]["hitBreakpointIds"] == [9, 4]
    # One more than the client ever saw: 4 is taken, though not here.
    assert ask(replay, 2, "setFunctionBreakpoints", {"breakpoints": [{"name": "f"}]}, 4) == [10]
    event = {"event": "breakpoint", "body": {"reason": "changed", "breakpoint": {"id": 4}}}
    replay.event(event)
    assert event["body"]["breakpoint"]["id"] == 10


def test_messages_without_what_they_should_have() -> None:
    replay = Replay()
    replay.asked(1, "setBreakpoints", None)
    replay.asked(2, "setBreakpoints", {"breakpoints": None})
    replay.answered(2, {"success": False})
    replay.answered(77, {})
    replay.event({"event": "breakpoint"})
    replay.event({"event": "stopped", "body": {}})
    assert replay.begin_again() == []
