"""Exceptions taken apart: chain, groups, notes, texts, however tangled."""

from __future__ import annotations

from remora.values import Inspector


def caught(work):
    try:
        work()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def details(error):
    return Inspector().exception_info(error)


class Problem(Exception):
    pass


def test_one_exception():
    def work():
        raise Problem("no money")

    found = details(caught(work))
    assert (found.type_name, found.message) == ("Problem", "no money")
    assert found.full_type_name == f"{__name__}.Problem"
    assert found.description == f"{__name__}.Problem: no money"
    lines = found.stack_trace.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-2] == '    raise Problem("no money")'
    assert lines[-1] == f"{__name__}.Problem: no money"
    assert found.inner == ()


def test_a_chain_with_cause_and_context():
    def work():
        try:
            try:
                {}["key"]
            except KeyError as error:
                raise ValueError("middle") from error
        except ValueError:
            raise TypeError("last")  # noqa: B904 - the context is what is tested

    found = details(caught(work))
    (middle,) = found.inner
    (first,) = middle.inner
    assert [(e.type_name, e.relation) for e in (found, middle, first)] == [
        ("TypeError", ""),
        ("ValueError", "context"),
        ("KeyError", "cause"),
    ]
    text = found.stack_trace
    assert text.index("KeyError") < text.index("direct cause") < text.index("ValueError: middle")
    assert text.index("During handling") < text.index("TypeError: last")


def test_a_suppressed_context_is_left_out():
    def work():
        try:
            {}["key"]
        except KeyError:
            raise ValueError("only") from None

    found = details(caught(work))
    assert found.inner == ()
    assert "KeyError" not in found.stack_trace


def test_groups_and_notes():
    inner = ValueError("one")
    inner.add_note("look here")
    group = ExceptionGroup("several", [inner, ExceptionGroup("nested", [TypeError("two")])])
    group.add_note("outer note")
    found = details(group)
    assert found.notes == ("outer note",)
    assert [(e.type_name, e.relation) for e in found.inner] == [
        ("ValueError", "member"),
        ("ExceptionGroup", "member"),
    ]
    assert found.inner[0].notes == ("look here",)
    assert found.inner[1].inner[0].message == "two"
    assert "look here" in found.stack_trace
    assert "  |   | TypeError: two" in found.stack_trace


def test_exceptions_that_refer_to_each_other():
    one, two = ValueError("one"), ValueError("two")
    one.__cause__ = two
    two.__cause__ = one
    found = details(one)
    assert [e.message for e in found.inner] == ["two"]
    assert found.inner[0].inner == ()
    assert found.stack_trace.count("ValueError: one") == 1


def test_a_very_long_chain_and_a_deep_stack():
    last = None
    for number in range(2000):
        error = ValueError(number)
        error.__cause__ = last
        last = error
    assert details(last).stack_trace.count("ValueError") == 50

    def deep():
        deep()

    found = details(caught(deep))
    assert "more frames" in found.stack_trace
    assert found.stack_trace.count("\n") < 500


def test_broken_exceptions():
    class Broken(Exception):
        __notes__ = property(lambda self: 1 / 0)
        __cause__ = property(lambda self: 1 / 0)
        args = property(lambda self: 1 / 0)

        def __str__(self):
            raise RuntimeError

        @property
        def __class__(self):
            raise RuntimeError

    found = details(Broken())
    assert found.message == "<its __str__ failed: RuntimeError>"
    odd = ValueError("x")
    odd.__notes__ = "not a list"
    assert details(odd).notes == ()
    assert details(ValueError("\ud800")).message == "\\ud800"
    assert len(details(ValueError("x" * 10**6)).message) < 11_000


def test_the_exception_of_a_stop_has_an_expression(at):
    error = ValueError("x")
    error.__cause__ = KeyError("y")
    place = at(exception=error)
    found = place.inspector.exception_info(error)
    assert found.evaluate_name == "__exception__"
    assert place.text(found.inner[0].evaluate_name) == "KeyError('y')"
