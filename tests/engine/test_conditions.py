"""Conditions, hit conditions, log messages."""

from __future__ import annotations

from typing import Any

import pytest

from remora.engine import BreakpointState

LOOP = """
    def f(n):
        for i in range(n):
            x = i * 2  # @body
    f(6)
"""


def stops_of(debug: Any, program: Any, expression: str) -> list[Any]:
    """Run to the end; the values of an expression at every stop."""
    program.start()
    seen = []
    while True:
        program.thread.join(0.001)
        try:
            stop = debug.recorder.stops.get(timeout=0.05 if program.thread.is_alive() else 0.001)
        except Exception:
            if not program.thread.is_alive():
                break
            continue
        seen.append(debug.evaluate(stop, expression))
        debug.engine.resume()
    program.finish()
    return seen


def test_condition(debug: Any) -> None:
    program = debug.program(LOOP)
    program.breakpoints(("body", {"condition": "i % 2 and n == 6"}))
    assert stops_of(debug, program, "i") == [1, 3, 5]


@pytest.mark.parametrize(
    ("hit", "expected"),
    [
        ("3", [2]),
        ("== 3", [2]),
        ("> 4", [4, 5]),
        (">= 4", [3, 4, 5]),
        ("< 3", [0, 1]),
        ("<=3", [0, 1, 2]),
        ("%2", [1, 3, 5]),
    ],
)
def test_hit_condition(debug: Any, hit: str, expected: list[int]) -> None:
    program = debug.program(LOOP)
    program.breakpoints(("body", {"hit_condition": hit}))
    assert stops_of(debug, program, "i") == expected


def test_condition_and_hit_condition_are_anded(debug: Any) -> None:
    program = debug.program(LOOP)
    [point] = program.breakpoints(("body", {"condition": "i > 2", "hit_condition": "2"}))
    assert stops_of(debug, program, "i") == [4]
    assert point.hits == 3, "a hit is a visit on which the condition was true"


def test_error_in_condition_stops_once_and_says_why(debug: Any) -> None:
    program = debug.program(LOOP)
    [point] = program.breakpoints(("body", {"condition": "i > missing"}))
    program.start()
    stop = debug.stop_at("body")
    assert "missing" in stop.text and "NameError" in stop.text
    debug.engine.resume()
    program.finish()
    debug.no_more_stops()
    assert "NameError" in point.message
    assert debug.recorder.changes


@pytest.mark.parametrize(
    "options",
    [{"condition": "i >"}, {"condition": "x = 1"}, {"hit_condition": "often"}, {"hit_condition": "% 0"},
     {"log_message": "{i"}, {"log_message": "i}"}, {"log_message": "{}"}, {"log_message": "{i +}"}],
)  # fmt: skip
def test_ill_formed_ones_fail_at_once(debug: Any, options: dict[str, str]) -> None:
    program = debug.program(LOOP)
    [point] = program.breakpoints(("body", options))
    assert point.state is BreakpointState.FAILED
    assert point.message
    assert point.message.count("log message") == ("log_message" in options), "said once"
    program.start()
    program.finish()
    debug.no_more_stops()


SCOPES = """
    g = 10
    shadowed = 'global'

    class C:
        attr = 5
        doubled = attr * 2  # @classbody

        def __init__(self):
            self.__secret = 42

        def method(self, items):
            late = None if items is None else 1  # @method
            return late

    def closure(free):
        def inner(a):
            b = a  # @closure
            return b + free
        return inner(1)

    def unbound():
        for i in range(2):
            pass  # @unbound
            shadowed = 'local'

    def comp(xs):
        return [x for x in xs  # @comp
            if x]
    module_level = 1
    x = 1  # @module
    C().method([1, 2])
    closure(3)
    unbound()
    comp([1, 2])
"""


@pytest.mark.parametrize(
    ("marker", "condition", "stops"),
    [
        ("module", "module_level == 1 and g == 10", 1),
        ("module", "[module_level for _ in range(2)] == [1, 1]", 1),
        ("classbody", "attr == 5 and g == 10", 1),
        ("classbody", "[attr for _ in 'ab'] == [5, 5]", 1),
        ("classbody", "any(attr == 5 for _ in 'ab')", 1),
        ("method", "self.__secret == 42", 1),
        ("method", "'late' not in locals()", 1),
        ("method", "[i for i in items if self] == items", 1),
        ("method", "(lambda: items)() == [1, 2]", 1),
        ("method", "(n := len(items)) == 2 and n < 3", 1),
        ("method", "all(any(i == j for j in items) for i in items)", 1),
        ("method", "eval('len(items)') == 2", 1),
        ("method", "items == [1, 2] # a comment", 1),
        ("method", "(items ==\n   [1, 2])", 1),
        ("closure", "a == 1 and b == 5", 1),  # b unbound: an error, said once
        ("unbound", "i == 1 and shadowed == 'local'", 1),
        ("unbound", "shadowed == 'global'", 1),  # unbound: an error and not the global
        ("comp", "len(xs) == 2", 3),  # where it begins, and at each element
    ],
)
def test_conditions_see_what_the_line_sees(debug: Any, marker: str, condition: str, stops: int) -> None:
    program = debug.program(SCOPES)
    program.breakpoints((marker, {"condition": condition}))
    program.start()
    for _ in range(stops):
        stop = debug.stopped()
        if "b == 5" in condition or condition == "shadowed == 'global'":
            assert "UnboundLocalError" in stop.text
        else:
            assert stop.text is None
        debug.engine.resume()
    program.finish()
    debug.no_more_stops()


def test_free_variable_in_condition(debug: Any) -> None:
    program = debug.program(SCOPES)
    program.breakpoints(("closure", {"condition": "free == 3"}))
    program.start()
    assert debug.stop_at("closure").text is None
    debug.engine.resume()
    program.finish()


def test_one_code_in_two_namespaces(debug: Any) -> None:
    program = debug.program("""
        import types
        def f():
            return who  # @here
        a = types.FunctionType(f.__code__, {"who": "a"})
        b = types.FunctionType(f.__code__, {"who": "b"})
        a(); b(); a()
    """)
    program.breakpoints(("here", {"condition": "who == 'a'"}))
    assert stops_of(debug, program, "who") == ["a", "a"]


LOGS = [
    ("plain 100% {{i}}", ["plain 100% {i}"] * 2),
    ("i={i}", ["i=0", "i=1"]),
    ("{i!r:>4}|{i:03d}|{name!r:>6}", ["   0|000|   'b'", "   1|001|   'b'"]),
    ("{d['k']} %s {} {{".replace("{}", "{{}}"), ["v %s {} {"] * 2),
    ("{ {i: 1} } {[x for x in (i,)]}", ["{0: 1} [0]", "{1: 1} [1]"]),
    ('{"}"} {"a" if i else "b"} "quoted" \\n', ['} b "quoted" \\n', '} a "quoted" \\n']),
    ("{i=} {i + 1 = }", ["i=0 i + 1 = 1", "i=1 i + 1 = 2"]),
    ("{name:{w}}|", ["b  |"] * 2),
    ("{missing} and {i}", ["{NameError: name 'missing' is not defined} and 0",
                           "{NameError: name 'missing' is not defined} and 1"]),
    ("{(lambda: i)()}", ["0", "1"]),
    ("{i != 0}", ["False", "True"]),
]  # fmt: skip


@pytest.mark.parametrize(("message", "expected"), LOGS)
def test_log_messages(debug: Any, message: str, expected: list[str]) -> None:
    program = debug.program("""
        def f(name):
            d = {'k': 'v'}
            w = 3
            for i in range(2):
                x = i  # @body
        f('b')
    """)
    [point] = program.breakpoints(("body", {"log_message": message}))
    assert point.state is BreakpointState.VERIFIED, point.message
    program.start()
    program.finish()
    debug.no_more_stops()
    assert debug.recorder.logs == [(point.id, text, program.line("body")) for text in expected]


def test_log_with_condition_and_hit_condition(debug: Any) -> None:
    program = debug.program(LOOP)
    program.breakpoints(("body", {"condition": "i > 1", "hit_condition": "% 2", "log_message": "{i}"}))
    program.start()
    program.finish()
    assert [text for _, text, _ in debug.recorder.logs] == ["3", "5"]


def test_a_class_of_underscores_mangles_nothing(debug: Any) -> None:
    program = debug.program("""
        class __:
            def method(self):
                self.__x = 1
                return self.__x  # @here
        __().method()
    """)
    [breakpoint] = program.breakpoints(("here", {"condition": "self.__x == 1"}))
    program.start()
    debug.stop_at("here")
    assert breakpoint.message is None
    debug.engine.resume()
    program.finish()


def test_condition_that_cannot_be_compiled_for_the_code_of_its_line_is_said(debug: Any) -> None:
    """Generated code may have names no source can have; a breakpoint that never stops must not look well."""
    program = debug.program("""
        def work():
            x = 1  # @here
            return x
        """)
    program.load()
    work = program["work"]
    work.__code__ = work.__code__.replace(co_qualname="class.work")
    bad, good = program.breakpoints(("here", {"condition": "a.__b"}), "here")
    program.start("work()")
    stop = debug.stop_at("here")
    assert stop.breakpoint_ids == (good.id,)
    debug.engine.resume()
    program.finish()
    ((number, state, _, message),) = debug.recorder.changes
    assert (number, state) == (bad.id, "failed")
    assert message.startswith("The condition cannot be used in the code of this line: ")
    bad, good = program.breakpoints(("here", {"condition": "a.__b"}), "here")
    assert (bad.state.value, good.state.value) == ("failed", "verified")
