"""A session between a client and an agent, without a socket: order, numbers, ends."""

from __future__ import annotations

import pytest

from remora.dap.messages import request, response
from unit.hub.fakes import FakeConnection, Scene, short


@pytest.fixture
def scene() -> Scene:
    made = Scene()
    made.attach()
    return made


@pytest.fixture
def launched() -> Scene:
    made = Scene(launched=True)
    made.attach()
    return made


def test_attach_is_answered_after_configuration_done() -> None:
    scene = Scene()
    scene.ask("initialize", {"adapterID": "x"})
    assert scene.connection.names() == ["initialize!"]
    scene.ask("attach", {"justMyCode": False, "token": "secret"})
    assert [short(message) for message in scene.agent.sent] == ["initialize?", "attach?"]
    assert scene.asked_of_agent("attach")["arguments"] == {"justMyCode": False}, "secrets stay here"
    scene.agent_answers("initialize")
    scene.agent_says("initialized")
    scene.ask("configurationDone")
    scene.agent_answers("configurationDone")
    scene.agent_answers("attach")
    assert scene.connection.names() == ["process", "initialized", "configurationDone!", "attach!"]


def test_launch_is_answered_with_its_own_name_and_number(launched: Scene) -> None:
    scene = Scene(launched=True)
    scene.ask("initialize")
    asked = scene.ask("launch", {"code": "1"})
    scene.agent_answers("initialize")
    scene.connection.take()
    scene.agent_answers("attach")
    (answer,) = scene.connection.take()
    assert (answer["command"], answer["request_seq"]) == ("launch", asked["seq"])


def test_numbers_are_each_sides_own(scene: Scene) -> None:
    scene.seq = -7  # clients count as they like
    asked = scene.ask("threads")
    scene.agent_answers("threads", {"threads": []}, seq=99)
    (answer,) = scene.connection.take()
    assert answer["request_seq"] == asked["seq"] == -6
    scene.agent_says("stopped")
    scene.agent_says("continued")
    first, second = scene.connection.take()
    assert answer["seq"] + 1 == first["seq"] == second["seq"] - 1


def test_repeated_client_numbers_get_one_answer_each(scene: Scene) -> None:
    for command in ("threads", "modules"):
        scene.seq = 4
        scene.ask(command)
    scene.agent_answers("threads", {"threads": []})
    scene.agent_answers("modules", {"modules": []})
    answers = scene.connection.take()
    assert [(a["command"], a["request_seq"]) for a in answers] == [("threads", 5), ("modules", 5)]


def test_an_event_without_a_body_gets_one(scene: Scene) -> None:
    scene.session.received(None, {"seq": 1, "type": "event", "event": "capabilities"})
    scene.session.received(None, {"seq": 2, "type": "event", "event": "capabilities", "body": None})
    assert [message["body"] for message in scene.connection.take()] == [{}, {}]


def test_cancel_names_the_agents_number(scene: Scene) -> None:
    scene.seq = 70
    asked = scene.ask("evaluate", {"expression": "1"})
    scene.ask("cancel", {"requestId": asked["seq"]})
    evaluate, cancel = scene.agent.take()
    assert cancel["arguments"]["requestId"] == evaluate["seq"] != asked["seq"]


def test_cancel_of_what_is_answered_is_no_error(scene: Scene) -> None:
    scene.ask("cancel", {"requestId": 12345})
    assert scene.connection.names() == ["cancel!"]
    assert scene.agent.sent == []


def test_paths_are_translated_both_ways() -> None:
    scene = Scene()
    scene.attach(pathMappings=[{"localRoot": "C:\\work", "remoteRoot": "/srv"}])
    scene.ask("setBreakpoints", {"source": {"path": "c:\\work\\a.py"}, "breakpoints": [{"line": 1}]})
    assert scene.asked_of_agent("setBreakpoints")["arguments"]["source"]["path"] == "/srv/a.py"
    frame = {"id": 1, "name": "f", "line": 1, "column": 1, "source": {"path": "/srv/a.py"}}
    scene.ask("stackTrace", {"threadId": 1})
    scene.agent_answers("stackTrace", {"stackFrames": [frame]})
    (answer,) = scene.connection.take()
    assert answer["body"]["stackFrames"][0]["source"]["path"].lower() == "c:\\work\\a.py"


def test_a_dot_as_remote_root_is_where_the_debuggee_is() -> None:
    scene = Scene(cwd="/srv/app")
    scene.attach(pathMappings=[{"localRoot": "/home/me/app", "remoteRoot": "."}])
    scene.ask("setBreakpoints", {"source": {"path": "/home/me/app/x.py"}})
    assert scene.asked_of_agent("setBreakpoints")["arguments"]["source"]["path"] == "/srv/app/x.py"


def test_a_dead_agent_answers_everything_with_an_error_then_terminated(scene: Scene) -> None:
    scene.ask("evaluate", {"expression": "1"})
    scene.ask("threads")
    scene.agent_breaks()
    assert scene.connection.names() == ["evaluate!?", "threads!?", "output", "terminated"]
    assert scene.ended == [scene.session]
    scene.ask("threads")
    assert scene.connection.names() == ["threads!?"]
    scene.ask("terminate")
    scene.ask("disconnect")
    assert scene.connection.names() == ["terminate!", "disconnect!"]
    assert scene.connection.closed


def test_goodbye_of_an_attached_program(scene: Scene) -> None:
    scene.agent_says("output", {"output": "last words"})
    scene.agent_says("exited", {"exitCode": 3})
    scene.agent_says("terminated")
    output, exited, terminated = scene.connection.take()
    assert output["body"]["output"] == "last words"
    assert (exited["event"], exited["body"]) == ("exited", {"exitCode": 3})
    assert terminated["event"] == "terminated"
    scene.agent_breaks()
    assert scene.connection.take() == [], "once is enough"


def test_output_before_exited_before_terminated_with_the_kernels_code(launched: Scene) -> None:
    scene = launched
    assert scene.program is not None
    scene.agent_says("exited", {"exitCode": 0})
    scene.agent_says("terminated")
    scene.agent_breaks()
    assert scene.connection.take() == [], "the process still runs: its output may still come"
    scene.session.program_output("stdout", "bye")
    scene.session.program_exited(137)
    output, exited, terminated = scene.connection.take()
    assert output["body"] == {"category": "stdout", "output": "bye"}
    assert exited["body"] == {"exitCode": 137}
    assert terminated["event"] == "terminated"


def test_a_process_that_dies_before_its_agents_last_words(launched: Scene) -> None:
    scene = launched
    scene.session.program_exited(1)
    scene.agent_says("output", {"output": "a log message on its way"})
    scene.agent_breaks()
    assert scene.connection.names() == ["output", "exited", "terminated"]


def test_an_agent_whose_connection_survives_its_process_is_not_waited_for(launched: Scene) -> None:
    launched.session.program_exited(1)
    launched.timers.fire()
    assert launched.connection.names() == ["exited", "terminated"]


def test_printed_before_the_stop_is_shown_before_it(launched: Scene) -> None:
    assert launched.program is not None
    launched.program.waiting.append(("stdout", "printed"))
    launched.agent_says("stopped", {"reason": "breakpoint"})
    assert launched.connection.names() == ["output", "stopped"]


def test_disconnect_leaves_an_attached_program_running(scene: Scene) -> None:
    scene.ask("disconnect")
    assert scene.asked_of_agent("disconnect")["arguments"] == {"terminateDebuggee": False}
    assert not scene.connection.closed
    scene.agent_answers("disconnect")
    assert scene.connection.names() == ["disconnect!"]
    assert scene.connection.closed
    assert scene.session.is_free


def test_an_agent_that_does_not_answer_disconnect_is_not_waited_for(scene: Scene) -> None:
    scene.ask("disconnect")
    scene.timers.fire()
    assert scene.connection.names() == ["disconnect!"]
    scene.agent_answers("disconnect")  # too late, and nobody's business


def test_disconnect_ends_what_was_launched(launched: Scene) -> None:
    assert launched.program is not None
    launched.ask("disconnect")
    launched.agent_answers("disconnect")
    assert launched.program.ended == [], "the agent still holds the interpreter"
    launched.timers.fire()
    assert launched.program.ended == [1.5]
    assert launched.connection.take() == []
    launched.session.program_exited(130)
    launched.agent_breaks()
    assert launched.connection.names() == ["exited", "terminated", "disconnect!"]


def test_what_has_not_begun_is_not_asked_to_end() -> None:
    scene = Scene(launched=True)
    assert scene.program is not None
    scene.ask("initialize")
    scene.ask("launch", {"code": "1"})
    scene.agent_says("initialized")
    scene.ask("disconnect")
    assert scene.program.ended == [0.0]


def test_a_program_that_replaces_itself_runs_on_undebugged(launched: Scene) -> None:
    launched.agent_breaks()
    launched.timers.fire()
    assert launched.connection.names() == ["output"]
    launched.ask("threads")
    assert "runs on" in launched.connection.take()[0]["message"]
    launched.session.program_output("stdout", "from the new program")
    launched.session.program_exited(0)
    assert launched.connection.names() == ["output", "exited", "terminated"]


def test_disconnect_may_leave_what_was_launched(launched: Scene) -> None:
    assert launched.program is not None
    launched.ask("disconnect", {"terminateDebuggee": False})
    launched.agent_answers("disconnect")
    assert launched.program.ended == []
    assert launched.connection.names() == ["disconnect!"]


def test_terminate_asks_first_and_a_disconnect_after_it_kills(launched: Scene) -> None:
    assert launched.program is not None
    launched.ask("terminate")
    assert launched.connection.names() == ["terminate!"]
    launched.timers.fire()  # an agent that is stuck must not hold it up
    assert launched.program.ended == [5.0]
    launched.ask("disconnect")
    assert launched.program.ended == [5.0, 0.0]


def test_terminate_of_an_attached_program_is_the_agents(scene: Scene) -> None:
    scene.ask("terminate")
    scene.agent_answers("terminate")
    assert scene.connection.names() == ["terminate!"]


def test_a_client_that_vanishes_ends_what_it_launched(launched: Scene) -> None:
    assert launched.program is not None
    launched.client.lost(None)  # type: ignore[arg-type]
    launched.agent_answers("disconnect")
    launched.timers.fire()
    assert launched.program.ended == [1.5]


def test_a_client_that_vanishes_leaves_an_attached_program_undebugged(scene: Scene) -> None:
    scene.client.lost(None)  # type: ignore[arg-type]
    assert scene.asked_of_agent("disconnect")["arguments"] == {"terminateDebuggee": False}
    assert scene.session.is_free


def test_what_was_said_to_the_client_before_does_not_reach_the_next(scene: Scene) -> None:
    scene.ask("evaluate", {"expression": "slow"})
    old = scene.asked_of_agent("evaluate")
    scene.client.lost(None)  # type: ignore[arg-type]
    connection = FakeConnection()
    client = scene.new_client(connection)
    scene.ask("initialize", client=client)
    scene.ask("attach", client=client)
    scene.agent_says("stopped", {"reason": "breakpoint"})
    scene.session.received(None, response(0, old, {"result": "1"}))  # type: ignore[arg-type]
    scene.session.received(None, response(0, scene.asked_of_agent("disconnect")))  # type: ignore[arg-type]
    assert connection.names() == ["initialize!"]
    scene.agent_says("initialized")
    assert connection.names() == ["process", "initialized"]


def test_a_failed_attach_leaves_the_seat(scene: Scene) -> None:
    scene = Scene()
    scene.ask("initialize")
    scene.ask("attach")
    scene.agent_answers("attach", success=False, message="no tool id is free")
    assert scene.connection.names() == ["initialize!", "attach!?"]
    assert scene.session.is_free
    assert scene.client.seat is None


def test_a_failed_attach_ends_what_was_launched() -> None:
    scene = Scene(launched=True)
    assert scene.program is not None
    scene.ask("initialize")
    scene.ask("launch", {"code": "1"})
    scene.agent_answers("attach", success=False, message="no tool id is free")
    assert scene.program.ended == [0.0]


def test_reverse_requests_go_to_clients_that_announced_them(scene: Scene) -> None:
    asked = request(31, "startDebugging", {"request": "attach", "configuration": {}})
    scene.session.received(None, dict(asked))  # type: ignore[arg-type]
    (refusal,) = scene.agent.take()
    assert (refusal["request_seq"], refusal["success"]) == (31, False)
    assert scene.connection.take() == []

    scene.client.arguments["supportsStartDebuggingRequest"] = True
    scene.session.received(None, dict(asked))  # type: ignore[arg-type]
    (passed,) = scene.connection.take()
    scene.client.received(None, response(77, passed))  # type: ignore[arg-type]
    (answer,) = scene.agent.take()
    assert (answer["request_seq"], answer["success"]) == (31, True)


def test_a_crowded_client_holds_the_debuggees_streams(launched: Scene) -> None:
    assert launched.program is not None
    launched.client.crowded(None, yes=True)  # type: ignore[arg-type]
    assert launched.agent.held and launched.program.held
    launched.client.crowded(None, yes=False)  # type: ignore[arg-type]
    assert not launched.agent.held and not launched.program.held


def test_a_program_that_vanishes_is_told_once(scene: Scene) -> None:
    """The answer to what a person typed says it; nobody looks at the other answers."""
    scene.ask("threads")
    scene.agent_breaks()
    texts = [str(message) for message in scene.connection.take()]
    assert "the program is gone: it ended unexpectedly" in texts[0]
    assert sum("output" in text for text in texts) == 1
    scene = Scene()
    scene.attach()
    scene.ask("evaluate", {"expression": "os.kill(os.getpid(), 9)", "context": "repl"})
    scene.agent_breaks()
    texts = [str(message) for message in scene.connection.take()]
    assert sum("the program is gone" in text for text in texts) == 1
    assert not any("output" in text for text in texts)
