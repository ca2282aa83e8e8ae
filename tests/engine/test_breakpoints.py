"""Line breakpoints: where they bind, when they stop, what they cost the program's behaviour (nothing)."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from remora.engine import BreakpointState, StepKind, StopReason


def test_stops_at_the_line_and_goes_on(debug: Any) -> None:
    program = debug.program("""
        def f(x):
            y = x + 1  # @inside
            return y

        result = f(1)
    """)
    [point] = program.breakpoints("inside")
    assert point.state is BreakpointState.VERIFIED
    program.start()
    stop = debug.stop_at("inside")
    assert stop.reason is StopReason.BREAKPOINT
    assert stop.breakpoint_ids == (point.id,)
    assert debug.evaluate(stop, "x") == 1
    debug.engine.resume()
    program.finish()
    assert program["result"] == 2
    assert point.hits == 1


def test_loop_body_stops_each_time(debug: Any) -> None:
    program = debug.program("""
        total = 0
        for i in range(3):
            total += i  # @body
    """)
    program.breakpoints("body")
    program.start()
    for i in range(3):
        stop = debug.stop_at("body")
        assert debug.evaluate(stop, "i") == i
        debug.engine.resume()
    program.finish()


def test_breakpoint_in_code_that_was_already_imported(debug: Any) -> None:
    program = debug.program("""
        class C:
            def m(self):
                return [x for x in (1,)]  # @method

        def outer():
            def inner():
                return 1  # @inner
            return inner
    """)
    program.load()
    inner = program["outer"]()
    program.namespace["inner"] = inner
    program.breakpoints("method", "inner")
    program.start("C().m(); inner()")
    debug.stop_at("method")
    debug.engine.resume()
    debug.stop_at("inner")
    debug.engine.resume()
    program.finish()


def test_breakpoint_takes_effect_in_a_running_frame(debug: Any) -> None:
    program = debug.program("""
        def work():
            while not done:
                n = 1
                n += 1  # @late
        done = False
        started.set()
        work()
    """)
    program.namespace["started"] = threading.Event()
    program.start()
    assert program["started"].wait(10)
    program.breakpoints("late")
    debug.stop_at("late")
    program.namespace["done"] = True
    program.breakpoints()
    debug.engine.resume()
    program.finish()


def test_breakpoint_takes_effect_in_suspended_generator_and_coroutine(debug: Any) -> None:
    program = debug.program("""
        def gen():
            yield 1
            x = 2  # @gen
            yield x

        class Wait:
            def __await__(self):
                yield

        async def co():
            await Wait()
            y = 3  # @co
            return y

        g = gen()
        next(g)
        c = co()
        c.send(None)
    """)
    program.load()
    program.breakpoints("gen", "co")
    program.start("next(g)\ntry: c.send(None)\nexcept StopIteration: pass")
    debug.stop_at("gen")
    debug.engine.resume()
    debug.stop_at("co")
    debug.engine.resume()
    program.finish()


def test_removed_and_set_again(debug: Any) -> None:
    program = debug.program("""
        def f():
            a = 1  # @a
            b = 2  # @b
            return a + b
    """)
    program.load()
    [a] = program.breakpoints("a")
    program.start("f()")
    debug.stop_at("a")
    a_again, b = program.breakpoints("a", "b")
    assert a_again.id == a.id
    debug.engine.resume()
    debug.stop_at("b")
    [b_again] = program.breakpoints("b")
    assert b_again is b
    debug.engine.resume()
    program.finish()
    program.start("f()")
    debug.stop_at("b")
    program.breakpoints()
    debug.engine.resume()
    program.finish()
    program.start("f()")
    program.finish()
    debug.no_more_stops()


def test_identical_functions_in_two_files_are_kept_apart(debug: Any) -> None:
    source = """
        def f():
            return 1  # @here
    """
    one, two = debug.program(source, "one.py"), debug.program(source, "two.py")
    one.load()
    two.load()
    assert one["f"].__code__ == one["f"].__code__.replace()
    [point] = one.breakpoints("here")
    [other] = two.breakpoints("here")
    one.start("f()")
    assert debug.stopped().breakpoint_ids == (point.id,)
    debug.engine.resume()
    one.finish()
    two.start("f()")
    assert debug.stopped().breakpoint_ids == (other.id,)
    two.breakpoints()
    debug.engine.resume()
    two.finish()
    two.start("f()")
    two.finish()
    debug.no_more_stops()


def test_two_equal_code_objects_of_one_file(debug: Any) -> None:
    program = debug.program("""
        def make():
            exec(compile("def f():\\n    return 1\\n", path, "exec"), globals())
            return f
    """)
    path = str(debug.folder / "generated.py")
    program.namespace["path"] = path
    program.load()
    (debug.folder / "generated.py").write_text("def f():\n    return 1\n")
    from remora.engine import Wish

    debug.engine.set_breakpoints(path, [Wish(2)])
    program.start("make()(); make()()")
    for _ in range(2):
        debug.stopped()
        debug.engine.resume()
    program.finish()
    debug.no_more_stops()


@pytest.mark.parametrize("name", ["io.py", "queue.py", "socket.py", "weakref.py", "threading.py", "abc.py"])
def test_user_files_named_like_standard_modules(debug: Any, name: str) -> None:
    program = debug.program("def f():\n    return 1  # @here\nf()\n", name)
    [point] = program.breakpoints("here")
    assert point.state is BreakpointState.VERIFIED
    program.start()
    debug.stop_at("here")
    debug.engine.resume()
    program.finish()


def test_path_through_symlink_and_relative_name(debug: Any, monkeypatch: Any) -> None:
    program = debug.program("x = 1  # @here\n", "real/mod.py")
    (debug.folder / "link").symlink_to(debug.folder / "real")
    from remora.engine import Wish

    debug.engine.set_breakpoints(str(debug.folder / "link" / "mod.py"), [Wish(1)])
    program.start()
    debug.stop_at("here")
    debug.engine.resume()
    program.finish()


def test_multi_line_call_stops_once(debug: Any) -> None:
    program = debug.program("""
        def f(*args):
            return args

        r = f(  # @call
            1 + len("x"),
            f(
                2,
            ),
        )
        done = 1
    """)
    program.breakpoints("call")
    program.start()
    debug.stop_at("call")
    debug.engine.resume()
    program.finish()
    debug.no_more_stops()


def test_for_and_while_headers_stop_each_round(debug: Any) -> None:
    program = debug.program("""
        for i in (1, 2):  # @for
            x = i
        while i < 4:  # @while
            i += 1
    """)
    program.breakpoints("for", "while")
    program.start()
    seen = []
    for _ in range(6):
        seen.append(debug.at(debug.stopped()))
        debug.engine.resume()
    program.finish()
    debug.no_more_stops()
    assert seen == ["for"] * 3 + ["while"] * 3


def test_lambda_binds_outer_and_inner(debug: Any) -> None:
    program = debug.program("""
        f = lambda: 1  # @lambda
        x = 2
        f()
    """)
    program.breakpoints("lambda")
    program.start()
    first = debug.stop_at("lambda")
    assert debug.engine.stack(first.thread_id)[0][0].frame.f_code.co_name == "<module>"
    debug.engine.resume()
    second = debug.stop_at("lambda")
    assert debug.engine.stack(second.thread_id)[0][0].frame.f_code.co_name == "<lambda>"
    debug.engine.resume()
    program.finish()
    debug.no_more_stops()


def test_class_line_stops_once(debug: Any) -> None:
    program = debug.program("""
        class C:  # @class
            x = 1
            def m(self): pass
        class D[T]:  # @generic
            def m(self): pass
    """)
    program.breakpoints("class", "generic")
    program.start()
    debug.stop_at("class")
    debug.engine.resume()
    debug.stop_at("generic")
    debug.engine.resume()
    program.finish()
    debug.no_more_stops()


def test_def_line_with_decorators(debug: Any) -> None:
    program = debug.program("""
        def deco(f):
            return f

        @deco
        @deco
        def f():  # @def
            return 1

        f()
    """)
    [point] = program.breakpoints("def")
    program.start()
    stop = debug.stopped()
    assert debug.engine.stack(stop.thread_id)[0][0].frame.f_code.co_name == "<module>"
    assert point.line == program.line("def")
    debug.engine.resume()
    program.finish()


def test_two_breakpoints_on_one_line_make_one_stop(debug: Any) -> None:
    program = debug.program("x = 1  # @here\n")
    one, two = program.breakpoints("here", ("here", {"condition": "True"}))
    program.start()
    assert debug.stopped().breakpoint_ids == (one.id, two.id)
    debug.engine.resume()
    program.finish()
    debug.no_more_stops()


def test_breakpoint_in_finalizer(debug: Any) -> None:
    program = debug.program("""
        class C:
            def __del__(self):
                log.append(1)  # @del
        log = []
        c = C()
        del c
    """)
    program.breakpoints("del")
    program.start()
    debug.stop_at("del")
    debug.engine.resume()
    program.finish()
    assert program["log"] == [1]


def test_own_threads_never_stop(debug: Any) -> None:
    program = debug.program("x = 1  # @here\n")
    program.breakpoints("here")
    program.load()
    debug.no_more_stops()


def test_detach_lets_a_stopped_program_go_and_attach_works_again(debug: Any) -> None:
    program = debug.program("def f():\n    return 1  # @here\nf()\n")
    program.breakpoints("here")
    program.start()
    debug.stop_at("here")
    debug.engine.detach()
    program.finish()
    program.start("f()")
    program.finish()
    debug.engine.attach()
    program.breakpoints("here")
    program.start("f()")
    debug.stop_at("here")
    debug.engine.resume()
    program.finish()


def test_breakpoints_set_before_attach(debug: Any) -> None:
    debug.engine.detach()
    program = debug.program("x = 1  # @here\n")
    [point] = program.breakpoints("here")
    debug.engine.attach()
    program.start()
    assert debug.stopped().breakpoint_ids == (point.id,)
    debug.engine.resume()
    program.finish()


ONE_LINE = """
    def fib(n):
        if n < 0:
            return 0  # @cold
        return n if n < 2 else fib(n - 1) + fib(n - 2)  # @hot
"""


def test_a_tripwire_stops_at_the_first_visit_and_at_every_other(debug: Any) -> None:
    """Code with branches inside a line waits for its first visit with INSTRUCTION events."""
    program = debug.program(ONE_LINE)
    program.load()
    program.breakpoints("cold")
    program.start("fib(5)")
    program.finish()
    debug.no_more_stops()
    program.start("fib(-1); fib(-2)")
    for expected in (-1, -2):
        stop = debug.stop_at("cold")
        assert debug.evaluate(stop, "n") == expected
        debug.engine.resume()
    program.finish()
    debug.no_more_stops()


def test_a_tripwire_survives_steps_elsewhere(debug: Any) -> None:
    """A step in gives PY_START a second tool, at which CPython loses INSTRUCTION events."""
    program = debug.program(
        ONE_LINE
        + """
    def other():
        a = 1  # @other
        b = fib(3)  # @call
        return b
    """
    )
    program.load()
    program.breakpoints("cold", "other")
    program.start("other(); fib(-1)")
    stop = debug.stop_at("other")
    assert debug.step(stop, StepKind.OVER) == "call"
    assert debug.step(stop, StepKind.IN) != "call"
    debug.engine.resume()
    debug.stop_at("cold")
    debug.engine.resume()
    program.finish()


def test_tripwire_with_condition_and_hits(debug: Any) -> None:
    program = debug.program(ONE_LINE)
    program.load()
    [point] = program.breakpoints(("hot", {"condition": "n == 4", "hit_condition": "% 1"}))
    program.start("fib(5)")
    assert debug.evaluate(debug.stop_at("hot"), "n") == 4
    debug.engine.resume()
    program.finish()
    debug.no_more_stops()
    assert point.hits == 1


def test_setting_again_while_a_tripwire_waits(debug: Any) -> None:
    program = debug.program(ONE_LINE)
    program.load()
    program.breakpoints("cold")
    program.start("fib(3)")
    program.finish()
    program.breakpoints("cold", "hot")
    program.start("fib(1)")
    debug.stop_at("hot")
    program.breakpoints("cold")
    debug.engine.resume()
    program.finish()
    program.start("fib(3); fib(-1)")
    debug.stop_at("cold")
    debug.engine.resume()
    program.finish()
    debug.no_more_stops()


def test_code_made_under_ever_new_names_does_not_fill_the_tables(debug: Any) -> None:
    from remora.engine import arming

    program = debug.program("""
        for i in range(n):
            exec(compile("x = 1", f"<generated {i}>", "exec"), {})
    """)
    program.namespace["n"] = arming.MAX_NAMES + 50
    program.breakpoints(1)
    program.start()
    debug.stopped()
    program.breakpoints()
    debug.engine.resume()
    program.finish()
    assert len(debug.engine._armoury._by_name) < arming.MAX_NAMES


def test_a_body_on_the_line_of_its_def_stops_at_every_call(debug: Any) -> None:
    program = debug.program("""
        def double(x): return 2 * x  # @def
        class Pair:
            def __init__(self, a): self.a = a  # @init
        f = lambda: Pair(1)  # @lambda
        def numbers(): yield 1  # @generator
        def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)  # @fib
        r = [double(1), double(2), f(), f(), *numbers(), *numbers()]  # @calls
        n = fib(3)
    """)
    program.load()  # as it is when everything has run often
    program.breakpoints("def", "init", "lambda", "generator", "fib")
    program.start("r = [double(1), double(2), f(), f(), *numbers(), *numbers()]; n = fib(3)")
    seen = []
    for _ in range(13):
        stop = debug.stopped()
        seen.append(debug.at(stop))
        debug.engine.resume()
    program.finish()
    debug.no_more_stops()
    assert seen == ["def"] * 2 + ["lambda", "init"] * 2 + ["generator"] * 2 + ["fib"] * 5


def test_a_body_on_the_line_of_its_def_in_library_code_still_stops_after_a_step(debug: Any) -> None:
    library = debug.program("def double(x): return 2 * x  # @def\n", "site-packages/lib.py")
    library.load()
    library.breakpoints("def")
    program = debug.program("""
        a = len("")  # @start
        b = double(2)  # @call
        c = double(3)  # @again
    """)
    program.namespace["double"] = library["double"]
    program.breakpoints("start")
    program.start()
    stop = debug.stop_at("start")
    assert debug.step(stop, StepKind.IN) == "call"
    assert [debug.step(stop, StepKind.IN) for _ in range(4)] == ["def", "call", "again", "def"]
    debug.engine.resume()
    program.finish()
    debug.no_more_stops()


def test_code_with_a_breakpoint_on_its_first_line_is_not_kept_alive(debug: Any) -> None:
    import gc
    import sys
    import weakref

    program = debug.program("f = lambda: 1  # @lambda\n")
    program.load()
    program.breakpoints("lambda")

    def run_made() -> tuple[weakref.ref[Any], int]:
        made = program["f"].__code__.replace(co_name="made")
        eval(made)
        assert debug.engine._events.is_kept(made) is (sys.version_info >= (3, 13))
        return weakref.ref(made), id(made)

    code, key = run_made()
    gc.collect()
    assert code() is None
    assert key not in debug.engine._events._kept


def test_the_element_of_a_comprehension_and_the_end_of_a_with_block_are_visits(debug: Any) -> None:
    program = debug.program("""
        from contextlib import nullcontext

        def f():
            found = [
                str(i)  # @element
                for i in range(3)
            ]
            more = {i: i  # @also
                    for i in (2, 3)
                    if i}
            with nullcontext():  # @with
                return found, more

        f()
    """)
    program.breakpoints("element", "also", "with")
    program.start()
    seen = []
    while "with" not in seen:
        seen.append(debug.at(debug.stopped()))
        debug.engine.resume()
    assert seen.count("element") == 3
    assert seen.count("also") >= 3, "where it begins, and at each element (3.13: at the store, too)"
    debug.stop_at("with")  # __exit__ is called there
    debug.engine.resume()
    program.finish()
    debug.no_more_stops()


def test_each_branch_of_a_return_over_lines_is_a_visit_of_its_first_line(debug: Any) -> None:
    program = debug.program("""
        def choose(c, x, y):
            return (x  # @return
                    if c
                    else y)

        def constant(c, y):
            return ("one"  # @constant
                    if c
                    else y)

        def call(a, b):
            return max(a,  # @call
                       b)

        choose(1, 2, 3), choose(0, 2, 3), constant(1, 2), constant(0, 2), call(1, 2)
    """)
    program.breakpoints("return", "constant", "call")
    program.start()
    seen = []
    while "call" not in seen:
        seen.append(debug.at(debug.stopped()))
        debug.engine.resume()
    program.finish()
    debug.no_more_stops()
    assert seen == ["return"] * 2 + ["constant"] * 2 + ["call"]


def test_the_lines_of_a_generator_expression_are_not_the_head_of_a_definition(debug: Any) -> None:
    program = debug.program("""
        def f():
            return sum(
                sum(x * y  # @element
                    for y in range(1))
                for x in range(3)
            )

        f()
    """)
    program.breakpoints("element")
    program.start()
    seen = []
    while seen.count(2) < 3:
        stop = debug.stop_at("element")
        frame = debug.engine.stack(stop.thread_id)[0][0].frame
        seen.append(frame.f_code.co_qualname.count("genexpr"))
        if seen.count(2) == 3:
            program.breakpoints()
        debug.engine.resume()
    program.finish()
    debug.no_more_stops()
    assert seen.count(1) >= 2, "in the outer one, too, as often as it goes round"
