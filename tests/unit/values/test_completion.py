"""Completion: names, attributes, keys, modules; and never a line of the program's code."""

from __future__ import annotations

import pytest


def complete(place, text, column=None, line=0):
    column = len(text) if column is None else column
    return {c.label: c for c in place.inspector.completions(text, column, line, place.id)}


class Thing:
    constant = 1

    def __init__(self):
        self.own = {"alpha": 1, "it's": 2, "beta gamma": 3, 4: 5}

    def method(self):
        raise AssertionError

    @property
    def prop(self):
        raise AssertionError("ran")

    def __getattr__(self, name):
        raise AssertionError(f"asked for {name}")

    __dir__ = method


def test_names_of_every_scope(at):
    local_name = 1
    shown = complete(at(), "lo")
    assert (shown["local_name"].type, shown["local_name"].start, shown["local_name"].length) == (
        "variable",
        0,
        2,
    )
    assert shown["locals"].type == "function"
    assert shown["local_name"].sort_text < shown["locals"].sort_text
    assert complete(at(), "Thi")["Thing"].type == "class"
    assert complete(at(), "pyt")["pytest"].type == "module"
    assert complete(at(), "wh")["while"].type == "keyword"
    assert complete(at(), "x = local_")["local_name"].start == 4
    assert local_name == 1


def test_attributes_without_running_code(at):
    thing = Thing()
    shown = complete(at(), "thing.")
    assert {n: shown[n].type for n in ("own", "method", "prop", "constant")} == {
        "own": "field",
        "method": "method",
        "prop": "property",
        "constant": "field",
    }
    assert shown["own"].start == 6
    assert "__class__" in shown
    assert list(shown).index("own") < list(shown).index("__class__")
    assert "constant" in complete(at(), "print(thing.con")
    assert "get" in complete(at(), "len(x) + thing.own.g")
    assert "keys" in complete(at(), "thing.own.k")
    assert "upper" in complete(at(), "'text'.up")
    assert complete(at(), "thing.prop.") == {}
    assert complete(at(), "thing.method().") == {}
    assert thing


def test_case_is_ignored_when_nothing_else_matches(at):
    assert "Thing" in complete(at(), "thin")


@pytest.mark.parametrize("text", ["1", "'lo", "# lo", "1.", "nothing.", ".", "x.'", "", ")."])
def test_places_without_proposals_do_not_fail(at, text):
    found = complete(at(), text)
    assert text == "" or not found


def test_dict_keys(at):
    thing = Thing()
    shown = complete(at(), 'thing.own["')
    assert list(shown) == ["alpha", "it's", "beta gamma"]
    assert (shown["alpha"].text, shown["alpha"].start, shown["alpha"].length) == ('alpha"]', 11, 0)
    assert list(complete(at(), "thing.own['")) == ["alpha", "beta gamma"]
    shown = complete(at(), "print(thing.own['be")
    assert (shown["beta gamma"].text, shown["beta gamma"].start, shown["beta gamma"].length) == (
        "beta gamma']",
        17,
        2,
    )
    assert thing


def test_later_lines_and_the_middle_of_one(at):
    local_name = 1
    place = at()
    assert "local_name" in complete(place, "for x in y:\n    loc", 7, 1)
    assert "local_name" in complete(place, "loc + 1", 3)
    assert complete(place, "loc", 3, 99)["local_name"].length == 3
    assert local_name


def test_modules(at):
    place = at()
    assert complete(place, "import asyn")["asyncio"].type == "module"
    assert complete(place, "from os import pat")["path"].type == "module"
    shown = complete(place, "import os.pa")
    assert (shown["path"].start, shown["path"].length) == (10, 2)


def test_without_a_frame(at):
    inspector = at().inspector
    assert "len" in {c.label for c in inspector.completions("le", 2, 0, None)}
