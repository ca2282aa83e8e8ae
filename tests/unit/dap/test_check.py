import subprocess
import sys

import pytest

from remora.dap import tables
from remora.dap.capabilities import CAPABILITIES
from remora.dap.check import MAX_PROBLEMS, check_arguments, check_message
from remora.dap.errors import UNKNOWN_REQUEST
from remora.dap.messages import error_response, event, request, response


@pytest.mark.parametrize(
    ("command", "arguments", "problem"),
    [
        ("setBreakpoints", {}, "source is missing: expected an object"),
        ("setBreakpoints", None, "source is missing: expected an object"),
        ("setBreakpoints", [1], "arguments: expected an object, got a list of 1"),
        ("setBreakpoints", {"source": 5}, "source: expected an object, got 5"),
        ("setBreakpoints", {"source": {"path": 5}}, "source.path: expected a string, got 5"),
        (
            "setBreakpoints",
            {"source": {"path": "x"}, "breakpoints": [{"line": 1}, {"column": 2}]},
            "breakpoints[1].line is missing: expected an integer",
        ),
        (
            "setBreakpoints",
            {"source": {"path": "x"}, "breakpoints": [{"line": "7"}]},
            "breakpoints[0].line: expected an integer, got the string '7'",
        ),
        (
            "setBreakpoints",
            {"source": {"path": "x"}, "breakpoints": [{"line": True}]},
            "breakpoints[0].line: expected an integer, got true",
        ),
        (
            "setBreakpoints",
            {"source": {"path": "x"}, "breakpoints": {"line": 1}},
            "breakpoints: expected a list, got an object",
        ),
        (
            "variables",
            {"variablesReference": -1},
            "variablesReference: expected an integer of 0 or more, got -1",
        ),
        (
            "variables",
            {"variablesReference": 1, "filter": "all"},
            "filter: expected one of indexed, named, got the string 'all'",
        ),
        ("continue", {"threadId": 1.5}, "threadId: expected an integer, got 1.5"),
        ("continue", {"threadId": None}, "threadId: expected an integer, got nothing"),
        ("evaluate", {"expression": "x" * 100, "context": 5}, "context: expected a string, got 5"),
        ("evaluate", {"expression": ["x"]}, "expression: expected a string, got a list of 1"),
        ("launch", {"noDebug": "yes"}, "noDebug: expected true or false, got the string 'yes'"),
        (
            "runInTerminal",
            {"cwd": "/", "args": ["x"], "env": {"A": 1}},
            "env.A: expected a string or null, got 1",
        ),
    ],
)
def test_problems_name_place_wish_and_fact(command: str, arguments: object, problem: str) -> None:
    assert check_arguments(command, arguments) == [problem]


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("threads", None),
        ("threads", {}),
        ("configurationDone", None),
        ("launch", {"program": "x.py", "__sessionId": "1", "whatever": [1]}),
        ("attach", {"__restart": [1, 2]}),
        ("setBreakpoints", {"source": {"path": "x", "name": None}, "breakpoints": None, "lines": [1]}),
        ("stackTrace", {"threadId": 1, "startFrame": None, "levels": 0, "unknown": 1}),
        ("runInTerminal", {"cwd": "/", "args": [], "env": {"A": None, "B": "x"}}),
        ("noSuchRequest", {"anything": 1}),
    ],
)
def test_lenient_where_clients_differ(command: str, arguments: object) -> None:
    assert check_arguments(command, arguments) == []


def test_problems_are_bounded() -> None:
    arguments = {"source": {"path": "x"}, "breakpoints": [{}] * 100_000}
    assert len(check_arguments("setBreakpoints", arguments)) == MAX_PROBLEMS


@pytest.mark.parametrize(
    "message",
    [
        request(1, "threads"),
        request(1, "continue", {"threadId": 1}),
        event(1, "initialized"),
        event(2, "stopped", {"reason": "breakpoint", "threadId": 1, "allThreadsStopped": True}),
        response(3, request(1, "initialize", {"adapterID": "x"}), CAPABILITIES),
        response(3, request(1, "launch", {})),
        response(3, request(1, "threads"), {"threads": [{"id": 1, "name": "MainThread"}]}),
        error_response(4, request(1, "nope"), UNKNOWN_REQUEST(command="nope")),
    ],
)
def test_good_messages(message: dict) -> None:
    assert check_message(message) == []


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ([], "a message is an object"),
        ({"seq": 1, "type": "hello"}, "type: expected"),
        ({"type": "event", "event": "initialized", "body": {}}, "seq: expected an integer"),
        ({"seq": 1, "type": "event", "event": "initialized"}, "body: expected an object"),
        (event(1, "remoraHello", {}), "'remoraHello' is no event of DAP"),
        (event(1, "stopped", {}), "body.reason is missing"),
        (event(1, "output", {"output": "x", "categry": "stdout"}), "body.categry: DAP has no such property"),
        ({**event(1, "initialized"), "extra": 1}, "extra: DAP has no such property"),
        (response(1, request(1, "threads"), {"threads": [{"id": 1}]}), "body.threads[0].name is missing"),
        (response(1, request(1, "threads")), "body is missing"),
        ({**response(1, request(1, "launch")), "success": 1}, "success: expected true or false, got 1"),
        ({**response(1, request(1, "launch")), "success": False}, "message: expected a string"),
        (response(1, request(1, "initialize"), {"supportsMagic": True}), "body.supportsMagic: DAP has no"),
    ],
)
def test_bad_messages(message: object, problem: str) -> None:
    problems = check_message(message)
    assert any(text.startswith(problem) for text in problems), problems


def test_the_tables_are_complete() -> None:
    # 45 requests, 17 events, 42 capabilities in 1.71, says the specification.
    assert len(tables.ARGUMENTS) == 45
    assert len(tables.RESPONSES) == 45
    assert len(tables.EVENTS) == 17
    rows = tables.TYPES.values()
    parts = [*tables.ARGUMENTS.values(), *tables.RESPONSES.values(), *tables.EVENTS.values()]
    specs = [spec.rstrip("!") for spec in parts if spec]
    specs += [
        field.partition(":")[2] for row in rows if row[:1] != "=" and row != "s" for field in row.split()
    ]
    names = {option.strip("[{") for spec in specs for option in spec.split("|")}
    unknown = {name for name in names if name[:1].isupper()} - tables.TYPES.keys()
    assert not unknown


def test_the_debuggee_loads_little() -> None:
    """What the agent imports of this layer: json is the only thing that costs."""
    code = (
        "import json, sys; before = set(sys.modules)\n"
        "import remora.dap.framing, remora.dap.messages, remora.dap.check, remora.dap.capabilities\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert [name for name in out.stdout.split() if not name.startswith("remora")] == ["__future__"]
    assert "remora.dap.types" not in out.stdout
