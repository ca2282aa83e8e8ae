"""A process that puts another program in its place, and a session that waits for it or does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from unit.hub.fakes import FakeConnection, Scene, short


class Deaths:
    """The life of a process, with its death in the test's hands."""

    is_known = True
    runs_another_program = False

    def __init__(self) -> None:
        self.calls: list[Callable[[int | None], None]] = []
        self.cancelled = 0
        self.closed = False

    def when_dead(self, then: Callable[[int | None], None]) -> None:
        self.calls.append(then)

    def forget(self) -> None:
        self.cancelled += 1
        self.calls.clear()

    def look_again(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def happen(self, code: int | None = None) -> None:
        for call in self.calls[:]:
            call(code)


def attached(**settings: Any) -> tuple[Scene, Deaths]:
    scene, deaths = Scene(startMethod="child"), Deaths()
    scene.session._life = deaths  # type: ignore[assignment]
    scene.attach(**settings)
    return scene, deaths


def come_back(scene: Scene) -> None:
    """The agent of the new image says hello, and goes through the start."""
    scene.agent = FakeConnection()
    scene.session.successor(scene.agent, {"pid": 4711, "name": "new.py", "secret": ""})  # type: ignore[typeddict-item]


def set_up(scene: Scene) -> None:
    scene.agent_answers("initialize")
    scene.agent_says("initialized")
    scene.agent_answers("configurationDone")
    scene.agent_answers("attach")


def test_the_client_sees_no_end() -> None:
    scene, deaths = attached(justMyCode=False, stopOnEntry=True)
    scene.agent_breaks()
    assert scene.connection.take() == []
    come_back(scene)
    assert scene.asked_of_agent("attach")["arguments"] == {"justMyCode": False, "stopOnEntry": False}
    set_up(scene)
    assert scene.connection.names() == ["output"], "that it runs another program"
    assert deaths.cancelled == 1
    deaths.happen()
    scene.timers.fire()
    assert scene.connection.take() == []
    assert not scene.session.ended


def test_what_is_asked_meanwhile_is_answered_by_the_new_image() -> None:
    scene, _ = attached()
    scene.agent_breaks()
    scene.ask("threads")
    come_back(scene)
    scene.ask("modules")
    set_up(scene)
    assert [short(message) for message in scene.agent.sent][-2:] == ["threads?", "modules?"]
    scene.agent_answers("threads", {"threads": []})
    scene.agent_answers("modules", {"modules": []})
    assert scene.connection.names() == ["output", "threads!", "modules!"]


def test_what_the_old_image_left_unanswered() -> None:
    scene, _ = attached()
    scene.ask("threads")
    scene.ask("evaluate", {"expression": "x"})
    scene.agent_breaks()
    come_back(scene)
    assert scene.connection.names() == ["evaluate!?", "output"], "of a frame that is gone"
    set_up(scene)
    assert short(scene.agent.sent[-1]) == "threads?"


def test_the_old_threads_are_gone_and_nothing_stands() -> None:
    scene, _ = attached()
    for number in (2, 3):
        scene.agent_says("thread", {"reason": "started", "threadId": number})
    scene.agent_says("thread", {"reason": "exited", "threadId": 2})
    scene.agent_says("stopped", {"reason": "breakpoint", "threadId": 3})
    scene.connection.take()
    scene.agent_breaks()
    come_back(scene)
    exited, continued, _ = scene.connection.take()
    assert exited["body"] == {"reason": "exited", "threadId": 3}
    assert (continued["event"], continued["body"]["allThreadsContinued"]) == ("continued", True)


def test_the_new_images_hello_may_overtake_the_old_ones_end() -> None:
    scene, _ = attached()
    old = scene.agent
    come_back(scene)
    scene.session.lost(old)  # type: ignore[arg-type]
    set_up(scene)
    assert not scene.session.ended
    scene.ask("threads")
    assert short(scene.agent.sent[-1]) == "threads?"


@pytest.mark.parametrize(("how", "expected"), [
    (lambda scene, deaths: deaths.happen(None), []),  # of a child that is no news
    (lambda scene, deaths: deaths.happen(-15), ["exited"]),
    (lambda scene, deaths: deaths.happen(3), ["exited"]),
    (lambda scene, deaths: deaths.happen(-11), ["output", "exited"]),
    (lambda scene, deaths: scene.timers.fire(), ["output"]),
])  # fmt: skip
def test_nothing_comes(how: Callable[[Scene, Deaths], None], expected: list[str]) -> None:
    scene, deaths = attached()
    scene.ask("threads")
    scene.agent_breaks()
    scene.ask("modules")
    assert scene.connection.take() == []
    how(scene, deaths)
    assert scene.connection.names() == ["threads!?", "modules!?", *expected, "terminated"]
    scene.ask("threads")
    scene.ask("disconnect")
    assert scene.connection.names() == ["threads!?", "disconnect!"]
    assert scene.ended == [scene.session]
    assert deaths.closed


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (-15, 143), (None, 4)])
def test_the_kernels_code_counts(code: int | None, expected: int) -> None:
    """The agent has said goodbye; a moment later the process is dead."""
    scene, deaths = attached()
    scene.ask("threads")
    scene.agent_says("exited", {"exitCode": 4})
    scene.agent_says("terminated")
    assert scene.connection.names() == ["threads!?"]
    deaths.happen(code)
    exited, terminated = scene.connection.take()
    assert (exited["body"], terminated["event"]) == ({"exitCode": expected}, "terminated")


def test_what_is_let_go_and_lives_on_has_no_code() -> None:
    scene, deaths = attached()
    scene.agent_says("terminated", {"remoraStays": True})
    assert scene.connection.names() == ["terminated"]
    assert deaths.calls == []


def test_a_process_that_closes_its_connection_and_is_of_no_family_does_not_come_back() -> None:
    scene, _ = attached(subProcess=False)
    scene.agent_breaks()
    assert scene.connection.names() == ["output", "terminated"]


@pytest.mark.parametrize("before", [[], ["terminate"]])
def test_what_was_attached_to_and_shall_end_is_seen_to(before: list[str]) -> None:
    scene = Scene()
    condemned: list[tuple[bool, float]] = []
    scene.session._condemn = lambda session, /, *, asks, gently_s: condemned.append((asks, gently_s))
    scene.attach()
    for command in before:
        scene.ask(command)
        scene.agent_answers(command)
    scene.ask("disconnect", {"terminateDebuggee": True})
    scene.agent_answers("disconnect")
    assert scene.connection.names()[-1] == "disconnect!"
    assert condemned == [(False, 0.0 if before else 5.0)]


def test_a_client_may_leave_meanwhile() -> None:
    scene, _ = attached()
    scene.agent_breaks()
    scene.ask("disconnect")
    assert scene.connection.names() == ["disconnect!"]
    come_back(scene)
    assert scene.agent.sent == [], "nobody is there"
    assert scene.session.is_free


def test_what_it_has_asked_is_answered_first() -> None:
    scene, _ = attached()
    scene.ask("threads")
    scene.agent_breaks()
    scene.ask("modules")
    scene.ask("disconnect")
    assert scene.connection.names() == ["threads!?", "modules!?", "disconnect!"]


def test_an_attach_that_was_under_way_fails() -> None:
    scene, deaths = Scene(startMethod="child"), Deaths()
    scene.session._life = deaths  # type: ignore[assignment]
    scene.ask("initialize")
    scene.ask("attach")
    scene.agent_breaks()
    come_back(scene)
    assert scene.connection.names() == ["initialize!", "attach!?"]
    assert scene.client.seat is None
    assert scene.session.is_free
    assert scene.agent.sent == []


def test_the_new_image_cannot_be_debugged() -> None:
    scene, _ = attached()
    scene.agent_breaks()
    come_back(scene)
    scene.ask("threads")
    scene.agent_answers("initialize")
    scene.agent_answers("attach", success=False, message="no tool id is free")
    sent = scene.connection.take()
    assert [short(message) for message in sent] == ["output", "threads!?", "output", "terminated"]
    assert "no tool id is free" in str(sent[-2])


def test_a_launched_programs_new_image_keeps_its_exit_code() -> None:
    scene = Scene(launched=True)
    scene.attach()
    scene.agent_breaks()
    come_back(scene)
    set_up(scene)
    scene.session.program_output("stdout", "from the new program")
    scene.session.program_exited(7)
    scene.agent_breaks()
    output, shown, exited, terminated = scene.connection.take()
    assert (output["body"]["category"], shown["body"]["output"]) == ("console", "from the new program")
    assert (exited["body"], terminated["event"]) == ({"exitCode": 7}, "terminated")


def test_what_was_brought_into_a_program_leaves_at_once() -> None:
    """There is nothing to wait for when nobody is attached."""
    scene = Scene(startMethod="attach")
    scene.session._life = Deaths()  # type: ignore[assignment]
    scene.agent_breaks()
    assert scene.ended == [scene.session]


@pytest.mark.parametrize(("settings", "asked", "expected"), [
    ({"restart": True}, None, {"restart": True}),
    ({"restart": True}, "terminate", {}),
    ({}, None, {}),
])  # fmt: skip
def test_a_client_is_asked_to_attach_again(settings: Any, asked: str | None, expected: Any) -> None:
    scene = Scene()
    scene.attach(**settings)
    if asked:
        scene.ask(asked)
    scene.agent_says("terminated")
    assert scene.connection.take()[-1]["body"] == expected


def test_only_what_nobody_asked_for_spares_others() -> None:
    for how, expected in (("vanish", True), ("terminate", False)):
        scene = Scene(launched=True)
        scene.attach()
        scene.session.spares = bool
        assert scene.program is not None
        if how == "vanish":
            scene.client.lost(None)  # type: ignore[arg-type]
        else:
            scene.ask("terminate")
        scene.timers.fire()
        assert (scene.program.spares is not None) == expected
