"""Children at a real hub, with agents and clients that the test plays: who is told, who waits, who runs."""

from __future__ import annotations

import pytest

from benchmarks.wire import Message, Refused

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
