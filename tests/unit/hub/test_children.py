"""Who is told of a child, and how long it waits: real sessions and clients, time in the test's hands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from remora.dap.messages import request, response
from remora.hub.children import AFTER_END_S, ATTACH_WAIT_S, EVENT_WAIT_S, Children
from remora.hub.client import Client
from remora.hub.family import Tree
from remora.hub.journal import Journal
from remora.hub.session import Session
from unit.hub.fakes import FakeConnection, FakeHouse, Message, short


class Timer:
    def __init__(self, due: float, call: Callable[[], None]) -> None:
        self.due = due
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        self.call = None


class Family:
    """A hub's part that children need, and a clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[Timer] = []
        self.tree = Tree(is_one=True)
        self.port_error: OSError | None = None
        self.given_up = 0
        self.children = Children(
            self.tree,
            later=self.later,
            address_for=self.address_for,
            token=lambda: None,
            on_given_up=self.count,
            journal=Journal(),
        )

    def count(self) -> None:
        self.given_up += 1

    def later(self, seconds: float, call: Callable[[], None]) -> Timer:
        timer = Timer(self.now + seconds, call)
        self.timers.append(timer)
        return timer

    def address_for(self, client: Client) -> tuple[str, int]:
        if self.port_error is not None:
            raise self.port_error
        return "127.0.0.1", 4711

    def wait(self, seconds: float) -> None:
        self.now += seconds
        for timer in list(self.timers):
            if timer.call is not None and timer.due <= self.now:
                call, timer.call = timer.call, None
                call()

    def process(self, pid: int, parent: int | None = None, *, held: bool = True) -> Process:
        made = Process(self, pid, parent, held=held)
        if parent is not None:
            self.children.born(made.session)
        return made


class Process:
    """A session, the wire of its agent, and a client if there is one."""

    def __init__(self, family: Family, pid: int, parent: int | None, *, held: bool) -> None:
        self.family = family
        self.agent = FakeConnection()
        hello: Any = {
            "pid": pid, "name": f"{pid}.py", "secret": "", "parent": parent,
            "startMethod": "listen" if parent is None else "child", "waiting": held and parent is not None,
        }  # fmt: skip
        self.session = Session(
            self.agent,
            hello,
            on_end=family.children.ended,
            later=lambda seconds, call: None,
            on_ready=lambda session: family.children.ready(session, was_told=session.was_told),
            on_left=lambda session, client: family.children.left(client, for_good=not session.ended),
        )
        self.session.member = family.tree.add(self.session, pid, parent)
        self.connection = FakeConnection()
        self.client: Client | None = None
        self._seq = 0

    def attach(self, *, takes: bool = True, configured: bool = True, **settings: Any) -> Process:
        house = FakeHouse()
        self.client = Client(house, self.connection)  # type: ignore[arg-type]
        self.ask("initialize", {"adapterID": "x", "supportsStartDebuggingRequest": takes})
        self.session.was_told = self.family.children.attached(self.session)
        house.session = self.session
        self.ask("attach", settings)
        if configured:
            self.configure()
        return self

    def configure(self) -> None:
        self.connection.take()
        self.ask("configurationDone")
        for command in ("configurationDone", "attach"):
            asked = [message for message in self.agent.sent if message.get("command") == command][-1]
            self.session.received(None, response(0, asked))  # type: ignore[arg-type]

    def ask(self, command: str, arguments: Message | None = None) -> None:
        assert self.client is not None
        self._seq += 1
        self.client.received(None, request(self._seq, command, arguments))  # type: ignore[arg-type]

    def leave(self) -> None:
        assert self.client is not None
        self.client.lost(None)  # type: ignore[arg-type]

    def end(self) -> None:
        self.session.received(None, {"type": "event", "event": "terminated"})  # type: ignore[arg-type]
        assert self.session.member is not None
        self.family.tree.close(self.session.member)

    @property
    def told(self) -> list[Message]:
        """The `startDebugging` requests its client got."""
        return [message for message in self.connection.sent if message.get("command") == "startDebugging"]

    @property
    def told_pids(self) -> list[int]:
        return [each["arguments"]["configuration"]["subProcessId"] for each in self.told]

    @property
    def events(self) -> list[int]:
        return [m["body"]["subProcessId"] for m in self.connection.sent if m.get("event") == "debugpyAttach"]

    def answer(self, which: int = -1, *, success: bool = True) -> None:
        assert self.client is not None
        answer = {**response(500, self.told[which]), "success": success}
        self.client.received(None, answer)  # type: ignore[arg-type]

    @property
    def runs(self) -> bool:
        return "remoraGo" in [message.get("event") for message in self.agent.sent]

    @property
    def heard(self) -> list[str]:
        return [short(message) for message in self.agent.sent]


@pytest.fixture
def family() -> Family:
    return Family()


def test_a_held_child_hears_at_once_that_it_is_to_wait(family: Family) -> None:
    root = family.process(1).attach()
    child = family.process(2, 1)
    assert child.heard == ["remoraHold"]
    assert root.told_pids == [2]


def test_a_client_that_agrees_and_does_not_come(family: Family) -> None:
    root = family.process(1).attach()
    child = family.process(2, 1)
    root.answer()
    family.wait(ATTACH_WAIT_S - 1)
    assert not child.runs
    family.wait(1)
    assert child.runs
    assert "runs on" in str(root.connection.sent[-1])
    assert child.session.is_free, "and it can still be attached to"


def test_one_that_does_not_answer_is_not_waited_for_either(family: Family) -> None:
    family.process(1).attach()
    child = family.process(2, 1)
    family.wait(ATTACH_WAIT_S)
    assert child.runs


def test_the_wait_begins_anew_with_each_that_it_attaches_to(family: Family) -> None:
    root = family.process(1).attach()
    children = [family.process(pid, 1) for pid in range(2, 6)]
    for number in range(4):
        root.answer(number)
    for child in children[:-1]:
        family.wait(ATTACH_WAIT_S - 1)
        child.attach()
    assert not children[-1].runs, "an editor starts its sessions one after another"
    family.wait(ATTACH_WAIT_S)
    assert children[-1].runs


def test_a_child_of_a_client_that_is_not_set_up_waits_for_that(family: Family) -> None:
    root = family.process(1).attach(configured=False)
    child = family.process(2, 1)
    assert root.told == []
    assert child.heard == ["remoraHold"]
    root.configure()
    assert root.told_pids == [2]


def test_or_runs_if_that_client_goes(family: Family) -> None:
    root = family.process(1).attach(configured=False)
    child = family.process(2, 1)
    root.leave()
    assert child.runs


def test_the_nearest_client_is_told(family: Family) -> None:
    root = family.process(1).attach()
    child = family.process(2, 1)
    root.answer()
    grandchild = family.process(3, 2)
    assert root.told_pids == [2, 3], "its parent has none yet"
    child.attach()
    family.process(4, 3)
    assert child.told_pids == [4]
    grandchild.attach()
    family.process(5, 3)
    assert grandchild.told_pids == [5]


def test_kin_is_told_where_no_ancestor_has_a_client(family: Family) -> None:
    family.process(1)
    one = family.process(2, 1)
    assert one.runs
    one.attach()
    family.process(3, 1)
    assert one.told_pids == [3]


def test_a_client_that_wants_no_children_is_the_last_word(family: Family) -> None:
    root = family.process(1).attach()
    child = family.process(2, 1).attach(subProcess=False)
    grandchild = family.process(3, 2)
    assert grandchild.runs
    assert root.told_pids == [2]
    assert child.told == []


def test_who_comes_late_is_told_of_the_living(family: Family) -> None:
    root = family.process(1)
    children = [family.process(pid, 1) for pid in (2, 3, 4)]
    children[1].attach()
    children[2].end()
    root.attach()
    assert root.told_pids == [2]


def test_who_comes_for_one_child_hears_of_what_that_has_started(family: Family) -> None:
    family.process(1)
    child = family.process(2, 1)
    family.process(3, 2)
    family.process(4, 1)
    child.attach()
    assert child.told_pids == [3]


def test_nobody_is_told_twice(family: Family) -> None:
    root = family.process(1).attach()
    child = family.process(2, 1)
    family.process(3, 2)
    assert root.told_pids == [2, 3]
    child.attach()
    assert child.told == [], "the client of the root is about to come for it"


def test_a_vanished_clients_children_go_to_the_next(family: Family) -> None:
    root = family.process(1).attach()
    child = family.process(2, 1).attach()
    held = family.process(3, 2)
    assert child.told_pids == [3]
    child.leave()
    assert not held.runs
    assert root.told_pids[-1] == 3
    root.leave()
    assert held.runs


def test_a_client_whose_session_has_ended_may_still_come_for_a_child(family: Family) -> None:
    root = family.process(1).attach()
    child = family.process(2, 1)
    root.answer()
    root.end()
    root.leave()
    assert not child.runs
    assert family.children.is_waiting
    family.wait(AFTER_END_S)
    assert child.runs
    assert not family.children.is_waiting
    assert family.given_up


def test_a_client_that_knows_only_the_event(family: Family) -> None:
    root = family.process(1).attach(takes=False)
    first, second = family.process(2, 1), family.process(3, 1)
    family.wait(EVENT_WAIT_S)
    assert first.runs and second.runs
    third = family.process(4, 1)
    assert third.runs, "it lets them pass: no more waiting"
    assert root.events == [2, 3, 4]
    third.attach()
    fourth = family.process(5, 1)
    assert not fourth.runs, "it came after all"


def test_no_port_for_the_childs_client(family: Family) -> None:
    root = family.process(1).attach()
    family.port_error = OSError("no more ports")
    child = family.process(2, 1)
    assert child.runs
    assert "no more ports" in str(root.connection.sent[-1])


def test_what_a_configuration_takes_over(family: Family) -> None:
    root = family.process(1).attach(
        name="Root", type="debugpy", justMyCode=False, pathMappings=[], stopOnEntry=True, token="x",
        connect={"port": 1}, preLaunchTask="build", program="a.py", subProcessId=1, __restart=True,
    )  # fmt: skip
    family.process(2, 1)
    configuration = root.told[0]["arguments"]["configuration"]
    assert configuration == {
        "type": "debugpy", "justMyCode": False, "pathMappings": [], "name": "2.py (2)", "subProcessId": 2,
        "connect": {"host": "127.0.0.1", "port": 4711},
    }  # fmt: skip


def test_a_child_whose_attach_fails_runs(family: Family) -> None:
    family.process(1).attach()
    child = family.process(2, 1).attach(configured=False)
    asked = [message for message in child.agent.sent if message.get("command") == "attach"][-1]
    refusal = {**response(0, asked), "success": False, "message": "no tool id is free"}
    child.session.received(None, refusal)  # type: ignore[arg-type]
    assert child.runs


def test_a_child_that_dies_while_somebody_is_told(family: Family) -> None:
    root = family.process(1).attach()
    child = family.process(2, 1)
    child.end()
    root.answer(success=False)
    family.wait(ATTACH_WAIT_S)
    assert not child.runs
    assert not family.children.is_waiting
