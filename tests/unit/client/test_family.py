"""Children, against toy adapters: how they are announced, opened, configured and closed."""

from __future__ import annotations

import socket
import threading

import pytest

from fake_adapter import FakeAdapter
from remora.client import HOLD, Client, DebugSession, Disconnected, Family, TimedOut

PATH = "/toy/work.py"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def test_a_child_gets_the_stops_of_its_parent_before_it_runs() -> None:
    with (
        FakeAdapter(busy=True) as adapter,
        DebugSession(Client.over(adapter.socket), family=Family()) as session,
    ):
        session.attach(
            breakpoints={PATH: [3, {"line": 6, "condition": "a == 1"}], "/toy/other.py": []},
            exception_filters=["uncaught"],
        )
        session.set_function_breakpoints(["work"])
        assert adapter.arguments("initialize")["supportsStartDebuggingRequest"] is True
        toy = adapter.bear(4711)
        child = session.wait_child()
        assert adapter.wait_for_reply()["success"] is True
        assert toy.commands() == [
            "initialize",
            "attach",
            "setBreakpoints",
            "setFunctionBreakpoints",
            "setExceptionBreakpoints",
            "configurationDone",
        ]
        assert toy.arguments("attach")["subProcessId"] == 4711
        assert toy.breakpoints == {PATH: [{"line": 3}, {"line": 6, "condition": "a == 1"}]}
        assert toy.arguments("setFunctionBreakpoints") == {"breakpoints": [{"name": "work"}]}
        assert toy.arguments("setExceptionBreakpoints") == {"filters": ["uncaught"]}
        assert (child.process_id, child.parent, child.configuration["name"]) == (4711, session, "child 4711")
        assert child.stopped("breakpoint").breakpoint_ids == [3]
        assert session.children == [child]
        assert session.family is not None
        assert session.family.sessions == [session, child]


def test_a_child_of_a_child_is_told_on_its_connection() -> None:
    with (
        FakeAdapter(busy=True) as adapter,
        DebugSession(Client.over(adapter.socket), family=Family()) as session,
    ):
        session.attach(breakpoints={PATH: [3]})
        toy = adapter.bear(2, busy=True)
        child = session.wait_child()
        toy.bear(3)
        grandchild = child.wait_child()
        assert grandchild.parent is child
        assert grandchild.stopped("breakpoint").breakpoint_ids == [3]
        assert session.children == [child]
        with pytest.raises(TimedOut, match=r"no child within 0\.05 s"):
            session.wait_child(timeout_s=0.05)


def test_an_adapter_that_does_not_ask_tells_by_event() -> None:
    told: list[str] = []
    with (
        FakeAdapter(busy=True) as adapter,
        DebugSession(
            Client.over(adapter.socket, on_event=lambda name, body: told.append(name)),
            features={"supportsStartDebuggingRequest": False},
            family=Family(),
        ) as session,
    ):
        session.attach(breakpoints={PATH: [3]})
        assert adapter.arguments("initialize")["supportsStartDebuggingRequest"] is False
        toy = adapter.bear(5, by_event=True)
        child = session.wait_child()
        assert child.stopped().breakpoint_ids == [3]
        assert toy.arguments("initialize")["supportsStartDebuggingRequest"] is False
        assert "debugpyAttach" in told


def test_another_hook_configures_and_may_hold() -> None:
    def configure(child: DebugSession) -> object:
        child.set_breakpoints(PATH, [5])
        return HOLD

    with (
        FakeAdapter(busy=True) as adapter,
        DebugSession(Client.over(adapter.socket), family=Family(configure)) as session,
    ):
        session.attach(breakpoints={PATH: [3]})
        toy = adapter.bear(6)
        child = session.wait_child(where=lambda child: child.process_id == 6)
        assert "configurationDone" not in toy.commands()
        child.configuration_done()
        assert child.stopped().breakpoint_ids == [5]


def test_a_hook_that_lets_the_child_go_itself_is_not_repeated() -> None:
    with (
        FakeAdapter(busy=True) as adapter,
        DebugSession(Client.over(adapter.socket), family=Family(DebugSession.configuration_done)) as session,
    ):
        session.attach()
        toy = adapter.bear(6)
        session.wait_child()
        assert toy.commands().count("configurationDone") == 1


def test_a_child_that_cannot_be_reached_is_refused_and_told() -> None:
    heard: list[object] = []

    class Hearing(Family):
        def failed(self, child: DebugSession | None, configuration: dict, why: str) -> None:
            heard.append((child, configuration["name"]))

    with (
        FakeAdapter(busy=True) as adapter,
        DebugSession(Client.over(adapter.socket), family=Hearing()) as session,
    ):
        session.attach()
        for configuration in (
            {"name": "x", "connect": {"host": "127.0.0.1", "port": "?"}},
            {"name": "y", "connect": {"host": "no.such.host.invalid", "port": free_port()}},
        ):
            adapter.ask("startDebugging", {"request": "attach", "configuration": configuration})
            reply = adapter.wait_for_reply()
            assert reply["success"] is False
            assert "the child cannot be reached" in reply["body"]["error"]["format"]
        with pytest.raises(TimedOut, match=r"(?s)these failed:.*x: its configuration names no address.*y: "):
            session.wait_child(timeout_s=0.01)
        assert heard == [(None, "x"), (None, "y")]


def test_a_hook_that_fails_lets_the_child_go() -> None:
    failed = threading.Event()

    def configure(child: DebugSession) -> None:
        raise LookupError("a mistake in the hook")

    class Hearing(Family):
        def failed(self, child: DebugSession | None, configuration: dict, why: str) -> None:
            assert child is session.children[0]
            failed.set()

    with (
        FakeAdapter(busy=True) as adapter,
        DebugSession(Client.over(adapter.socket), family=Hearing(configure)) as session,
    ):
        session.attach()
        adapter.bear(7)
        assert failed.wait(10)
        with pytest.raises(TimedOut, match="a mistake in the hook"):
            session.wait_child(timeout_s=0.0)
        assert not session.children[0].client.connected


def test_a_client_without_a_family_refuses_children() -> None:
    with FakeAdapter(busy=True) as adapter, DebugSession(Client.over(adapter.socket)) as session:
        session.attach()
        assert "supportsStartDebuggingRequest" not in adapter.arguments("initialize")
        adapter.bear(8)
        assert adapter.wait_for_reply()["success"] is False
        with pytest.raises(ValueError, match="does not follow children"):
            session.wait_child()


def test_other_reverse_requests_still_reach_the_client() -> None:
    with (
        FakeAdapter(busy=True) as adapter,
        DebugSession(
            Client.over(adapter.socket, on_reverse_request=lambda command, arguments: {"processId": 9}),
            family=Family(),
        ) as session,
    ):
        session.attach()
        adapter.ask("runInTerminal", {"args": ["x"], "cwd": "/"})
        assert adapter.wait_for_reply()["body"] == {"processId": 9}


def test_closing_the_first_closes_all_also_one_that_is_being_configured() -> None:
    waiting, closed = threading.Event(), threading.Event()

    def configure(child: DebugSession) -> None:
        waiting.set()
        with pytest.raises(Disconnected):
            child.client.wait_for("never")
        closed.set()

    with FakeAdapter(busy=True) as adapter:
        with DebugSession(Client.over(adapter.socket), family=Family(configure)) as session:
            session.attach()
            adapter.bear(10)
            assert waiting.wait(10)
        assert closed.wait(10)
        assert [each.client.connected for each in session.family.sessions] == [False, False]
