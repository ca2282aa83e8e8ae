"""Steps: over, in, out; generators, coroutines, callbacks, exceptions, recursion."""

from __future__ import annotations

from typing import Any

import pytest

from remora.engine import Rule, StepKind, StopReason

OVER, IN, OUT = StepKind.OVER, StepKind.IN, StepKind.OUT


def begin(debug: Any, source: str, at: str = "start") -> tuple[Any, Any]:
    program = debug.program(source)
    program.breakpoints(at)
    program.start()
    stop = debug.stop_at(at)
    program.breakpoints()
    return program, stop


def walk(debug: Any, stop: Any, *kinds: StepKind) -> list[str]:
    return [debug.step(stop, kind) for kind in kinds]


def end(debug: Any, program: Any) -> None:
    debug.engine.resume()
    program.finish()
    debug.no_more_stops()


def test_over_in_out(debug: Any) -> None:
    program, stop = begin(
        debug,
        """
        def g(n):
            a = n + 1  # @g1
            return a  # @g2

        def f():
            x = g(1)  # @start
            y = g(2)  # @second
            return x + y  # @return

        r = f()  # @call
        done = 1  # @done
    """,
    )
    assert walk(debug, stop, OVER, IN, OVER) == ["second", "g1", "g2"]
    debug.engine.step(stop.thread_id, OUT)
    left = debug.stopped()
    assert debug.at(left) == "second"
    assert left.reason is StopReason.STEP
    assert left.returned == ("g", 3)
    assert walk(debug, stop, OVER) == ["return"]
    debug.engine.step(stop.thread_id, OVER)
    left = debug.stopped()
    assert debug.at(left) == "call"
    assert left.returned == ("f", 5)
    assert walk(debug, stop, OVER) == ["done"]
    end(debug, program)


def test_step_in_the_next_call_of_the_same_line(debug: Any) -> None:
    program, stop = begin(
        debug,
        """
        def a():
            return 1  # @a

        def b(x):
            return x  # @b

        r = b(a()) + b(2)  # @start
        done = 1  # @done
    """,
    )
    assert walk(debug, stop, IN, OUT, IN, OUT, IN, OUT, OVER) == [
        "a", "start", "b", "start", "b", "start", "done"
    ]  # fmt: skip
    end(debug, program)


def test_step_over_stays_in_its_frame_when_the_code_is_entered_again(debug: Any) -> None:
    program, stop = begin(
        debug,
        """
        def fact(n):
            if n < 2:  # @start
                return 1  # @leaf
            sub = fact(n - 1)  # @sub
            total = n * sub  # @total
            return total  # @return

        r = fact(5)  # @call
    """,
    )
    assert walk(debug, stop, OVER, OVER, OVER, OVER) == ["sub", "total", "return", "call"]
    assert debug.evaluate(stop, "1") == 1
    end(debug, program)
    assert program["r"] == 120


def test_step_over_recursion_through_other_functions_many_times(debug: Any) -> None:
    program, stop = begin(
        debug,
        """
        def even(n):
            return True if n == 0 else odd(n - 1)

        def odd(n):
            return False if n == 0 else even(n - 1)

        def gen(n):
            for i in range(n):
                yield walk(i)

        def walk(n):
            if n:  # @start
                s = sum(gen(n))  # @sum
                s += 1  # @after
                return s  # @return
            return 0

        r = [walk(4), even(6)]
        done = 1
    """,
    )
    assert walk(debug, stop, OVER, OVER, OVER) == ["sum", "after", "return"]
    end(debug, program)


def test_step_over_yield_goes_to_the_consumer(debug: Any) -> None:
    program, stop = begin(
        debug,
        """
        def gen():
            x = 1  # @start
            yield x  # @yield
            x = 2  # @resumed
            yield x

        for value in gen():  # @for
            print_ = value  # @body
        done = 1
    """,
    )
    assert walk(debug, stop, OVER, OVER, OVER) == ["yield", "for", "body"]
    assert walk(debug, stop, OVER, IN) == ["for", "resumed"]
    end(debug, program)


def test_step_out_of_a_generator(debug: Any) -> None:
    program, stop = begin(
        debug,
        """
        def gen():
            yield 1  # @start
            yield 2

        r = list(gen())  # @list
        done = 1  # @done
    """,
    )
    assert walk(debug, stop, OUT) == ["list"]
    end(debug, program)


ASYNC = """
    import asyncio

    async def other():
        for i in range(20):
            n = i  # @other
            await asyncio.sleep(0)

    async def inner():
        a = 1  # @inner1
        await asyncio.sleep(0.001)  # @inner2
        return a  # @inner3

    async def main():
        task = asyncio.ensure_future(other())
        x = 1  # @start
        v = await inner()  # @await
        w = await inner()  # @await2
        await task  # @task
        return v  # @return

    asyncio.run(main())  # @run
    done = 1  # @done
"""


def test_step_over_await_stays_with_the_coroutine(debug: Any) -> None:
    program, stop = begin(debug, ASYNC)
    assert walk(debug, stop, OVER, OVER, OVER, OVER) == ["await", "await2", "task", "return"]
    end(debug, program)


def test_step_in_await_enters_the_awaited_coroutine(debug: Any) -> None:
    program, stop = begin(debug, ASYNC)
    assert walk(debug, stop, OVER, IN, OVER) == ["await", "inner1", "inner2"]
    assert walk(debug, stop, IN) == ["inner3"], "the sleep is library code; no other task is stepped into"
    assert walk(debug, stop, OVER, OVER) == ["await", "await2"]
    assert walk(debug, stop, IN, OUT) == ["inner1", "await2"]
    end(debug, program)


def test_step_off_the_end_of_the_main_coroutine(debug: Any) -> None:
    program, stop = begin(debug, ASYNC, "return")
    assert walk(debug, stop, OVER) == ["run"]
    assert walk(debug, stop, OVER) == ["done"]
    end(debug, program)


def test_async_generator_yield_goes_to_the_consumer(debug: Any) -> None:
    program, stop = begin(
        debug,
        """
        import asyncio

        async def agen():
            x = 1  # @start
            await asyncio.sleep(0)  # @sleep
            yield x  # @yield
            x = 2

        async def main():
            async for v in agen():  # @for
                y = v  # @body

        asyncio.run(main())
    """,
    )
    assert walk(debug, stop, OVER, OVER, OVER, OVER) == ["sleep", "yield", "for", "body"]
    end(debug, program)


CALLBACK = """
    import functools

    def key(x):
        return -x  # @key

    def combine(a, b):
        return a + b  # @combine

    xs = sorted([1, 2], key=key)  # @start
    n = functools.reduce(combine, [1, 2, 3])  # @reduce
    s = string.Template("$x").substitute(x=1)  # @template
    done = 1  # @done
"""


def test_step_in_stops_in_callbacks_called_from_c_and_skips_library_code(debug: Any) -> None:
    program, stop = begin(debug, "import string\n" + "\n".join(line[4:] for line in CALLBACK.splitlines()))
    assert walk(debug, stop, IN, IN, OVER) == ["key", "key", "start"]
    assert walk(debug, stop, OVER, IN, OUT) == ["reduce", "combine", "reduce"]
    assert walk(debug, stop, OVER, IN) == ["template", "done"]
    end(debug, program)


LIBRARY = """
    def call(f):
        r = f()  # @call
        return r  # @back

    def again(f):
        f()
        f()
        return 1
"""


def test_just_my_code_skips_a_library_in_between(debug: Any) -> None:
    library = debug.program(LIBRARY, "site-packages/lib.py")
    library.load()
    program = debug.program("""
        def callback():
            return 1  # @callback

        r = call(callback)  # @start
        again(callback)  # @again
        done = 1  # @done
    """)
    program.namespace.update(call=library["call"], again=library["again"])
    program.breakpoints("start")
    program.start()
    stop = debug.stop_at("start")
    program.breakpoints()
    assert walk(debug, stop, IN, OVER, OVER) == ["callback", "start", "again"]
    assert walk(debug, stop, IN) == ["callback"]
    assert walk(debug, stop, OVER) == ["callback"], "the library calls it again before it returns"
    assert walk(debug, stop, OUT) == ["again"]
    assert walk(debug, stop, OVER) == ["done"]
    end(debug, program)


def test_without_just_my_code_the_library_is_entered(debug: Any) -> None:
    library = debug.program(LIBRARY, "site-packages/lib.py")
    library.load()
    program = debug.program("r = call(int)  # @start\ndone = 1  # @done\n")
    program.namespace.update(call=library["call"])
    program.breakpoints("start")
    debug.user_code(just_my_code=False)
    program.start()
    stop = debug.stop_at("start")
    assert walk(debug, stop, IN, OVER, OVER, OVER) == ["call", "back", "start", "done"]
    end(debug, program)


@pytest.mark.parametrize(
    ("rule", "entered"),
    [
        (Rule(True, path="**/site-packages/lib.py"), True),
        (Rule(True, path="site-packages"), True),
        (Rule(False, path="nothing/**"), False),
    ],
)
def test_rules(debug: Any, rule: Rule, entered: bool) -> None:
    library = debug.program(LIBRARY, "site-packages/lib.py")
    library.load()
    program = debug.program("r = call(int)  # @start\ndone = 1  # @done\n")
    program.namespace.update(call=library["call"])
    program.breakpoints("start")
    debug.user_code(rules=[rule])
    program.start()
    stop = debug.stop_at("start")
    assert walk(debug, stop, IN) == (["call"] if entered else ["done"])
    end(debug, program)


EXCEPTIONS = """
    def thrower():
        raise ValueError(1)  # @raise

    def middle():
        thrower()  # @middle

    def catcher():
        try:
            x = 1  # @start
            middle()  # @call
        except ValueError:  # @except
            y = 2  # @handler
        return 3  # @return

    catcher()
    done = 1  # @done
"""


def test_step_over_a_call_that_raises_stops_at_the_handler(debug: Any) -> None:
    program, stop = begin(debug, EXCEPTIONS)
    assert walk(debug, stop, OVER, OVER, OVER, OVER) == ["call", "except", "handler", "return"]
    end(debug, program)


@pytest.mark.parametrize("kind", [OVER, IN, OUT])
def test_a_frame_that_is_unwound_ends_in_the_handler_of_a_caller(debug: Any, kind: StepKind) -> None:
    program, stop = begin(debug, EXCEPTIONS, "raise")
    assert walk(debug, stop, kind) == ["except"]
    end(debug, program)


def test_stepping_off_the_end_of_the_program_ends_it(debug: Any) -> None:
    program, stop = begin(debug, "x = 1  # @start\n")
    debug.engine.step(stop.thread_id, OVER)
    program.finish()
    debug.no_more_stops()


def test_a_breakpoint_in_a_callee_wins_over_the_step(debug: Any) -> None:
    program, stop = begin(
        debug,
        """
        def f():
            return 1  # @inside

        f()  # @start
        x = 2  # @next
        y = 3  # @third
    """,
    )
    program.breakpoints("inside", "third")
    debug.engine.step(stop.thread_id, OVER)
    hit = debug.stop_at("inside")
    assert hit.reason is StopReason.BREAKPOINT
    debug.engine.resume()
    assert debug.stop_at("third").reason is StopReason.BREAKPOINT, "the step was over with that stop"
    end(debug, program)


def test_step_onto_a_breakpoint_is_one_stop(debug: Any) -> None:
    program, stop = begin(debug, "a = 1  # @start\nb = 2  # @b\nc = 3  # @c\n")
    program.breakpoints("b")
    debug.engine.step(stop.thread_id, OVER)
    assert debug.stop_at("b").reason is StopReason.BREAKPOINT
    assert walk(debug, stop, OVER) == ["c"]
    end(debug, program)


def test_step_at_great_depth(debug: Any) -> None:
    import sys
    import time

    program = debug.program("""
        import sys
        sys.setrecursionlimit(20000)
        def deep(n):
            if n:
                return deep(n - 1)
            a = 1  # @start
            b = 2  # @b
            return a + b
        deep(5000)
    """)
    limit = sys.getrecursionlimit()
    try:
        program.breakpoints("start")
        program.start()
        stop = debug.stop_at("start")
        begun = time.perf_counter()
        assert debug.step(stop, OVER) == "b"
        entries, total = debug.engine.stack(stop.thread_id, 0, 20)
        took_s = time.perf_counter() - begun
        assert len(entries) == 20
        assert total > 5000
        assert took_s < 0.2
        end(debug, program)
    finally:
        sys.setrecursionlimit(limit)


def test_jump(debug: Any) -> None:
    program, stop = begin(
        debug,
        """
        def f():
            x = 1  # @start
            x = 2  # @two
            y = 3  # @three
            return x  # @four

        r = f()
    """,
    )
    walk(debug, stop, OVER)
    warnings = debug.engine.jump(stop.thread_id, program.line("four"))
    assert debug.at(stop) == "four"
    assert any("unbound" in text for text in warnings) or not warnings
    with pytest.raises(ValueError, match=r".+"):
        debug.engine.jump(stop.thread_id, 1000)
    end(debug, program)
    assert program["r"] == 1


def test_jump_at_the_first_stop_beside_a_with(debug: Any) -> None:
    """The jumps that only an exception takes make no tripwires of its breakpoints."""
    program, stop = begin(
        debug,
        """
        import contextlib
        def f():
            x = 1  # @start
            with contextlib.nullcontext():
                x = 2
            return x  # @return

        r = f()
    """,
    )
    debug.engine.jump(stop.thread_id, program.line("return"))
    assert debug.at(stop) == "return"
    end(debug, program)
    assert program["r"] is None


def test_jump_then_step_and_breakpoint_at_the_target(debug: Any) -> None:
    program, stop = begin(
        debug,
        """
        x = 1  # @start
        x = 2  # @two
        x = 3  # @three
        x = 4  # @four
    """,
    )
    program.breakpoints("three")
    debug.engine.jump(stop.thread_id, program.line("three"))
    assert debug.at(stop) == "three"
    assert walk(debug, stop, OVER) == ["four"]
    end(debug, program)
    assert program["x"] == 4


def test_step_in_a_one_line_loop_and_same_line_twice(debug: Any) -> None:
    program, stop = begin(
        debug,
        """
        for i in range(2):  # @start
            x = i  # @body
        done = 1  # @done
    """,
    )
    assert walk(debug, stop, OVER, OVER, OVER, OVER, OVER) == ["body", "start", "body", "start", "done"]
    end(debug, program)


def test_step_leaves_nothing_armed(debug: Any) -> None:
    import sys

    program, stop = begin(
        debug,
        """
        def f():
            x = 1  # @start
            return x  # @return
        f()  # @call
        done = 1  # @done
    """,
    )
    assert walk(debug, stop, OVER, OVER, OVER) == ["return", "call", "done"]
    code = program["f"].__code__
    follower = debug.engine._follower_tool
    assert sys.monitoring.get_local_events(follower.id, code) == 0
    assert sys.monitoring.get_events(follower.id) == 0
    end(debug, program)


TAIL = """
    def g(n):
        return n  # @g

    def f(n):
        return g(n)  # @f

    def h():
        return f(1)  # @h

    def numbers():
        yield g(1)  # @yield

    def delegate():
        yield from numbers()  # @delegate

    x = h()  # @start
    for y in delegate():  # @for
        z = y  # @body
    done = 1  # @done
"""


def test_a_call_that_is_all_a_return_or_yield_has_comes_back_to_each_caller(debug: Any) -> None:
    program, stop = begin(debug, TAIL)
    assert walk(debug, stop, IN, IN, IN, OVER, OVER, OVER, OVER) == [
        "h", "f", "g", "f", "h", "start", "for"
    ]  # fmt: skip
    assert walk(debug, stop, IN, IN, IN, OUT, OVER, OVER, OVER, OVER) == [
        "delegate", "yield", "g", "yield", "delegate", "for", "body", "for"
    ]  # fmt: skip
    assert walk(debug, stop, OVER) == ["done"]
    end(debug, program)


def test_step_in_enters_a_generator_by_throw_and_close(debug: Any) -> None:
    program, stop = begin(
        debug,
        """
        def numbers():
            try:
                yield 1
            except KeyError:  # @except
                x = 1  # @handler
            finally:
                y = 2  # @finally
            yield 2

        a = numbers()
        b = numbers()
        next(a), next(b)
        a.throw(KeyError)  # @start
        b.close()  # @close
        done = 1  # @done
    """,
    )
    assert walk(debug, stop, IN, OVER, OUT, OVER) == ["except", "handler", "start", "close"]
    assert walk(debug, stop, IN) == ["except"]
    assert walk(debug, stop, OVER, OVER) == ["finally", "done"]
    end(debug, program)


def test_a_step_never_ends_on_an_instruction_without_a_line(debug: Any) -> None:
    program, stop = begin(
        debug,
        """
        def numbers():
            try:
                yield 1
            except KeyError:
                x = 1  # @handler

        a = numbers()
        next(a)
        try:
            a.throw(KeyError)
        except StopIteration:  # @except
            y = 1  # @end
        done = 1
    """,
        "handler",
    )
    assert walk(debug, stop, OVER, OVER) == ["except", "end"]
    end(debug, program)


def test_step_in_enters_what_every_round_of_a_generator_expression_calls(debug: Any) -> None:
    program, stop = begin(
        debug,
        """
        def f(x):
            return x  # @f

        r = sum(f(x) for x in range(2))  # @start
        done = 1  # @done
    """,
    )
    places = ["start", "f", "start", "f", "start", "start", "done"]
    assert walk(debug, stop, *[IN] * len(places)) == places
    end(debug, program)
