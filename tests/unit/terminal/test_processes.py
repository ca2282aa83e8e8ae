"""Several processes, against toy adapters: whose turn it is, what is told of the others, what all get."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable

import pytest

from fake_adapter import FakeAdapter


class Family:
    """The toy program with children; its steps are things a script does between commands."""

    def __init__(self, toy, command: str = "launch", **settings: object) -> None:
        self.toy = toy
        self.target = toy.target(command, **{"busy": True, **settings})
        self.children: list[FakeAdapter] = []

    def run(self, *lines: object, **settings: object) -> str:
        text, self.code, _ = self.toy.run(*lines, target=self.target, **settings)
        return text

    @property
    def root(self) -> FakeAdapter:
        return self.target.adapter

    def bear(self, pid: int, **settings: object) -> Callable[[], None]:
        """Have a child, which runs on until told otherwise."""

        def do() -> None:
            child = self.root.bear(pid, **{"busy": True, **settings})
            self.children.append(child)
            child.wait_for_request("configurationDone")
            self.settle()

        return do

    def stop(self, index: int, line: int, reason: str = "breakpoint", **more: object) -> Callable[[], None]:
        """Let a child (0: the first) stop at a line."""

        def do() -> None:
            if reason == "breakpoint":
                more.setdefault("hitBreakpointIds", [line])
            self.children[index].stop(reason, line, **more)
            self.settle()

        return do

    def end(self, index: int, code: int = 0) -> Callable[[], None]:
        def do() -> None:
            self.children[index].exit_code = code
            self.children[index].end()
            self.children[index].wait_for_request("disconnect")
            self.settle()

        return do

    def settle(self) -> None:
        """Wait until what was sent has been read: an answer comes behind it."""
        for process in self.toy.app.debugger.processes.living:
            process.client.request("threads")


@pytest.fixture
def family(toy) -> Family:
    return Family(toy)


def test_one_process_looks_as_ever(family) -> None:
    text = family.run("processes", "n", "set follow")
    assert family.toy.reader.prompts[0] == "(remora) "
    assert re.search(r"^> 1 +- +toy +stopped +toy\.py\(1\)work\(\)$", text, re.M)
    assert "follow is run" in text
    assert "rocess 1" not in text


def test_children_are_listed_and_looked_at(family) -> None:
    text = family.run(
        family.bear(4711), family.bear(4712), "b 5", family.stop(0, 5), "ps",
        "process 2", "p a", "process 3", "p a", "process 7", "process x",
    )  # fmt: skip
    assert "[Process 2, child 4711 (pid 4711), has started]" in text
    assert "[Process 2, child 4711 (pid 4711), has stopped at breakpoint 1, toy.py:5]" in text
    assert re.search(r"^> 1 +- +toy +stopped +toy\.py\(1\)work\(\)$", text, re.M)
    assert re.search(r"^  2 +4711 +child 4711 +stopped +toy\.py\(5\)work\(\)$", text, re.M)
    assert re.search(r"^  3 +4712 +child 4712 +running$", text, re.M)
    assert "Process 2, child 4711 (pid 4711):\nBreakpoint 1.\n> toy.py(5)work()\n-> one = 1" in text
    assert "Process 3 is running; `pause` stops it" in text
    assert "*** there is no process 7" in text
    assert "*** 'x' is not the number of a process" in text
    assert family.children[0].commands().count("evaluate") == 1
    assert family.children[1].commands().count("evaluate") == 1
    prompts = family.toy.reader.prompts
    assert prompts[0] == "(remora) "  # the children came while it was shown
    assert "(remora 1) " in prompts
    assert "(remora 2) " in prompts
    assert prompts[-1] == "(remora 3, running) "


def test_breakpoints_are_the_familys(family) -> None:
    path = family.toy.path
    text = family.run(
        "b 5", family.bear(2), "b 6, a > 1", family.bear(3), "disable 1", "catch raised", family.bear(4), "b"
    )
    wanted = [{"line": 6, "condition": "a > 1"}]
    for adapter in [family.root, *family.children]:
        assert adapter.breakpoints[path] == wanted
        assert adapter.arguments("setExceptionBreakpoints") == {"filters": ["uncaught", "raised"]}
        # Whatever was set before is there before the first line runs.
        commands = adapter.commands()
        assert (
            commands.index("setBreakpoints") < commands.index("configurationDone") or adapter is family.root
        )
    assert text.count("breakpoint  set ") == 1


def test_a_breakpoint_set_in_the_moment_a_child_opens_reaches_it(family) -> None:
    go_on = threading.Event()

    def slow_child() -> None:
        def answer(arguments):
            assert go_on.wait(10)
            return FakeAdapter.do_setBreakpoints(child, arguments)

        child = family.root.bear(2, busy=True)
        child.answers["setBreakpoints"] = answer
        family.children.append(child)
        child.wait_for_request("setBreakpoints")  # it has the state before `b 6`

    def let_go() -> None:
        child = family.children[0]
        child.wait_for_request("configurationDone")

    threading.Timer(0.2, go_on.set).start()
    family.run("b 5", slow_child, "b 6", let_go, "p a")
    assert [each["line"] for each in family.children[0].breakpoints[family.toy.path]] == [5, 6]


def test_a_stop_while_the_current_process_runs_is_gone_to(family) -> None:
    def prepare(adapter) -> None:
        adapter.answers["continue"] = lambda arguments: ({}, lambda: family.children[0].stop("pause", 7))

    family.target.prepare = prepare
    text = family.run(family.bear(2), "c", "p a")
    assert "Process 2, child 2 (pid 2):\nPaused.\n> toy.py(7)work()" in text
    assert "has stopped" not in text
    assert family.toy.reader.prompts[-1] == "(remora 2) "


def test_a_stop_while_one_types_is_told_in_a_line_and_does_not_take_the_prompt(family) -> None:
    text = family.run(
        family.bear(2), "b 5", "b 7", "p word", family.stop(0, 5), "p 1", "p 2", "process 2", "p 3"
    )
    assert text.count("[Process 2, child 2 (pid 2), has stopped at breakpoint 1, toy.py:5]") == 1
    assert [adapter.commands().count("evaluate") for adapter in (family.root, family.children[0])] == [3, 1]


def test_commands_typed_before_a_stop_is_seen_stay_with_their_process(family) -> None:
    family.target = family.toy.target("attach", busy=True)
    text = family.run(family.bear(2), family.stop(0, 4, "pause"), "p 1", "", "p 2", "q")
    assert [adapter.commands().count("evaluate") for adapter in (family.root, family.children[0])] == [1, 1]
    assert "[Process 2, child 2 (pid 2), has stopped (pause)]\n1\nProcess 2, child 2 (pid 2):\n" in text
    assert family.toy.reader.prompts[-1] == "(remora 2) "


def test_stops_wait_for_their_turn(family) -> None:
    text = family.run(
        family.bear(2), family.bear(3), "b 5", family.stop(1, 5), family.stop(0, 5), "c", "c", "processes"
    )
    first, second = text.index("Process 3, child 3 (pid 3):"), text.index("Process 2, child 2 (pid 2):")
    assert first < second
    assert family.children[1].commands().count("continue") == 1
    assert family.children[0].commands().count("continue") == 0
    assert re.search(r"^> 2 +2 +child 2 +stopped", text, re.M)
    assert re.search(r"^  3 +3 +child 3 +running", text, re.M)


def test_a_step_that_waits_for_another_process_gives_way(family) -> None:
    def prepare(adapter) -> None:
        adapter.answers["next"] = lambda arguments: (None, lambda: family.children[0].stop("pause", 7))

    family.target.prepare = prepare
    text = family.run(family.bear(2), "n 3", "process 1")
    assert "Process 2, child 2 (pid 2):\nPaused.\n> toy.py(7)" in text
    assert family.root.commands().count("next") == 1


def test_a_step_that_ends_keeps_the_prompt(family) -> None:
    def prepare(adapter) -> None:
        def step() -> None:
            family.children[0].stop("pause", 7)
            adapter.stop("step", 2)

        adapter.answers["next"] = lambda arguments: (None, step)

    family.target.prepare = prepare
    text = family.run(family.bear(2), "n", "p a")
    assert "> toy.py(2)work()" in text
    assert text.count("[Process 2, child 2 (pid 2), has stopped (pause)]") == 1
    assert family.root.commands().count("evaluate") == 1


def test_break_in_all_and_continue_all(family) -> None:
    text = family.run(family.bear(2), family.bear(3), "pause all", "pause all", "c x")
    for child in family.children:
        assert child.commands().count("pause") == 1
    assert re.search(r"^> 1 .* stopped .*\n  2 .* stopped +toy\.py\(1\).*\n  3 .* stopped ", text, re.M)
    assert "*** all processes are stopped already" in text
    assert "*** 'x' is not `all`" in text
    assert "has stopped" not in text


def test_continue_all_lets_all_go_on(family) -> None:
    def prepare(adapter) -> None:
        def stop_soon() -> None:
            family.children[0].wait_for_request("continue")
            family.children[1].wait_for_request("continue")
            family.children[1].stop("pause", 9)

        adapter.answers["continue"] = lambda arguments: (
            {},
            lambda: threading.Thread(target=stop_soon).start(),
        )

    family.target.prepare = prepare
    text = family.run(family.bear(2), family.bear(3), "pause all", "c all", "ps")
    assert [adapter.commands().count("continue") for adapter in (family.root, *family.children)] == [1, 1, 1]
    assert "Process 3, child 3 (pid 3):\nPaused.\n> toy.py(9)" in text
    assert re.search(r"^  2 +2 +child 2 +running$", text, re.M)


def test_children_that_end_are_told_in_a_line(family) -> None:
    text = family.run(family.bear(2), family.bear(3), family.end(1, 4), family.end(0), "ps")
    assert "[Process 3, child 3 (pid 3), has ended with exit code 4]" in text
    assert "[Process 2, child 2 (pid 2), has ended with exit code 0]" in text
    assert text.count("has ended") == 2
    assert family.toy.reader.prompts[-1] == "(remora) "
    assert text.splitlines()[-1].startswith("> 1 ")


def test_the_end_of_the_current_child_leads_back_to_its_parent(family) -> None:
    text = family.run("b 2", family.bear(2, busy=False, lines=3), "process 2", "c", "p a")
    assert "Process 2, child 2 (pid 2):\nBreakpoint 1.\n> toy.py(2)" in text
    assert (
        "[Process 2, child 2 (pid 2), has ended with exit code 0]\nProcess 1, toy:\n> toy.py(1)work()" in text
    )
    assert family.root.commands().count("evaluate") == 1


def test_the_programs_end_leaves_its_children(family) -> None:
    def prepare(adapter) -> None:
        adapter.answers["continue"] = lambda arguments: ({}, lambda: (adapter.end(), end_later()))

    def end_later() -> None:
        family.children[0].stop("pause", 4)

    family.target.prepare = prepare
    family.target.adapter_settings["exit_code"] = 5
    text = family.run(family.bear(2), "c", "ps", "p a")
    assert "The program ended with exit code 5. 1 of its processes runs on." in text
    assert "Process 2, child 2 (pid 2):\nPaused.\n> toy.py(4)" in text
    assert re.search(r"^  1 +- +toy +ended$", text, re.M)
    assert family.children[0].commands().count("evaluate") == 1
    assert family.code == 5


@pytest.mark.parametrize("command", ["launch", "attach"])
def test_leaving_ends_all_or_leaves_all(family, command) -> None:
    family.target = family.toy.target(command, busy=True)
    text = family.run(family.bear(2), family.bear(3), family.stop(1, 4, "pause"), "q")
    for adapter in (family.root, *family.children):
        assert adapter.arguments("disconnect") == {"terminateDebuggee": command == "launch"}
    assert ("Detached; the program and its processes run on." in text) is (command == "attach")
    order = [adapter.requests[-1]["command"] for adapter in (family.root, *family.children)]
    assert order == ["disconnect"] * 3


def test_detaching_lets_one_go(family) -> None:
    text = family.run(family.bear(2), family.bear(3), "detach 2", "process 3", "detach", "ps", "detach 3")
    assert "[Process 2, child 2 (pid 2), runs on by itself]" in text
    assert "[Process 3, child 3 (pid 3), runs on by itself]\nProcess 1, toy:\n> toy.py(1)" in text
    for child in family.children:
        assert child.arguments("disconnect") == {"terminateDebuggee": False}
    assert "*** there is no process 3" in text


def test_detaching_the_last_one_ends_the_session(family) -> None:
    text = family.run("detach", "p a")
    assert "[Process 1, toy, runs on by itself]" in text
    assert "*** the program is not running" in text
    assert family.root.arguments("disconnect") == {"terminateDebuggee": False}
    assert family.code == 0


def test_killing_one(family) -> None:
    text = family.run(family.bear(2), "kill 2", "ps")
    assert "terminate" in family.children[0].commands()
    assert "[Process 2, child 2 (pid 2), has ended with exit code 0]" in text
    assert text.splitlines()[-1].startswith("> 1 ")


def test_killing_one_that_does_not_obey(family, monkeypatch) -> None:
    from remora.terminal import debugger

    monkeypatch.setattr(debugger, "PATIENCE_S", 0.05)

    def deaf() -> None:
        family.bear(2)()
        family.children[0].answers["terminate"] = lambda arguments: None

    text = family.run(deaf, "kill 2")
    assert family.children[0].arguments("disconnect") == {"terminateDebuggee": True}
    assert "[Process 2, child 2 (pid 2), has ended]" in text


def test_stopping_at_children(family) -> None:
    text = family.run("set follow stop", family.bear(2), "process 2", "ps")
    commands = family.children[0].commands()
    assert commands.index("pause") < commands.index("configurationDone")
    assert "Process 2, child 2 (pid 2):\nPaused.\n> toy.py(1)" in text


def test_not_following_lets_children_go(family) -> None:
    def bear() -> None:
        family.children.append(family.root.bear(2))
        assert family.root.wait_for_reply()["success"] is False

    text = family.run("set follow off", bear, "ps", "set follow x", "set")
    assert "child 2" not in text
    assert text.count("*** what can be set is: set follow run") == 2
    assert family.children[0].commands() == []


def test_a_child_that_cannot_be_debugged_is_told(family) -> None:
    def bear() -> None:
        child = family.root.bear(2, busy=True)
        family.children.append(child)

        def refuse(arguments):
            from remora.dap.errors import UsageError

            raise UsageError("somebody else debugs it")

        child.answers["attach"] = refuse

    def wait() -> None:
        deadline = time.monotonic() + 10
        while "could not be" not in family.toy.out.getvalue() and time.monotonic() < deadline:
            time.sleep(0.005)

    text = family.run(bear, wait, "ps", "p a")
    assert text.count("could not be debugged: somebody else debugs it]") == 1
    assert "has ended" not in text
    assert not re.search(r"^  2 ", text, re.M)


def test_output_says_which_process_it_is_of(family) -> None:
    def say() -> None:
        child = family.children[0]
        child.emit("output", {"category": "stdout", "output": "one\ntwo"})
        child.emit("output", {"category": "stdout", "output": " more\n"})
        child.emit("output", {"category": "stdout", "output": "half"})
        family.settle()
        family.root.emit("output", {"category": "stdout", "output": "of the program\n"})
        family.settle()
        child.emit("output", {"output": "a note"})
        family.settle()

    text = family.run(family.bear(2), say, "p a")
    assert "2| one\n2| two more\n2| half\nof the program\n2| a note\n" in text


def test_a_script_goes_from_stop_to_stop(family) -> None:
    text = family.run(
        family.bear(2), family.bear(3), "b 5", family.stop(0, 5), family.stop(1, 5),
        "c", "p a + 10", "c", "p a + 20", interactive=False,
    )  # fmt: skip
    assert re.search(r"(?s)Process 2, .*\n11\n.*Process 3, .*\n21\n", text)


def test_displays_are_of_each_process(family) -> None:
    def change() -> None:
        family.children[0].names["a"] = 2

    text = family.run(family.bear(2), change, "display a", family.stop(0, 4, "pause"), "process 2", "display")
    assert text.count("display a: 1") == 1
    assert text.count("display a: 2") == 2
    assert "[old" not in text


def test_a_restart_begins_with_one_process(family) -> None:
    text = family.run(family.bear(2), "restart", "ps")
    assert family.children[0].arguments("disconnect") == {"terminateDebuggee": True}
    assert re.findall(r"^[> ] (\d) ", text, re.M) == ["1"]
