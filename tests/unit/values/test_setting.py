"""Giving variables new values: where it works it is seen by the program, where not it says why."""

from __future__ import annotations

import collections
import dataclasses
import types

import pytest

from remora.values import EvaluationFailed


def set_in(place, kind, name, value):
    return place.inspector.set_variable(place.scope(kind), name, value)


def set_child(place, expression, name, value):
    return place.inspector.set_variable(place.value(expression).handle, name, value)


def refusal(work, *arguments):
    with pytest.raises(EvaluationFailed) as caught:
        work(*arguments)
    return caught.value.message


def test_locals_arguments_and_cells(at):
    free = 1

    def f(argument):
        nonlocal free
        local = 1
        shared = 1

        def inner():
            return shared

        place = at()
        assert set_in(place, "locals", "argument", "local + 4").text == "5"
        assert set_in(place, "locals", "local", "[argument]").indexed_count == 1
        set_in(place, "locals", "shared", "'new'")
        set_in(place, "closure", "free", "argument * 2")
        return argument, local, shared, inner()

    assert f(0) == (5, [5], "new", "new")
    assert free == 10


def test_globals_also_in_their_groups(at):
    module = types.ModuleType("made_up")
    module.at = at
    exec(compile("data = 1\ndef f():\n    return at()\nplace = f()", "<made up>", "exec"), module.__dict__)
    place = module.place
    assert set_in(place, "globals", "data", "data + 1").text == "2"
    assert module.data == 2
    set_in(place, "globals", "f", "None")
    assert module.f is None
    group = place.named("globals")["special variables"].handle
    place.inspector.set_variable(group, "__name__", "'renamed'")
    assert module.__name__ == "renamed"


def test_items_entries_and_attributes(at):
    class Thing:
        __slots__ = ("_value", "slot")
        count = 0

        @property
        def value(self):
            return self._value

        @value.setter
        def value(self, new):
            if new < 0:
                raise ValueError("must not be negative")
            self._value = new

    items = [1, 2]
    mapping = {"a": 1, (1, 2): 2}
    queue = collections.deque([1, 2])
    data = bytearray(b"ab")
    thing = Thing()
    thing.slot = 1
    thing._value = 1
    place = at()
    set_child(place, "items", "1", "len(items) * 10")
    set_child(place, "mapping", "(1, 2)", "None")
    set_child(place, "queue", "0", "'first'")
    set_child(place, "data", "0", "0x7a")
    set_child(place, "thing", "slot", "'s'")
    assert set_child(place, "thing", "value", "7").text == "7"
    assert items == [1, 20]
    assert mapping[1, 2] is None
    assert queue == collections.deque(["first", 2])
    assert data == b"zb"
    assert (thing.slot, thing.value) == ("s", 7)
    assert "must not be negative" in refusal(set_child, place, "thing", "value", "-1")
    assert "ValueError" in refusal(set_child, place, "data", "0", "300")
    assert data == b"zb"


def test_what_is_shown_is_what_is_there_afterwards(at):
    class Rounding:
        def __init__(self):
            self.value = 1

        def __setattr__(self, name, value):
            object.__setattr__(self, name, int(value))

    thing = Rounding()
    assert set_child(at(), "thing", "value", "2.9").text == "2"
    assert thing.value == 2


@pytest.mark.parametrize(
    ("expression", "name", "reason"),
    [
        ("(1, 2)", "0", "a tuple cannot be changed"),
        ("b'ab'", "0", "a bytes cannot be changed"),
        ("{1, 2}", "0", "no place of their own"),
        ("frozen", "x", "FrozenInstanceError: cannot assign to field 'x'"),
        ("pair", "left", "its fields cannot be set"),
        ("range(3)", "1", "a range cannot be changed"),
        ("proxy", "'a'", "a mappingproxy is read-only"),
        ("readonly", "p", "the property 'p' has no setter"),
        ("[1]", "5", "there is no variable named '5' here"),
        ("[1]", "-1", "there is no variable named '-1' here"),
        ("[1]", "x", "there is no variable named 'x' here"),
    ],
)
def test_refusals_say_why(at, expression, name, reason):
    @dataclasses.dataclass(frozen=True)
    class Frozen:
        x: int

    class Readonly:
        @property
        def p(self):
            return 1

    frozen = Frozen(1)
    pair = collections.namedtuple("Pair", "left right")(1, 2)
    proxy = types.MappingProxyType({"a": 1})
    readonly = Readonly()
    assert reason in refusal(set_child, at(), expression, name, "99")
    assert (frozen.x, pair.left, proxy["a"], readonly.p) == (1, 1, 1, 1)


@pytest.mark.parametrize("value", ["", "1 +", "undefined", "x = 5", "1 / 0", "import os", "1; 2"])
def test_an_invalid_value_is_an_error_and_changes_nothing(at, value):
    number = 1
    place = at()
    assert refusal(set_in, place, "locals", "number", value)
    assert number == 1


def test_the_value_is_evaluated_once_in_the_frame_of_the_variable(at):
    calls = []

    def make():
        calls.append(1)
        return len(calls)

    number = 0
    assert set_in(at(), "locals", "number", "make()").text == "1"
    assert (number, calls) == (1, [1])
    assert make


def test_the_value_of_a_returned_function_cannot_be_set(at):
    place = at(returned=("f", 1))
    assert "returned already" in refusal(set_in, place, "returnValue", "f()", "2")


def test_set_expression(at):
    class Thing:
        pass

    thing = Thing()
    thing.items = {"a": [1, 2]}
    number = 1
    place = at()

    def put(expression, value):
        return place.inspector.set_expression(expression, value, place.id).text

    assert put("thing.items['a'][0]", "number + 1") == "2"
    assert thing.items == {"a": [2, 2]}
    assert put("number", "[5 for _ in range(2)]") == "[5, 5]"
    assert number == [5, 5]
    assert put("thing.new", "'x'") == "'x'"
    assert put("thing.items['a'][0:1]", "()") == "[2]"
    assert "cannot be assigned to" in refusal(put, "number + 1", "2")
    assert "cannot be assigned to" in refusal(put, "len(number)", "2")
    assert "not a single expression" in refusal(put, "number; thing", "2")
    assert "not a single expression" in refusal(put, "number", "2; 3")
    assert "AttributeError" in refusal(put, "number.x", "1")
    assert "NameError" in refusal(put, "number", "undefined")
    assert number == [5, 5]


def test_private_names_are_set_from_inside_the_class(at):
    class Owner:
        def __init__(self):
            self.__mine = 1
            place = at()
            place.inspector.set_expression("self.__mine", "2", place.id)
            assert self.__mine == 2

    Owner()
