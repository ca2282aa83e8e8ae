"""Texts of values: budgets, broken and endless reprs, recursion, huge things."""

from __future__ import annotations

import collections
import dataclasses
import enum
import sys
import threading
import tracemalloc

import pytest

from remora.engine import Interrupted
from remora.values.budget import CLIPBOARD, LIST, Budget
from remora.values.text import Texts


def text(obj, **limits):
    return Texts(Budget(**limits)).text(obj)


SAME_AS_REPR = [
    *([], [1], (1,), (), {}, {1: [2, {3}]}, set(), {1}, frozenset(), frozenset({1}), b"x", bytearray(b"x")),
    *("it's", 1.5, None, True, ..., NotImplemented, 1j, -5, range(3), 10**100, b"\x00'\"", "\ud800"),
    *(collections.deque([1], 2), collections.deque(), collections.OrderedDict(a=1)),
    *(collections.defaultdict(list, {1: []}), {}.keys(), {1: 2}.items(), {1: 2}.values()),
    *(int, len, [].append, type(sys), ExceptionGroup, KeyError, threading.Lock, sys.stdin.__class__),
    *(ValueError("x", 1), ValueError("x"), ValueError()),
]


# By type, since a repr with an address would differ between the workers of one run.
@pytest.mark.parametrize("obj", SAME_AS_REPR, ids=lambda obj: type(obj).__name__)
def test_small_builtin_values_look_as_repr_shows_them(obj):
    shown = text(obj)
    expected = repr(obj)
    if isinstance(obj, collections.OrderedDict):
        expected = "OrderedDict({'a': 1})"
    if isinstance(obj, collections.defaultdict):
        expected = "defaultdict(<class 'list'>, {1: []})"
    assert shown == expected


def test_a_list_holding_itself():
    loop = [1]
    loop.append(loop)
    mapping = {"self": loop}
    loop.append(mapping)
    mapping["again"] = mapping
    assert text(loop) == "[1, [...], {'self': [...], 'again': {...}}]"


def test_the_same_object_twice_is_no_recursion():
    one = [1]
    assert text([one, one]) == "[[1], [1]]"


def test_depth_is_limited():
    deep = [[[[[[1]]]]]]
    assert text(deep, depth=3) == "[[[[…]]]]"
    for _ in range(100_000):
        deep = [deep]
    assert len(Texts(CLIPBOARD).text(deep)) < 200
    while deep:  # taken apart by hand: freeing it at once would be deep as well
        deep = deep[0] if isinstance(deep[0], list) else None


def test_long_containers_are_cut_without_being_walked():
    class Item:
        shown = 0

        def __repr__(self):
            Item.shown += 1
            return str(Item.shown - 1)

    shown = text([Item()] * 1_000_000, text_chars=1000)
    assert Item.shown < 1000
    assert shown.startswith("[0, 1, 2, ")
    assert shown.endswith("…]")
    assert len(shown) < 1050


def test_a_long_first_element_leaves_room_for_the_others():
    shown = text(["a" * 10_000, "b", 3], text_chars=200)
    assert shown.endswith("…', 'b', 3]")


@pytest.mark.parametrize(
    "make", [lambda: "x" * 100_000_000, lambda: b"x" * 100_000_000, lambda: bytearray(100_000_000)]
)
def test_a_hundred_megabytes_cost_nothing(make):
    big = make()
    tracemalloc.start()
    try:
        shown = text(big)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 1_000_000  # it is neither copied nor escaped whole
    assert len(shown) < 4200
    assert "…" in shown


def test_a_long_string_says_how_long_it_is():
    assert text("x" * 5000, text_chars=10) == "'xxxxxxxxxx…' (len 5000)"


def test_huge_numbers():
    assert text(10**4000, text_chars=100).startswith("0x")
    assert text(10**4000, text_chars=100).endswith("… (13288 bits)")
    assert text(-(10**5000), text_chars=100).startswith("-0x")
    whole = Texts(CLIPBOARD).text(10**5000)
    assert int(whole, 0) == 10**5000
    assert text(10**100) == repr(10**100)


def test_hexadecimal():
    texts = Texts(LIST, hex=True)
    assert texts.text([255, -1, {16: True}, 1.5]) == "[0xff, -0x1, {0x10: True}, 1.5]"


def test_lone_surrogates_can_be_sent():
    class Odd:
        def __repr__(self):
            return "\ud800"

    assert text(Odd()) == "\\ud800"
    text("\udcff").encode()


def test_a_repr_that_fails():
    class Broken:
        def __repr__(self):
            return 1 // 0

    class Deep:
        def __repr__(self):
            return repr(self)

    class Leaving:
        def __repr__(self):
            sys.exit("bye")

    class NoText:
        def __repr__(self):
            return 5

    shown = text([Broken(), Leaving(), NoText(), Deep(), "after"])
    assert "its __repr__ failed: ZeroDivisionError" in shown
    assert "its __repr__ failed: SystemExit: bye" in shown
    assert "TypeError" in shown
    assert "RecursionError" in shown
    assert shown.endswith("'after']")


def test_an_exception_whose_text_fails():
    class Bad(Exception):
        def __str__(self):
            raise KeyError

    class Broken:
        def __repr__(self):
            raise Bad

    assert "its __str__ failed: KeyError" in text(Broken())


def test_a_repr_is_called_once_and_cut():
    calls = []

    class Talkative:
        def __repr__(self):
            calls.append(1)
            return "x" * 1_000_000

    assert len(text(Talkative(), text_chars=50)) == 51
    assert calls == [1]


def test_a_repr_that_changes_the_container():
    container = {1: None, 2: None}

    class Mutating:
        def __repr__(self):
            container[len(container) + 10] = 1
            return "M"

    container[1] = Mutating()
    assert "changed while being shown" in text(container)


class Slow:
    """Its __repr__ is interrupted, as the engine does from outside when the time is up."""

    def __repr__(self):
        raise Interrupted


class Normal:
    def __repr__(self):
        raise AssertionError("no code of the program may run after an interruption")


def test_an_interrupted_repr_leaves_the_others():
    texts = Texts(LIST)
    shown = texts.text([1, Slow(), 2, Normal(), [3]])
    assert "Slow object at" in shown
    assert "its __repr__ took too long" in shown
    assert "Normal object at" in shown
    assert shown.endswith(", [3]]")
    assert texts.interrupted


def test_a_page_goes_on_after_an_interrupted_repr(showing):
    place = showing([1, Slow(), Normal(), "end"])
    shown = [v.text for v in place.children("x")]
    assert shown[0] == "1"
    assert "took too long" in shown[1]
    assert "Normal object at" in shown[2]
    assert shown[3] == "'end'"


def test_an_interrupted_key_leaves_the_rest_alone(showing):
    place = showing({Slow(): 1, 2: Normal(), Normal(): 3})
    shown = place.children("x")
    assert "took too long" in shown[0].name
    assert shown[1].name == "2"
    assert "Normal object at" in shown[1].text
    assert "Normal object at" in shown[2].name


def test_after_the_time_is_over_no_code_of_the_program_runs():
    shown = text([1, Normal(), "two"], seconds=0.0)
    assert shown.startswith("[1, <")
    assert "the time for this answer is over" in shown
    assert shown.endswith(", 'two']")


def test_subclasses_without_a_repr_of_their_own():
    class Names(list):
        def __iter__(self):
            raise RuntimeError

        def __len__(self):
            return 10**6

    assert text(Names([1, 2])) == "[1, 2]"

    class Special(set):
        pass

    assert text(Special({1})) == "Special({1})"
    assert text(type("Text", (str,), {})("a")) == "'a'"
    assert text(type("Number", (int,), {})(5)) == "5"


def test_dataclasses_and_enums_are_limited_too():
    @dataclasses.dataclass
    class Order:
        items: list
        hidden: int = dataclasses.field(default=1, repr=False)
        parent: object = None

    order = Order(list(range(100_000)))
    order.parent = order
    shown = text(order, text_chars=200)
    assert "Order(items=[0, 1, 2" in shown
    assert "parent=" in shown
    assert "hidden" not in shown
    assert len(shown) < 300

    class Mood(enum.Enum):
        GOOD = "g"

    assert text(Mood.GOOD).endswith("Mood.GOOD: 'g'>")


def test_a_dataclass_with_its_own_repr_is_asked():
    @dataclasses.dataclass(repr=False)
    class Mine:
        a: int

        def __repr__(self):
            return "MINE"

    assert text(Mine(1)) == "MINE"


def test_without_user_code_objects_show_their_fields():
    class Secret:
        def __init__(self):
            self.a = 1
            self.b = [self]

        def __repr__(self):
            raise AssertionError

    shown = Texts(LIST, run_user_code=False).text(Secret())
    assert shown.endswith("Secret a=1 b=[<...>]>") or "a=1" in shown


def test_a_class_with_a_metaclass_repr():
    class Meta(type):
        def __repr__(cls):
            return "META"

    class Thing(metaclass=Meta):
        pass

    assert text(Thing) == "META"
    assert Texts(LIST, run_user_code=False).text(Thing) == f"<class '{__name__}.{Thing.__qualname__}'>"
