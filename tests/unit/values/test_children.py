"""Children: what hangs on an object, page by page, and expressions that lead back to each."""

from __future__ import annotations

import array
import collections
import contextlib
import ctypes
import dataclasses
import datetime
import decimal
import enum
import functools
import re
import sys
import types
import weakref
from pathlib import Path

import pytest

from remora.values.child import key_source


def names(variables):
    return [v.name for v in variables]


def texts(variables):
    return {v.name: v.text for v in variables}


def check_paths(place, expression, depth=3):
    """Every evaluate_name below an expression must evaluate to the very object that is shown."""
    result = place.value(expression)
    if not result.handle or depth == 0:
        return 0
    checked = 0
    for child in place.inspector.variables(result.handle, count=30):
        if child.evaluate_name is None or child.lazy:
            continue
        again = place.value(child.evaluate_name)
        assert (again.text, again.type_name) == (child.text, child.type_name), child.evaluate_name
        checked += 1
        if child.handle and depth > 1:
            checked += check_paths(place, child.evaluate_name, depth - 1)
    return checked


# Indexed children and paging.

SEQUENCES = {
    "list": list(range(1000)),
    "tuple": tuple(range(1000)),
    "range": range(1000),
    "deque": collections.deque(range(1000)),
    "array": array.array("i", range(1000)),
    "set": set(range(1000)),
    "frozenset": frozenset(range(1000)),
    "keys": dict.fromkeys(range(1000)).keys(),
    "values": {n: n for n in range(1000)}.values(),
    "memoryview": memoryview(array.array("i", range(1000))),
}


@pytest.mark.parametrize("kind", SEQUENCES)
def test_any_page_of_a_sequence(showing, kind):
    place = showing(SEQUENCES[kind])
    result = place.value("x")
    assert result.indexed_count == 1000

    def page(**options):
        found = place.inspector.variables(result.handle, filter="indexed", **options)
        return [(v.name, v.text) for v in found]

    def expected(start, stop):
        return [(str(n), str(n)) for n in range(start, stop)]

    assert page(start=0, count=3) == expected(0, 3)
    assert page(start=600, count=100) == expected(600, 700)
    assert page(start=700, count=2) == expected(700, 702)
    assert page(start=10, count=2) == expected(10, 12)
    assert page(start=998, count=100) == expected(998, 1000)
    assert page(start=1000, count=5) == []
    assert len(page()) == 1000
    if place.value("x").named_count == 0:
        assert place.inspector.variables(result.handle, filter="named") == []


def test_named_and_indexed_are_told_apart(showing):
    class Shelf(list):
        owner = "me"

        def __init__(self, items):
            super().__init__(items)
            self.colour = "red"

    place = showing(Shelf("abc"))
    result = place.value("x")
    assert (result.named_count, result.indexed_count) == (2, 3)
    handle = result.handle
    assert names(place.inspector.variables(handle, filter="named")) == ["colour", "owner"]
    assert names(place.inspector.variables(handle, filter="indexed")) == ["0", "1", "2"]
    assert names(place.inspector.variables(handle)) == ["colour", "owner", "0", "1", "2"]
    assert names(place.inspector.variables(handle, start=1, count=2)) == ["owner", "0"]
    assert names(place.inspector.variables(handle, start=1, count=2, filter="indexed")) == ["1", "2"]


def test_without_paging_a_last_child_holds_the_rest(showing):
    place = showing(list(range(12_000)))
    first = place.children("x")
    assert len(first) == 5001
    assert (first[-1].name, first[-1].text) == ("…", "7000 more")
    second = place.inspector.variables(first[-1].handle)
    assert (second[0].name, second[0].evaluate_name) == ("5000", "x[5000]")
    third = place.inspector.variables(second[-1].handle)
    assert names(third)[-1] == "11999"
    assert place.inspector.set_variable(first[-1].handle, "9000", "'new'").text == "'new'"
    assert place.text("x[9000]") == "'new'"


@pytest.mark.parametrize("start", [0, 499_990, 999_980])
def test_a_page_of_a_million_items_costs_a_page(showing, start):
    class Item:
        shown = 0

        def __repr__(self):
            Item.shown += 1
            return "item"

    place = showing([Item()] * 1_000_000)
    handle = place.value("x").handle
    Item.shown = 0
    page = place.inspector.variables(handle, start=start, count=20, filter="indexed")
    assert [item.name for item in page] == [str(index) for index in range(start, start + 20)]
    assert Item.shown == 20


def test_a_dict_with_a_hundred_thousand_keys_is_paged(showing):
    place = showing({f"k{n}": n for n in range(100_000)})
    result = place.value("x")
    assert result.indexed_count == 100_000
    page = place.inspector.variables(result.handle, start=70_000, count=3)
    assert texts(page) == {"'k70000'": "70000", "'k70001'": "70001", "'k70002'": "70002"}
    assert page[0].evaluate_name == "x['k70000']"
    on = place.inspector.variables(result.handle, start=70_003, count=1)
    assert names(on) == ["'k70003'"]
    assert place.inspector.set_variable(result.handle, "'k99999'", "0").text == "0"


def test_keys_of_any_type(showing):
    class Key:
        def __repr__(self):
            return "1"

    thing = object()
    mapping = {
        1: "int", "1": "str", Key(): "key", Key(): "other", (1, "a"): "tuple", None: "none",
        thing: "object", b"b": "bytes", 2.5: "float", float("nan"): "nan", float("inf"): "inf",
        frozenset({1}): "frozen", "quo'te\n": "quote", (1,): "one", -3: "negative",
    }  # fmt: skip
    place = showing(mapping)
    shown = place.children("x")
    assert len({v.name for v in shown}) == len(mapping)
    assert names(shown)[:4] == ["1", "'1'", "1 #2", "1 #3"]
    again = place.inspector.variables(place.value("x").handle)
    assert names(again) == names(shown)
    assert {v.text: v.evaluate_name for v in shown if v.evaluate_name is None}.keys() == {
        "'key'", "'other'", "'object'", "'nan'", "'inf'", "'frozen'",
    }  # fmt: skip
    assert check_paths(place, "x") == 9
    handle = place.value("x").handle
    place.inspector.variables(handle)
    place.inspector.set_variable(handle, "1 #3", "'changed'")
    assert list(mapping.values())[:4] == ["int", "str", "key", "changed"]


def test_a_container_that_changes_between_pages(showing):
    mapping = {n: n for n in range(100)}
    place = showing(mapping)
    handle = place.value("x").handle
    assert names(place.inspector.variables(handle, start=0, count=2)) == ["0", "1"]
    del mapping[0]
    assert names(place.inspector.variables(handle, start=2, count=2)) == ["3", "4"]
    mapping.clear()
    assert place.inspector.variables(handle, start=4, count=2) == []


def test_order_of_an_ordered_dict(showing):
    ordered = collections.OrderedDict(a=1, b=2)
    ordered.move_to_end("a")
    assert names(showing(ordered).children("x")) == ["'b'", "'a'"]


def test_mappingproxy_and_views(showing):
    place = showing(types.MappingProxyType({"a": 1}))
    (only,) = place.children("x")
    assert (only.name, only.evaluate_name, only.attributes) == ("'a'", "x['a']", ("readOnly",))
    assert texts(showing({"a": 1}.items()).children("x")) == {"0": "('a', 1)"}


def test_bytes_and_bytearrays(showing):
    place = showing(bytearray(b"ab"))
    assert texts(place.children("x")) == {"0": "97", "1": "98"}
    assert texts(place.children("x", hex=True)) == {"0": "0x61", "1": "0x62"}
    assert showing(b"ab").value("x").indexed_count == 2
    assert showing("ab").value("x").handle == 0


# Attributes.


def test_a_dataclass_with_slots_and_defaults(showing):
    @dataclasses.dataclass(slots=True)
    class Point:
        x: int
        y: int = 2

    place = showing(Point(1))
    assert texts(place.children("x")) == {"x": "1", "y": "2"}
    assert check_paths(place, "x") == 2
    assert place.text("x").endswith("Point(x=1, y=2)")


def test_slots_private_names_and_class_constants(showing):
    class Base:
        __slots__ = ("__hidden", "empty")
        limit = 10

        def __init__(self):
            self.__hidden = 1

    class Derived(Base):
        __slots__ = ("own",)

        def __init__(self):
            super().__init__()
            self.own = 2

    place = showing(Derived())
    shown = {v.name: v for v in place.children("x")}
    assert texts(shown.values()) == {"own": "2", "_Base__hidden": "1", "limit": "10"}
    assert shown["_Base__hidden"].visibility == "private"
    assert shown["limit"].attributes == ("static",)
    assert check_paths(place, "x") == 3


def test_properties_run_only_when_opened(showing):
    runs = []

    class Lazy:
        def __init__(self):
            self.plain = 1

        @property
        def total(self):
            runs.append("total")
            return [1, 2]

        @functools.cached_property
        def cached(self):
            runs.append("cached")
            return 3

        @property
        def broken(self):
            raise KeyError("nothing")

    place = showing(Lazy())
    shown = {v.name: v for v in place.children("x")}
    assert runs == []
    assert {n for n, v in shown.items() if v.lazy} == {"total", "cached", "broken"}
    assert shown["total"].kind == "property"
    assert shown["total"].evaluate_name == "x.total"
    (opened,) = place.inspector.variables(shown["total"].handle)
    assert runs == ["total"]
    assert (opened.name, opened.text, opened.indexed_count, opened.lazy) == ("total", "[1, 2]", 2, False)
    assert names(place.inspector.variables(opened.handle)) == ["0", "1"]
    place.inspector.variables(shown["cached"].handle)
    assert place.child("x", "cached").text == "3"
    (failed,) = place.inspector.variables(shown["broken"].handle)
    assert failed.text == "<KeyError: 'nothing'>"
    assert "failedEvaluation" in failed.attributes


def test_dynamic_attributes_are_not_asked_for(showing):
    asked = []

    class Dynamic:
        def __init__(self):
            self.real = 1

        def __getattr__(self, name):
            asked.append(name)
            return 2

        def __dir__(self):
            asked.append("dir")
            return ["made_up"]

    place = showing(Dynamic())
    assert names(place.children("x")) == ["real"]
    assert asked == []


def test_attributes_that_need_another_way_to_be_read(showing):
    class Odd:
        @property
        def shadowed(self):
            return "the property"

        def __getattribute__(self, name):
            if name == "guarded":
                return "a lie"
            return object.__getattribute__(self, name)

    odd = Odd()
    vars(odd).update({"two words": 1, "class": 2, "__mangled": 3, "shadowed": 4, "guarded": 5})
    vars(odd)[7] = "not a name"
    place = showing(odd)
    shown = place.children("x")
    assert [(v.name, v.text) for v in shown if not v.lazy] == [
        ("two words", "1"), ("class", "2"), ("__mangled", "3"), ("shadowed", "4"), ("guarded", "5"),
        ("7", "'not a name'"),
    ]  # fmt: skip
    assert check_paths(place, "x") == 5


def test_an_enum_and_its_members(showing):
    class Colour(enum.Enum):
        RED = "r"
        BLUE = "b"

        @property
        def short(self):
            return self.name[0]

    place = showing(Colour)
    shown = {v.name: v for v in place.children("x")}
    assert (shown["RED"].text, shown["RED"].evaluate_name) == (place.text("x.RED"), "x.RED")
    assert list(shown)[:2] == ["RED", "BLUE"]
    member = {v.name: v for v in place.children("x.RED")}
    assert member["_value_"].text == "'r'"
    assert member["short"].lazy
    assert "BLUE" not in member


def test_a_class(showing):
    class Base:
        pass

    class Thing(Base):
        limit = 1

        def method(self):
            pass

        @property
        def size(self):
            raise AssertionError

    place = showing(Thing)
    shown = {v.name: v for v in place.children("x")}
    assert list(shown) == ["limit", "methods", "special variables"]
    methods = {v.name: v for v in place.inspector.variables(shown["methods"].handle)}
    assert list(methods) == ["method", "size"]
    assert methods["size"].text.startswith("<property object")
    assert place.text(methods["size"].evaluate_name) == methods["size"].text
    special = names(place.inspector.variables(shown["special variables"].handle))
    assert special[:2] == ["__bases__", "__mro__"]


def test_a_namedtuple_shows_its_fields(showing):
    place = showing(collections.namedtuple("Pair", "left right")(1, [2]))
    assert texts(place.children("x")) == {"left": "1", "right": "[2]"}
    assert place.value("x").indexed_count == 0
    assert place.text("x") == "Pair(left=1, right=[2])"
    assert check_paths(place, "x") == 3


def test_exceptions(showing):
    def failing():
        try:
            try:
                raise KeyError("first")
            except KeyError as error:
                error.add_note("a note")
                raise OSError(2, "gone", "file") from error
        except OSError as error:
            return error

    place = showing(failing())
    shown = texts(place.children("x"))
    assert shown["args"] == "(2, 'gone')"
    assert shown["filename"] == "'file'"
    assert shown["__cause__"] == "KeyError('first')"
    assert texts(place.children("x.__cause__"))["__notes__"] == "['a note']"
    group = showing(ExceptionGroup("several", [ValueError(1), TypeError(2)]))
    assert texts(group.children("x.exceptions")) == {"0": "ValueError(1)", "1": "TypeError(2)"}


def test_functions_methods_and_partials(showing):
    def outer(start):
        step = 3

        def inner(a, b=5, *, c=6):
            return a + b + c + start + step

        return inner

    place = showing(outer(10))
    shown = {v.name: v for v in place.children("x")}
    assert shown["__defaults__"].text == "(5,)"
    assert shown["__kwdefaults__"].text == "{'c': 6}"
    closure = {v.name: v for v in place.inspector.variables(shown["closure"].handle)}
    assert texts(closure.values()) == {"start": "10", "step": "3"}
    assert place.text(closure["step"].evaluate_name) == "3"
    place.inspector.set_variable(shown["closure"].handle, "step", "100")
    assert place.text("x(1)") == "122"
    assert texts(showing("a,b".split).children("x"))["__self__"] == "'a,b'"
    assert texts(showing(functools.partial(int, "12", base=8)).children("x"))["keywords"] == "{'base': 8}"


def test_a_bound_method_shows_what_it_is_bound_to(showing):
    class Thing:
        def method(self):
            pass

        def __repr__(self):
            return "THING"

    place = showing(Thing().method)
    assert "bound method" in place.text("x")
    assert place.text("x").endswith("of THING>")
    assert texts(place.children("x"))["__self__"] == "THING"


def test_generators_and_coroutines_show_where_they_are(showing):
    def numbers(limit):
        for n in range(limit):
            yield n, limit
        yield from waits

    waits = iter(["a", "b"])
    generator = numbers(2)
    place = showing(generator)
    assert place.child("x", "state").text == "'created'"
    next(generator)
    assert place.child("x", "state").text == "'suspended'"
    inside = place.inspector.variables(place.child("x", "locals").handle)
    assert texts(inside) == {"limit": "2", "n": "0"}
    assert [place.text(v.evaluate_name) for v in inside] == ["2", "0"]
    next(generator)
    next(generator)
    assert place.child("x", "awaiting").text.startswith("<list_iterator")
    generator.close()
    assert place.child("x", "state").text == "'closed'"

    class Forever:
        def __await__(self):
            yield

    async def waiting():
        inside = 1
        await Forever()
        return inside

    coroutine = waiting()
    coroutine.send(None)
    place = showing(coroutine)
    assert place.child("x", "state").text == "'suspended'"
    assert place.child("x", "awaiting").evaluate_name == "x.cr_await"
    coroutine.close()


def test_weak_references(showing):
    class Thing:
        def __getattr__(self, name):
            raise AssertionError(name)

    thing = Thing()
    reference = weakref.ref(thing)
    place = showing(reference)
    assert "Thing object" in texts(place.children("x"))["referent"]
    place.inspector.forget()
    del thing
    place = showing(reference)
    assert "dead" in place.text("x")


def test_values_of_the_standard_library(showing):
    day = showing(datetime.datetime(2024, 2, 29, 12, 30))
    assert texts(day.children("x"))["day"] == "29"
    assert day.text("x") == "datetime.datetime(2024, 2, 29, 12, 30)"
    assert showing(decimal.Decimal("1.50")).text("x") == "Decimal('1.50')"
    assert showing(Path("/tmp/x")).text("x") == "PosixPath('/tmp/x')"
    match = showing(re.match("(a)(b)", "abc"))
    assert texts(match.children("x"))["string"] == "'abc'"
    assert texts(showing(slice(1, 2)).children("x")) == {"start": "1", "stop": "2", "step": "None"}
    assert texts(showing(types.SimpleNamespace(a=1)).children("x")) == {"a": "1"}
    assert texts(showing((ctypes.c_int * 3)(1, 2, 3)).children("x", filter="indexed")) == {
        "0": "1",
        "1": "2",
        "2": "3",
    }


def test_ctypes_structures(showing):
    class Pair(ctypes.Structure):
        _fields_ = (("left", ctypes.c_int), ("right", ctypes.c_double))

    place = showing(Pair(1, 2.5))
    shown = texts(place.children("x"))
    assert (shown["left"], shown["right"]) == ("1", "2.5")


def test_a_module(showing):
    place = showing(contextlib)
    shown = {v.name: v for v in place.children("x")}
    functions = texts(place.inspector.variables(shown["functions"].handle))
    assert "contextmanager" in functions
    assert place.text("x").startswith("<module 'contextlib' from")


def test_a_released_memoryview_is_shown(showing):
    view = memoryview(b"ab")
    view.release()
    assert "released memory" in showing(view).text("x")


# Broken objects.


class BrokenMeta(type):
    def __getattribute__(cls, name):
        raise RuntimeError(f"meta {name}")

    def __eq__(cls, other):
        raise RuntimeError("meta eq")

    def __hash__(cls):
        raise RuntimeError("meta hash")

    def __instancecheck__(cls, instance):
        raise RuntimeError("meta instancecheck")

    def __subclasscheck__(cls, other):
        raise RuntimeError("meta subclasscheck")


def fail(*_, **__):
    raise RuntimeError("broken")


BROKEN_NAMES = """len iter getattr eq hash bool repr str getitem contains dir format sizeof index"""
BROKEN = {f"__{name}__": fail for name in BROKEN_NAMES.split()}


@pytest.mark.parametrize(
    "base", [object, list, dict, set, tuple, str, int, Exception], ids=lambda b: b.__name__
)
@pytest.mark.parametrize("meta", [type, BrokenMeta], ids=["type", "broken metaclass"])
def test_broken_objects_are_shown_all_the_same(showing, base, meta):
    namespace = {
        **BROKEN,
        "__getattribute__": fail,
        "__class__": property(fail),
        "__dict__": property(fail),
        "__slots__": (),
    }
    cls = type.__call__(meta, "Broken", (base,), namespace)
    obj = base.__new__(cls)
    if base is list:
        list.extend(obj, [1, 2])
    if base is dict:
        dict.__setitem__(obj, "a", 1)
    place = showing([obj])
    (shown,) = place.children("x")
    assert "Broken object at" in shown.text
    assert "RuntimeError: broken" in shown.text
    assert shown.type_name == "Broken"
    if shown.handle:
        place.inspector.variables(shown.handle)
    if base in (list, dict):
        assert shown.indexed_count == len(range(2 if base is list else 1))


def test_a_dict_that_lies_about_itself(showing):
    class Liar(dict):
        def __len__(self):
            return 10**9

        def __iter__(self):
            raise RuntimeError

        def __getitem__(self, key):
            return "a lie"

        def items(self):
            return [("fake", 1)]

        keys = values = items

    place = showing(Liar(real=1))
    assert place.text("x") == "{'real': 1}"
    (only,) = place.children("x")
    assert (only.name, only.text) == ("'real'", "1")
    assert place.text(only.evaluate_name) == "1"


# Libraries.


def test_numpy_arrays(showing):
    numpy = pytest.importorskip("numpy")
    place = showing(numpy.arange(3_000_000).reshape(1_000_000, 3))
    result = place.value("x")
    assert result.indexed_count == 1_000_000
    assert "\n" not in result.text
    page = place.inspector.variables(result.handle, start=500_000, count=2, filter="indexed")
    assert texts(page) == {
        "500000": "array([1500000, 1500001, 1500002])",
        "500001": "array([1500003, 1500004, 1500005])",
    }
    assert place.text(page[0].evaluate_name) == page[0].text
    shown = texts(place.inspector.variables(result.handle, filter="named"))
    assert (shown["shape"], shown["dtype"]) == ("(1000000, 3)", "dtype('int64')")
    assert showing(numpy.float64(1.5)).text("x") == "np.float64(1.5)"
    flat = showing(numpy.zeros(3))
    handle = flat.value("x").handle
    assert flat.inspector.set_variable(handle, "1", "7").text == "np.float64(7.0)"
    assert flat.text("x") == "array([0., 7., 0.])"


def test_pandas_tables(showing):
    pandas = pytest.importorskip("pandas", reason="pandas has no build for this Python")
    place = showing(pandas.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]}, index=["one", "two", "three"]))
    result = place.value("x")
    assert result.text.startswith("DataFrame 3 rows × 2 columns [a: int64, b: ")
    assert result.indexed_count == 3
    rows = place.inspector.variables(result.handle, start=1, count=1, filter="indexed")
    assert (rows[0].name, rows[0].evaluate_name) == ("'two'", "x.iloc[1]")
    shown = {v.name: v for v in place.inspector.variables(result.handle, filter="named")}
    assert shown["shape"].text == "(3, 2)"
    columns = place.inspector.variables(shown["columns"].handle)
    assert names(columns) == ["a", "b"]
    assert texts(place.inspector.variables(columns[0].handle, filter="indexed")) == {
        "'one'": "np.int64(1)", "'two'": "np.int64(2)", "'three'": "np.int64(3)",
    }  # fmt: skip
    assert place.text("x", "repl").count("\n") == 3


def test_libraries_are_not_imported_by_looking(tmp_path):
    import subprocess

    source = (
        "import sys; from remora.values import Inspector; i = Inspector()\n"
        "i.evaluate('[1, {2: 3}]', None, 'repl')\n"
        "assert not {'numpy', 'pandas', 'asyncio', 'ctypes', 'inspect', 'ast', 'dataclasses', 'typing',"
        " 'logging', 'traceback'} & set(sys.modules), sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", source], check=True, timeout=30, cwd=tmp_path)


@pytest.mark.parametrize(
    "key", [1, -1, 10**400, "a", "\ud800", b"x", 1.5, True, None, (), (1, ("a",)), 1j, ...]
)
def test_literals_of_keys_make_the_key(key):
    assert eval(key_source(key)) == key


@pytest.mark.parametrize("key", [float("nan"), float("inf"), (object(),), object(), "x" * 3000, [1]])
def test_no_literal_for_what_has_none(key):
    assert key_source(key) is None
