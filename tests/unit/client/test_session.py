"""The moves, against a toy adapter: what goes over the wire and in which order."""

import pytest

from fake_adapter import FakeAdapter
from remora.client import Client, DebugSession, RequestFailed
from remora.dap.errors import UsageError


def test_a_whole_session() -> None:
    with FakeAdapter(prints={4: "four\n"}, exit_code=3) as adapter, Client.over(adapter.socket) as client:
        session = DebugSession(client)
        session.launch(
            program="/toy/work.py", breakpoints={"/toy/work.py": [3, {"line": 6, "condition": "a == 1"}]}
        )
        assert adapter.commands() == ["initialize", "launch", "setBreakpoints", "configurationDone"]
        stop = session.stopped("breakpoint")
        assert (stop.thread_id, stop.breakpoint_ids) == (1, [3])
        assert [frame["name"] for frame in session.stack()] == ["work", "<module>"]
        assert session.top()["line"] == 3
        assert session.locals()["a"]["value"] == "1"
        assert session.variable("b", "2")["value"] == "3"
        with pytest.raises(KeyError, match=r"no b\.7; there are 0, 1, 2"):
            session.variable("b", "7")
        assert session.evaluate("a + 1") == "2"
        assert adapter.arguments("evaluate")["frameId"] == 11
        assert session.step_over().reason == "step"
        assert session.top()["line"] == 4
        session.resume()
        assert session.stopped().breakpoint_ids == [6]
        session.resume()
        assert session.wait_exit() == 3
        assert session.output("stdout") == "four\n"


def test_a_refused_launch_says_why() -> None:
    with FakeAdapter() as adapter, Client.over(adapter.socket) as client:

        def refuse(arguments: dict) -> None:
            raise UsageError("cannot start nope.py")

        adapter.answers["launch"] = refuse
        with pytest.raises(RequestFailed, match=r"cannot start nope\.py"):
            DebugSession(client).launch(program="nope.py")


def test_attach_pause_and_leave() -> None:
    with FakeAdapter(busy=True) as adapter, Client.over(adapter.socket) as client:
        session = DebugSession(client, features={"supportsRunInTerminalRequest": True})
        session.attach(justMyCode=False, exception_filters=["uncaught"])
        assert adapter.arguments("initialize")["supportsRunInTerminalRequest"] is True
        assert adapter.arguments("attach") == {"justMyCode": False}
        assert adapter.arguments("setExceptionBreakpoints") == {"filters": ["uncaught"]}
        assert session.evaluate("a") == "1"
        assert "frameId" not in adapter.arguments("evaluate")
        assert session.pause().reason == "pause"
        session.disconnect(terminate=False)
        assert adapter.arguments("disconnect") == {"terminateDebuggee": False}


def test_exception_filters_with_conditions() -> None:
    with FakeAdapter() as adapter, Client.over(adapter.socket) as client:
        DebugSession(client).set_exception_filters("uncaught", {"filterId": "raised", "condition": "1"})
        assert adapter.arguments("setExceptionBreakpoints") == {
            "filters": ["uncaught"],
            "filterOptions": [{"filterId": "raised", "condition": "1"}],
        }
