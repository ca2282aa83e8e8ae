"""Many children at one hub: at once, and one after another. Nothing is lost, nothing stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .harness.debuggee import until
from .harness.hubs import Hub, hub

# Ids beyond what the kernel gives: no process has them.
NOBODY = 5_000_000
WARM_UP = 200
# What Python's allocator may take once more without anything growing.
SLACK_KB = 768


def memory_kb(the_hub: Hub) -> int:
    status = Path(f"/proc/{the_hub.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def descriptors(the_hub: Hub) -> int:
    return len(os.listdir(f"/proc/{the_hub.process.pid}/fd"))


def test_fifty_children_at_once() -> None:
    with hub() as the_hub:
        editor = the_hub.attached_editor()
        before = descriptors(the_hub)
        children = {NOBODY + each: the_hub.child(NOBODY + each) for each in range(50)}
        asked = [editor.told() for _ in children]
        configurations = [each["arguments"]["configuration"] for each in asked]
        assert {each["subProcessId"] for each in configurations} == children.keys()
        # All dial before the first one is through, as an editor's sessions do.
        childs = [(the_hub.editor(), configuration) for configuration in configurations]
        starts = [child.begin(**configuration) for child, configuration in childs]
        for (child, configuration), start in zip(childs, starts, strict=True):
            agent = children[configuration["subProcessId"]]
            agent.request("initialize")
            attach = agent.wire.take(lambda message: message.get("command") == "attach", "attach")
            agent.event("initialized")
            child.wire.event("initialized")
            done = child.wire.send("configurationDone")
            agent.request("configurationDone")
            agent.answer(attach)
            child.wire.result(done)
            child.wire.result(start)
            assert not agent.was_let_go()
        for agent in children.values():
            agent.event("terminated")
            agent.close()
        for child, _ in childs:
            child.wire.event("terminated")
            child.close()
        until(lambda: descriptors(the_hub) <= before, "the descriptors of what has ended")
        assert memory_kb(the_hub) < 20_000


@pytest.mark.parametrize("attended", [False, True], ids=["nobody there", "a client that takes none"])
def test_two_thousand_short_children_leave_nothing(attended: bool) -> None:
    with hub() as the_hub:
        editor = the_hub.attached_editor() if attended else None
        the_hub.root.wire.keep_transcript = False
        if editor is not None:
            editor.wire.keep_transcript = False
            editor.wire.on_message = None

        def short(pid: int) -> None:
            child = the_hub.child(pid)
            if editor is not None:
                editor.answer(editor.told(), success=False)
            child.wait_for_go()
            child.event("terminated")
            child.close()

        for each in range(WARM_UP):
            short(NOBODY + each)
        memory, open_files = memory_kb(the_hub), descriptors(the_hub)
        for each in range(WARM_UP, WARM_UP + 2000):
            short(NOBODY + each)
        until(lambda: descriptors(the_hub) <= open_files, "the descriptors of what has ended")
        assert memory_kb(the_hub) - memory < SLACK_KB, (memory, memory_kb(the_hub))
        assert memory_kb(the_hub) < 20_000


def test_a_line_of_generations_leaves_nothing() -> None:
    """Each is the child of the one before, which ends: a program that starts itself anew for ever."""
    with hub() as the_hub:
        parent = the_hub.child(NOBODY)
        memory = 0
        for each in range(1, 1500):
            child = the_hub.child(NOBODY + each, parent=NOBODY + each - 1)
            child.wait_for_go()
            parent.event("terminated")
            parent.close()
            parent = child
            if each == 400:
                memory = memory_kb(the_hub)
        assert memory_kb(the_hub) - memory < SLACK_KB
        editor = the_hub.attached_editor()
        assert editor.told()["arguments"]["configuration"]["subProcessId"] == NOBODY + 1499
