"""Evaluating at a stopped frame: as if the text stood there, except that nothing may escape."""

from __future__ import annotations

import sys
import types

import pytest

from remora.engine import Interrupted
from remora.values import EvaluationFailed, Inspector

a_global = 100
changed_global = 1


# What an expression sees.


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("n + a_global", "105"),
        ("[n + i for i in range(2)]", "[5, 6]"),
        ("{k: n for k in 'ab'}", "{'a': 5, 'b': 5}"),
        ("sum(n for _ in range(3))", "15"),
        ("(lambda x: x + n + free)(1)", "13"),
        ("[(lambda: n + j)() for j in range(2)]", "[5, 6]"),
        ("free * 2", "14"),
        ("sorted([3, 1], key=lambda v: -v * n)", "[3, 1]"),
        ("[y := n, y ** 2][1]", "25"),
        ("f'{n:03d}'", "'005'"),
        ("  n", "5"),
        ("n +\n1", "6"),
        ("\n\nn\n", "5"),
        ("if n > 3:\n    r = 'big'\nelse:\n    r = 'small'\nr", "'big'"),
        ("def double(v):\n    return v * n\n\ndouble(4)", "20"),
        ("class K:\n    v = n\nK.v", "5"),
        ("import string\nstring.digits", "'0123456789'"),
        ("for i in range(3):\n    pass\ni", "2"),
        ("try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    s = str(e)\ns", "'division by zero'"),
        ("sorted(locals())[0]", "'at'"),
        ("'n' in dir()", "True"),
        ("vars()['n']", "5"),
        ("globals()['a_global']", "100"),
        ("[[n * a for a in range(2)] for b in range(2)]", "[[0, 5], [0, 5]]"),
        ("(lambda: (lambda: n)())()", "5"),
        ("match_ if (match_ := n) else 0", "5"),
    ],
)
def test_expressions_and_statements(at, expression, expected):
    free = 7

    def f(n):
        place = at()
        return place.text(expression, "repl"), free

    assert f(5)[0] == expected


def test_statements_without_a_value(at):
    place = at()
    result = place.value("y = 1", "repl")
    assert (result.has_value, result.text, result.handle) == (False, "", 0)
    none = place.value("None", "repl")
    assert (none.has_value, none.text, none.type_name) == (True, "None", "NoneType")


def test_assignments_reach_the_frame(at):
    free = [0]
    count = 1
    words = ["a"]

    def shared():
        return count

    place = at()
    place.value("count = 10", "repl")
    assert count == 10
    assert shared() == 10
    place.value("count += 1; words.append(count)", "repl")
    assert (count, words) == (11, ["a", 11])
    place.value("(count := count * 2)", "watch")
    assert count == 22
    place.value("count := 3", "repl")
    assert count == 3
    place.value("[count := i for i in range(5)]", "repl")
    assert count == 4
    place.value("for words in 'xy': pass", "repl")
    assert words == "y"

    def inner():
        nonlocal free
        place = at()
        place.value("free = 'set from inside'", "repl")
        return free

    assert inner() == "set from inside"
    assert free == "set from inside"


def test_a_name_that_was_made_up_stays_with_the_frame(at):
    place = at()
    place.value("made_up = [1]", "repl")
    assert place.text("made_up + [2]") == "[1, 2]"
    assert place.text("[made_up for _ in range(1)]") == "[[1]]"
    assert place.named()["made_up"].text == "[1]"
    assert "made_up" not in globals()


def test_a_global_can_be_changed_or_shadowed(at):
    global changed_global
    changed_global = 1
    place = at()
    place.value("global changed_global; changed_global = 2", "repl")
    assert changed_global == 2
    assert place.text("a_global = a_global + 1; a_global", "repl") == "101"
    assert a_global == 100


def test_what_was_assigned_before_an_error_stays(at):
    value = 1
    place = at()
    place.error("value = 2; 1 / 0")
    assert value == 2


def test_annotated_assignments(at):
    value = 1
    assert at().text("value: int = 5; value", "repl") == "5"
    assert value == 5


def test_a_local_cannot_be_deleted_and_says_so(at):
    doomed = 1
    assert "cannot be deleted" in at().error("del doomed").message
    assert doomed == 1


def test_private_names_and_super_in_methods(at):
    class Base:
        def hello(self):
            return "base"

    class Derived(Base):
        def __init__(self):
            self.__secret = 41

        def hello(self):
            __local = 1
            place = at()
            return [
                place.text("self.__secret + 1"),
                place.text("[self.__secret for _ in range(1)]"),
                place.text("super().hello()"),
                place.text("__local"),
                place.text("(lambda: self.__secret)()"),
                place.value("self.__secret = 5", "repl").text,
                self.__secret,
                __local,
            ]

        @classmethod
        def make(cls):
            return at().text("super().hello.__name__")

        def inner(self):
            def f():
                return at().text("self.__secret"), self

            return f()[0]

    assert Derived().hello() == ["42", "[41]", "'base'", "1", "41", "", 5, 1]
    assert Derived().inner() == "41"
    assert Derived.make() == "'hello'"


def test_at_module_level_names_go_to_the_module(at):
    module = types.ModuleType("made_up")
    module.at = at
    exec(compile("data = [3, 1]\nplace = at()", "<made up>", "exec"), module.__dict__)
    place = module.place
    assert place.text("[d + len(data) for d in data]") == "[5, 3]"
    place.value("new = 5\ndef f():\n    return new", "repl")
    assert module.f() == 5
    place.value("from string import *", "repl")
    assert module.digits
    place.value("[w := 1 for _ in range(1)]", "repl")
    assert module.w == 1
    assert place.text("sorted(k for k in locals() if k in ('data', 'new'))") == "['data', 'new']"
    assert "_" not in module.__dict__


def test_builtins_do_not_leak_into_a_namespace():
    namespace = {}
    code = compile("x = 1", "<made up>", "exec")
    function = types.FunctionType(code, namespace)
    assert "__builtins__" not in namespace
    inspector = Inspector()
    assert inspector.evaluate("len('ab')", None, "watch").text == "2"
    assert function is not None


def test_without_a_frame_main_is_meant():
    main = sys.modules["__main__"]
    inspector = Inspector()
    try:
        inspector.evaluate("remora_test = 5", None, "repl")
        assert main.remora_test == 5
        assert inspector.evaluate("[remora_test for _ in 'a']", None, "repl").text == "[5]"
    finally:
        vars(main).pop("remora_test", None)


def test_future_statements_of_the_file_hold(at):
    # This file has `from __future__ import annotations`: annotations are not evaluated.
    assert at().text("def f(x: undefined): pass\nf.__annotations__", "repl") == "{'x': 'undefined'}"


def test_print_goes_to_the_programs_output(at, capsys):
    at().value("print('from the console')", "repl")
    assert capsys.readouterr().out == "from the console\n"


# What goes wrong.


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("undefined", "NameError: name 'undefined' is not defined"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("exit(3)", "SystemExit: 3"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise SystemExit", "SystemExit"),
        ("[].x", "AttributeError: 'list' object has no attribute 'x'"),
        ("{}['k']", "KeyError: 'k'"),
        ("raise ValueError('two\\nlines')", "ValueError: two"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("later", "NameError: cannot access local variable 'later' where it is not associated with a value"),
    ],
)
def test_errors_are_one_line(at, expression, message):
    place = at()
    assert str(place.error(expression)) == message
    later = 1
    assert later


@pytest.mark.parametrize(
    "source", ["1 +", "x =", "for", "def f(", "'open", "return 5", "yield 1", "a b", "(" * 500, "nonlocal q"]
)
def test_syntax_errors_say_where(at, source):
    error = at().error(source)
    assert "SyntaxError: " in error.message or "IndentationError: " in error.message


def test_the_place_of_a_syntax_error(at):
    error = at().error("good = 1\nbad = = 2")
    assert (error.line, error.column) == (2, 6)
    assert error.message == "SyntaxError: invalid syntax (line 2, column 7)"
    assert error.trace.splitlines()[1:3] == ["    bad = = 2", "          ^"]


@pytest.mark.parametrize("source", ["", "   ", "\n", "# nothing", "\0", "\ud800"])
def test_nothing_sensible_to_evaluate(at, source):
    with pytest.raises(EvaluationFailed):
        at().value(source)


def test_the_trace_shows_the_programs_frames_only(at):
    def helper(value):
        return 1 // value

    error = at().error("x = 0\nhelper(x)")
    assert error.trace.splitlines()[:4] == [
        "Traceback (most recent call last):",
        '  File "<evaluate>", line 2, in <evaluate>',
        "    helper(x)",
        f'  File "{__file__}", line {helper.__code__.co_firstlineno + 1}, in {helper.__qualname__}',
    ]
    assert error.trace.splitlines()[-1].startswith("ZeroDivisionError")
    assert "remora/values" not in error.trace
    assert helper(1) == 1


def test_an_exception_being_handled_is_not_told_again(at):
    try:
        raise KeyError("earlier")
    except KeyError:
        error = at().error("1 / 0")
    assert "earlier" not in error.trace
    chained = at().error("try:\n    {}['inner']\nexcept KeyError:\n    1 / 0")
    assert "During handling" in chained.trace
    assert "KeyError: 'inner'" in chained.trace


def test_a_syntax_error_of_the_program_is_not_ours(at):
    error = at().error("compile('1 +', 'other', 'eval')")
    assert error.message.startswith("SyntaxError: invalid syntax")
    assert error.line is None
    assert error.trace.startswith("Traceback")


def test_an_interruption_comes_through(at):
    kept = 1

    def stop():
        raise Interrupted

    with pytest.raises(Interrupted):
        at().value("kept = 2\nstop()", "repl")
    assert kept == 2
    assert stop


# Contexts.


def test_the_console_shows_more_than_a_watch(at):
    long = "x" * 5000
    place = at()
    assert len(place.text("long", "watch")) < 1100
    assert len(place.text("long", "repl")) == 5002
    huge = list(range(100_000))
    assert place.text("huge", "clipboard") == repr(huge)
    assert len(place.text("huge", "repl")) < 66_000
    assert long


def test_hexadecimal_results(at):
    assert at().text("[255, 16]", hex=True) == "[0xff, 0x10]"


def test_children_of_results_have_expressions(at):
    place = at()
    data = {"a": [1]}
    assert data
    (child,) = place.children("data")
    assert child.evaluate_name == "data['a']"
    (watched,) = place.children("list(data)")
    assert watched.evaluate_name == "(list(data))[0]"
    (commented,) = place.children("list(data)  # all")
    assert place.text(commented.evaluate_name) == "'a'"
    console = place.value("list(data)", "repl")
    (child,) = place.inspector.variables(console.handle)
    assert child.evaluate_name is None


class Alarm:
    """Anything but the identity of it runs code, and code fails the test."""

    plain = 1

    def __init__(self):
        self.own = {"k": [10, 20]}

    def _fail(self, *args):
        raise AssertionError("hover ran code")

    __repr__ = __eq__ = __getattr__ = __len__ = __iter__ = __getitem__ = __call__ = __bool__ = _fail
    prop = property(_fail)

    def __hash__(self):
        return hash("k")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("number", "5"),
        ("alarm.own", "{'k': [10, 20]}"),
        ("alarm.own['k'][1]", "20"),
        ("alarm.own['k'][-1]", "20"),
        ("alarm.plain", "1"),
        ("mapping['k']", "'right'"),
        ("mapping[key]", "'right'"),
        ("a_global", "100"),
        ("types.ModuleType", "<class 'module'>"),
        ("len", "<built-in function len>"),
        ("text[0]", "'a'"),
        ("5", "5"),
    ],
)
def test_hover_reads(at, expression, expected):
    number = 5
    alarm = Alarm()
    mapping = {"k": "right", 1: alarm}
    key = "k"
    text = "abc"
    assert at().text(expression, "hover") == expected
    assert number and key and text and mapping


@pytest.mark.parametrize(
    "expression",
    ["alarm.prop", "alarm.missing", "alarm()", "alarm[0]", "number + 1", "len(text)", "x = 1",
     "[i for i in text]", "await z", "nothing", "text[99]", "mapping['none']", "lambda: 1", "f'{number}'"],
)  # fmt: skip
def test_hover_refuses(at, expression):
    number = 5
    alarm = Alarm()
    text = "abc"
    mapping = {}
    place = at()
    message = place.error(expression, "hover").message
    assert "hover" in message or "Error" in message
    assert (number, alarm is None, text, mapping) == (5, False, "abc", {})


def test_hover_shows_objects_without_asking_them(at):
    alarm = Alarm()
    place = at()
    result = place.value("alarm", "hover")
    assert "Alarm own={'k': [10, 20]}>" in result.text
    holder = [alarm]
    result = place.value("holder", "hover")
    children = place.inspector.variables(result.handle)
    assert "Alarm" in children[0].text
    inner = place.inspector.variables(children[0].handle)
    assert [v.name for v in inner if not v.lazy] == ["own", "plain"]
    assert holder[0] is alarm


def test_hover_runs_no_metaclass_and_no_key(at):
    class Meta(type):
        def _fail(cls, *args):
            raise AssertionError("hover ran a metaclass")

        __eq__ = __getattribute__ = __instancecheck__ = __subclasscheck__ = __repr__ = _fail

        def __hash__(cls):
            raise AssertionError("hover hashed a class")

    class Thing(metaclass=Meta):
        def __init__(self):
            object.__setattr__(self, "inner", {"a": 1})

        def __repr__(self):
            raise AssertionError

    thing = Thing()
    keyed = {thing: 1, "a": [thing]}
    place = at()
    assert "Thing" in place.text("thing", "hover")
    assert place.text("thing.inner['a']", "hover") == "1"
    assert "Thing" in place.text("Thing", "hover")
    assert "hover" in place.error("thing[0]", "hover").message
    result = place.value("keyed", "hover")
    names = [v.name for v in place.inspector.variables(result.handle)]
    assert "Thing" in names[0]
    assert names[1] == "'a'"
    assert keyed


def test_hover_on_a_key_that_would_be_compared(at):
    compared = []

    class Key:
        def __hash__(self):
            return hash("k")

        def __eq__(self, other):
            compared.append(other)
            return True

    mapping = {Key(): "wrong", "other": "right"}
    place = at()
    assert "KeyError" in place.error("mapping['k']", "hover").message
    assert place.text("mapping['other']", "hover") == "'right'"
    assert compared == []
    assert mapping
