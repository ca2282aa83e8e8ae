"""Scopes: which groups of names a frame has, in which order, and what is in them."""

from __future__ import annotations

import sys
import types

import pytest

from remora.values import Inspector, StaleHandle

PYTHON_312 = sys.version_info < (3, 13)


def test_a_function_shows_arguments_first_then_locals_in_order(at):
    def f(b, a, *rest, key=1, **more):
        z = 1
        c = 2
        return at(), z, c

    place = f(1, 2, 3)[0]
    assert list(place.named())[:7] == ["b", "a", "key", "rest", "more", "z", "c"]


def test_unbound_locals_are_not_shown(at):
    place = at()
    assert "later" not in place.named()
    later = 1
    assert place.named()["later"].text == "1"
    del later
    assert "later" not in place.named()


def test_free_variables_are_a_scope_of_their_own(at):
    outer = [1]
    unbound = 1

    def f():
        inner = outer
        place = at()
        return place, inner, lambda: unbound  # noqa: F821 - that is the point

    del unbound
    place, *_ = f()
    assert place.scope_kinds() == ["locals", "closure", "globals"]
    assert list(place.named("closure")) == ["at", "outer"]
    assert "outer" not in place.named()


def test_cells_shared_with_inner_functions_are_locals(at):
    shared = 3

    def inner():
        return shared

    assert at().named()["shared"].text == "3"
    assert inner() == 3


def test_globals_are_grouped_and_expensive(at):
    place = at()
    scope = next(s for s in place.inspector.scopes(place.id) if s.kind == "globals")
    assert scope.expensive
    names = [v.name for v in place.inspector.variables(scope.handle)]
    assert names[:2] == ["annotations", "PYTHON_312"]
    assert names[-4:] == ["modules", "classes", "functions", "special variables"]
    groups = place.named("globals")
    functions = [v.name for v in place.inspector.variables(groups["functions"].handle)]
    assert "test_unbound_locals_are_not_shown" in functions
    assert groups["functions"].kind == "virtual"
    assert groups["functions"].named_count == len(functions)


def run_module(at, source, **names):
    module = types.ModuleType("made_up")
    module.__dict__.update(names, at=at)
    exec(compile(source, "<made up>", "exec"), module.__dict__)
    return module.place


def test_a_module_shows_its_names_once(at):
    place = run_module(at, "data = 7\ndef f(): pass\nplace = at()")
    assert place.scope_kinds() == ["locals"]
    shown = place.named()
    assert shown["data"].evaluate_name == "data"
    assert "functions" in shown


def test_a_comprehension_in_a_module_shows_its_own_names(at):
    place = run_module(at, "data = 7\nplace = [at() for hidden in [5]][0]")
    # The frame is over; what the comprehension bound is gone, but looking must not fail.
    assert place.scope_kinds()[-1] in ("locals", "globals")

    seen = {}

    def look(place):
        seen.update(place.named())
        seen["scopes"] = place.scope_kinds()
        seen["value"] = place.text("hidden + data")
        return place

    run_module(at, "data = 7\nplace = [look(at()) for hidden in [5]][0]", look=look)
    assert seen["hidden"].text == "5"
    assert seen["scopes"] == ["locals", "globals"]
    assert seen["value"] == "12"


def test_a_class_body_shows_its_names(at):
    shown = []

    class Body:
        first = 1
        __private = 2
        place = at()
        shown.append(place.named())
        shown.append(place.text("[first for _ in range(2)]"))
        shown.append(place.text("__private"))
        place.value("made = first + 1", "repl")

    assert shown[0]["first"].text == "1"
    assert shown[1:] == ["[1, 1]", "2"]
    assert Body.made == 2


def test_a_generator_shows_its_locals(at):
    def numbers():
        for n in range(3):  # noqa: B007 - the frame is looked at
            yield at(sys._getframe()).named()["n"].text

    assert list(numbers()) == ["0", "1", "2"]


def test_an_inlined_comprehension_shows_its_variable(at):
    assert [at(sys._getframe()).named()["n"].text for n in range(2)] == ["0", "1"]


def test_special_names_come_last(at):
    __special__ = 1
    later = 2
    names = list(at().named())
    assert names.index("__special__") > names.index("later") > -1
    assert __special__ + later == 3


def test_a_step_out_shows_what_was_returned(at):
    place = at(returned=("Shop.total", {"a": 1}))
    assert place.scope_kinds()[0] == "returnValue"
    (value,) = place.named("returnValue").values()
    assert (value.name, value.text, value.evaluate_name) == ("Shop.total()", "{'a': 1}", "__return__")
    assert place.text("__return__['a'] + 1") == "2"
    assert place.text("[__return__ for _ in range(1)]") == "[{'a': 1}]"


def test_an_exception_stop_shows_the_exception_among_the_locals(at):
    error = ValueError("no")
    place = at(exception=error)
    assert place.named()["__exception__"].text == "ValueError('no')"
    assert place.text("__exception__.args") == "('no',)"


def test_a_frame_keeps_its_handle_and_scopes_keep_theirs(at):
    place = at()
    assert place.inspector.frame_handle(1, 0, place.entry) == place.id
    assert place.scope("locals") == place.scope("locals")


def test_handles_are_refused_after_the_program_ran(at):
    place = at()
    scope = place.scope("locals")
    place.inspector.forget()
    with pytest.raises(StaleHandle, match=f"^handle {scope} is not valid: .* was given$") as refused:
        place.inspector.variables(scope)
    assert refused.value.args == (scope,)
    with pytest.raises(StaleHandle):
        place.inspector.scopes(place.id)
    with pytest.raises(StaleHandle):
        place.inspector.evaluate("1", place.id, "repl")
    with pytest.raises(StaleHandle):
        place.inspector.set_variable(scope, "x", "1")
    again = place.inspector.frame_handle(1, 0, place.entry)
    assert again > place.id


def test_a_handle_that_was_never_given_is_refused():
    with pytest.raises(StaleHandle):
        Inspector().variables(77)


def test_nothing_is_kept_alive_after_forget(at):
    import gc
    import weakref

    class Thing:
        pass

    def f():
        thing = Thing()
        place = at()
        place.inspector.variables(place.scope("locals"))
        place.value("thing")
        place.inspector.forget()
        return weakref.ref(thing), place.inspector

    reference, inspector = f()
    gc.collect()
    assert reference() is None
    assert inspector is not None


def test_exec_with_a_mapping_of_the_program_as_locals(at):
    class Mapping(dict):
        def __missing__(self, key):
            raise KeyError(key)

    shown = []
    names = Mapping(one=1)
    exec("two = one + 1\nshown.append(at().named())", {"at": at, "shown": shown}, names)
    assert shown[0]["one"].text == "1"
    assert shown[0]["two"].text == "2"


@pytest.mark.skipif(sys.version_info < (3, 15), reason="lazy imports are new in 3.15")
def test_a_lazy_import_is_not_loaded_by_looking(at):
    place = run_module(at, "lazy import wave\nplace = at()")
    group = place.named()["modules"]
    (module,) = [v for v in place.inspector.variables(group.handle) if v.name == "wave"]
    assert module.lazy
    assert "wave" not in sys.modules
    assert "module 'wave'" in place.inspector.variables(module.handle)[0].text
    assert "wave" in sys.modules


def test_the_next_stop_of_a_thread_in_the_same_frame_is_a_new_one(at):
    """The others stand meanwhile, so there is no forget() between the two."""
    place = at(returned=("work", 1))
    assert place.text("__return__") == "1"
    error = ValueError("no")
    place.inspector.stopped(1, exception=error)
    again = place.inspector.frame_handle(1, 0, place.entry)
    assert again > place.id
    assert {scope.kind for scope in place.inspector.scopes(again)} >= {"locals"}
    assert "returnValue" not in {scope.kind for scope in place.inspector.scopes(again)}
    assert place.inspector.evaluate("__exception__", again, "watch").text == "ValueError('no')"
    with pytest.raises(StaleHandle):
        place.inspector.scopes(place.id)
