"""Children at a real hub, with agents and clients that the test plays: who is told, who waits, who runs."""

from __future__ import annotations

import os
import socket
import time

import pytest

from benchmarks.wire import Closed, Message, Refused, Wire

from .harness.hubs import Agent, Editor, Hub, hub


def join(editor: Editor, asked: Message, agent: Agent, the_hub: Hub) -> tuple[Editor, Message]:
    """Do what an editor does with `startDebugging`: attach through a connection of its own."""
    configuration = asked["arguments"]["configuration"]
    child = the_hub.editor(port=configuration["connect"]["port"])
    settings = child.attach(agent, **configuration)
    editor.answer(asked)
    return child, settings


def test_a_child_is_told_and_attached_to_by_its_id() -> None:
    with hub() as the_hub:
        editor = the_hub.editor()
        editor.attach(the_hub.root, justMyCode=False, stopOnEntry=True, name="Root")
        child = the_hub.child(200)
        asked = editor.told()
        assert asked["arguments"]["request"] == "attach"
        configuration = asked["arguments"]["configuration"]
        assert configuration["subProcessId"] == 200
        assert configuration["connect"] == {"host": "127.0.0.1", "port": the_hub.port}
        assert "200" in configuration["name"]
        _, settings = join(editor, asked, child, the_hub)
        assert settings == {"justMyCode": False}, (
            "how it is debugged is inherited, where it stops first is not"
        )


def test_nobody_there_means_run_on_and_attach_later() -> None:
    with hub() as the_hub:
        child = the_hub.child(200)
        child.wait_for_go()
        editor = the_hub.editor()
        editor.attach(the_hub.root)
        asked = editor.told()
        assert asked["arguments"]["configuration"]["subProcessId"] == 200
        join(editor, asked, child, the_hub)


def test_there_is_no_such_child() -> None:
    with hub() as the_hub:
        editor = the_hub.editor()
        with pytest.raises(Refused, match="no process 4711"):
            editor.wire.result(editor.begin(subProcessId=4711))


def test_the_root_is_meant_where_nothing_else_is_said() -> None:
    with hub() as the_hub:
        child = the_hub.child(200)
        child.wait_for_go()
        the_hub.attached_editor()
        second = the_hub.editor()
        with pytest.raises(Refused, match=r"Ed .* is already attached"):
            second.wire.result(second.begin())


def test_a_grandchild_is_told_to_its_parents_client() -> None:
    with hub() as the_hub:
        editor = the_hub.attached_editor()
        child = the_hub.child(200)
        childs, _ = join(editor, editor.told(), child, the_hub)
        grandchild = the_hub.child(300, parent=200)
        asked = childs.told()
        assert asked["arguments"]["configuration"]["subProcessId"] == 300
        join(childs, asked, grandchild, the_hub)
        assert not [message for message in editor.wire.backlog if message["type"] == "request"]


def test_after_an_exec_the_session_goes_on() -> None:
    with hub() as the_hub:
        child = the_hub.child(os.getpid())
        child.wait_for_go()
        editor = the_hub.editor()
        seq = editor.begin(subProcessId=os.getpid(), justMyCode=False)
        child.request("initialize")
        attach = child.wire.take(lambda message: message.get("command") == "attach", "attach")
        child.event("initialized")
        place = {"source": {"path": "/a.py"}, "breakpoints": [{"line": 3}, {"line": 9}]}
        editor.wire.send("setBreakpoints", place)
        child.request(
            "setBreakpoints",
            {"breakpoints": [{"id": 5, "verified": True, "line": 3}, {"id": 6, "verified": True, "line": 9}]},
        )
        done = editor.wire.send("configurationDone")
        child.request("configurationDone")
        child.answer(attach)
        editor.wire.result(done)
        editor.wire.result(seq)
        child.event("thread", {"reason": "started", "threadId": 2})
        question = editor.wire.send("evaluate", {"expression": "os.execv(...)", "context": "repl"})
        child.wire.take(lambda message: message.get("command") == "evaluate", "evaluate")
        child.close()

        image = the_hub.child(os.getpid(), parent=os.getpid())
        later = editor.wire.send("threads")
        with pytest.raises(Refused, match="another program"):
            editor.wire.result(question)
        assert [editor.wire.event("thread")["reason"] for _ in range(2)] == ["started", "exited"]
        image.request("initialize")
        attach = image.wire.take(lambda message: message.get("command") == "attach", "attach")
        assert attach["arguments"] == {"justMyCode": False, "stopOnEntry": False}
        image.event("initialized")
        again = image.request(
            "setBreakpoints",
            {"breakpoints": [{"id": 1, "verified": True, "line": 4}, {"id": 2, "verified": False}]},
        )
        assert again["arguments"] == place
        image.request("configurationDone")
        image.answer(attach)
        told = [editor.wire.event("breakpoint")["breakpoint"] for _ in range(2)]
        assert [(each["id"], each["verified"]) for each in told] == [(5, True), (6, False)]
        image.request("threads", {"threads": []})
        editor.wire.result(later)
        image.event("stopped", {"reason": "breakpoint", "threadId": 1, "hitBreakpointIds": [2]})
        assert editor.wire.event("stopped")["hitBreakpointIds"] == [6]
        new = editor.wire.send("setFunctionBreakpoints", {"breakpoints": [{"name": "f"}]})
        image.request("setFunctionBreakpoints", {"breakpoints": [{"id": 6, "verified": True}]})
        assert editor.wire.result(new)["breakpoints"][0]["id"] == 7, "6 is another one to the client"


def test_an_agent_that_is_lost_while_its_process_lives_ends_the_session() -> None:
    """exec to what is no Python: told, a little later than a death."""
    with hub() as the_hub:
        child = the_hub.child(os.getpid())
        child.wait_for_go()
        editor = the_hub.editor()
        editor.attach(child, subProcessId=os.getpid())
        child.close()
        question = editor.wire.send("threads")
        with pytest.raises(Refused, match="the program is gone"):
            editor.wire.result(question)
        editor.wire.event("terminated")


@pytest.mark.parametrize("answer", ["refuses", "vanishes", "disconnects"])
def test_a_held_child_runs_when_nobody_can_be_expected(answer: str) -> None:
    with hub() as the_hub:
        editor = the_hub.attached_editor()
        child = the_hub.child(200)
        asked = editor.told()
        assert not child.was_let_go()
        match answer:
            case "refuses":
                editor.answer(asked, success=False)
            case "vanishes":
                editor.close()
            case "disconnects":
                editor.wire.send("disconnect")
                the_hub.root.request("disconnect")
        child.wait_for_go()


def test_a_held_child_goes_to_another_client_when_the_first_vanishes() -> None:
    with hub() as the_hub:
        editor = the_hub.attached_editor()
        first = the_hub.child(200)
        firsts, _ = join(editor, editor.told(), first, the_hub)
        grandchild = the_hub.child(300, parent=200)
        firsts.told()
        firsts.close()
        first.request("disconnect")
        asked = editor.told()
        assert asked["arguments"]["configuration"]["subProcessId"] == 300
        join(editor, asked, grandchild, the_hub)


def test_a_client_that_leaves_a_held_child_lets_it_run() -> None:
    with hub() as the_hub:
        editor = the_hub.attached_editor()
        child = the_hub.child(200)
        asked = editor.told()
        editor.answer(asked)
        childs = the_hub.editor()
        childs.begin(**asked["arguments"]["configuration"])
        child.request("initialize")
        child.wire.take(lambda message: message.get("command") == "attach", "attach")
        childs.close()
        child.request("disconnect")


def test_who_wants_no_children_hears_of_none() -> None:
    with hub() as the_hub:
        editor = the_hub.editor()
        editor.attach(the_hub.root, subProcess=False)
        child = the_hub.child(200)
        child.wait_for_go()
        seq = editor.wire.send("threads")
        the_hub.root.request("threads", {"threads": []})
        editor.wire.result(seq)
        assert not editor.wire.backlog or {each["type"] for each in editor.wire.backlog} == {"event"}
        assert "debugpyAttach" not in {each.get("event") for each in editor.wire.backlog}


def test_a_client_without_start_debugging_gets_the_event_and_is_not_waited_for_long() -> None:
    with hub() as the_hub:
        editor = the_hub.attached_editor(takes_children=False)
        child = the_hub.child(200)
        body = editor.wire.event("debugpyAttach")
        assert (body["request"], body["subProcessId"]) == ("attach", 200)
        assert body["connect"]["port"] == the_hub.port
        child.wait_for_go()
        second = the_hub.child(201)
        began = time.monotonic()
        second.wait_for_go()
        assert time.monotonic() - began < 2.0, "it has let one pass: no more waiting"
        assert editor.wire.event("debugpyAttach")["subProcessId"] == 201
        late = the_hub.editor(takes_children=False)
        late.attach(second, **{**body, "subProcessId": 201})


def test_the_parents_death_does_not_end_its_childrens_sessions() -> None:
    with hub() as the_hub:
        editor = the_hub.attached_editor()
        child = the_hub.child(200)
        childs, _ = join(editor, editor.told(), child, the_hub)
        the_hub.root.event("exited", {"exitCode": 3})
        the_hub.root.event("terminated")
        the_hub.root.close()
        editor.wire.event("terminated")
        editor.close()
        asked = childs.wire.send("threads")
        child.request("threads", {"threads": []})
        childs.wire.result(asked)
        # Ancestry outlives the dead: a grandchild of the root is told to its nearest living kin.
        the_hub.child(300, parent=200)
        assert childs.told()["arguments"]["configuration"]["subProcessId"] == 300


def test_what_a_dead_parent_left_belongs_to_its_nearest_living_ancestor() -> None:
    with hub() as the_hub:
        editor = the_hub.attached_editor()
        middle = the_hub.child(200)
        editor.answer(editor.told(), success=False)
        middle.wait_for_go()
        middle.event("terminated")
        middle.close()
        the_hub.child(300, parent=200)  # it had dialled when its parent was gone
        assert editor.told()["arguments"]["configuration"]["subProcessId"] == 300


@pytest.mark.parametrize(
    "changes",
    [
        {"secret": "wrong"}, {"secret": None}, {"pid": "7"}, {"pid": -7}, {"parent": "1"}, {"parent": True},
        {"startMethod": 3}, {"name": None},
    ],
)  # fmt: skip
def test_a_hello_that_is_none_is_turned_away(changes: Message) -> None:
    with hub() as the_hub:
        editor = the_hub.attached_editor()
        stranger = the_hub.stranger()
        stranger.hello(**({"pid": 200, "parent": 1} | changes))
        with pytest.raises(Closed):
            stranger.wire.receive()
        the_hub.child(201)
        assert editor.told()["arguments"]["configuration"]["subProcessId"] == 201


def test_parents_in_a_circle_harm_nobody() -> None:
    with hub() as the_hub:
        one = the_hub.child(200, parent=300)
        one.wait_for_go()
        other = the_hub.child(300, parent=200)
        other.wait_for_go()
        selves = the_hub.child(400, parent=400)
        selves.wait_for_go()
        editor = the_hub.editor()
        editor.attach(one, subProcessId=200)
        assert editor.told()["arguments"]["configuration"]["subProcessId"] == 300


def test_the_family_socket_is_for_clients_too() -> None:
    with hub() as the_hub:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(the_hub.door)
        editor = Editor(Wire(sock.fileno(), sock.fileno(), owner=sock), supportsStartDebuggingRequest=True)
        editor.attach(the_hub.root)
        the_hub.child(200)
        configuration = editor.told()["arguments"]["configuration"]
        assert configuration["connect"]["port"] == the_hub.port
        editor.close()


def test_a_token_is_wanted_and_passed_on() -> None:
    with hub(token="hush") as the_hub:
        editor = the_hub.editor()
        editor.attach(the_hub.root, token="hush")
        child = the_hub.child(200)
        asked = editor.told()
        assert asked["arguments"]["configuration"]["token"] == "hush"
        _, settings = join(editor, asked, child, the_hub)
        assert "token" not in settings


def test_the_address_a_client_says_is_the_one_its_children_get() -> None:
    """Behind a tunnel or a container's port only the client knows how it gets here."""
    with hub() as the_hub:
        editor = the_hub.editor()
        editor.attach(the_hub.root, connect={"host": "build.example", "port": 15678})
        the_hub.child(200)
        configuration = editor.told()["arguments"]["configuration"]
        assert configuration["connect"] == {"host": "build.example", "port": 15678}
