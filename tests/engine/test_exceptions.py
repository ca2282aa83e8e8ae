"""Exception filters: one stop per exception and filter, post mortem where nothing is left to run."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest

from remora.engine import ExceptionFilter, StopReason


def filters(debug: Any, *names: str | tuple[str, str]) -> None:
    debug.engine.set_exception_filters(
        [ExceptionFilter(n) if isinstance(n, str) else ExceptionFilter(*n) for n in names]
    )


def functions(debug: Any, stop: Any) -> list[str]:
    return [entry.frame.f_code.co_name for entry in debug.engine.stack(stop.thread_id)[0]]


CROSSING = """
    def inner():
        raise ValueError("bad")  # @raise

    def middle():
        inner()  # @middle

    def outer():
        try:
            middle()
        except ValueError as e:
            try:
                raise e  # @again
            except ValueError:
                pass
        return 1

    outer()
"""


def test_raised_stops_once_per_exception(debug: Any) -> None:
    program = debug.program(CROSSING)
    filters(debug, "raised")
    program.start()
    stop = debug.stop_at("raise")
    assert stop.reason is StopReason.EXCEPTION
    assert stop.filter == "raised"
    assert stop.text == "ValueError: bad"
    assert isinstance(stop.exception, ValueError)
    assert not stop.post_mortem
    debug.engine.resume()
    program.finish()
    debug.no_more_stops()


def test_raised_in_c_and_from_library_code(debug: Any) -> None:
    library = debug.program("def parse(x):\n    return int(x)\n", "site-packages/lib.py")
    library.load()
    program = debug.program("""
        def f():
            try:
                parse("x")  # @call
            except ValueError:
                pass
            try:
                int("y")  # @c
            except ValueError:
                pass
        f()
    """)
    program.namespace["parse"] = library["parse"]
    filters(debug, "raised")
    program.start()
    debug.stop_at("call")
    debug.engine.resume()
    debug.stop_at("c")
    debug.engine.resume()
    program.finish()
    debug.no_more_stops()


def test_raised_handled_within_library_code_is_not_mine(debug: Any) -> None:
    library = debug.program(
        "def quiet():\n    try:\n        raise KeyError(1)\n    except KeyError:\n        return 1\n",
        "site-packages/lib.py",
    )
    library.load()
    program = debug.program("quiet()\n")
    program.namespace["quiet"] = library["quiet"]
    filters(debug, "raised")
    program.start()
    program.finish()
    debug.no_more_stops()
    debug.user_code(just_my_code=False)
    program.start()
    assert functions(debug, debug.stopped())[0] == "quiet"
    debug.engine.resume()
    program.finish()


def test_exceptions_the_language_uses_do_not_stop(debug: Any) -> None:
    program = debug.program("""
        import sys
        def gen():
            yield 1
        class It:
            def __iter__(self): return self
            def __next__(self): raise StopIteration
        list(gen()); list(It())
        g = gen(); next(g); g.close()
        next(gen())
        try:
            sys.exit(0)
        except SystemExit:
            pass
        for x in gen(): pass
    """)
    filters(debug, "raised", "userUnhandled", "uncaught")
    program.start()
    program.finish()
    debug.no_more_stops()


def test_condition_sees_exc_and_locals(debug: Any) -> None:
    program = debug.program("""
        def f(n):
            try:
                raise ValueError(n)  # @raise
            except ValueError:
                pass
        for i in range(4): f(i)
    """)
    filters(debug, ("raised", "isinstance(exc, ValueError) and exc.args == (2,) and n == 2"))
    program.start()
    assert debug.stopped().exception.args == (2,)
    debug.engine.resume()
    program.finish()
    debug.no_more_stops()


@pytest.mark.parametrize("wrong", [("raised", "exc ="), ("nothing", ""), ("raised", "1 2")])
def test_wrong_filters_are_refused(debug: Any, wrong: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match=wrong[0]):
        filters(debug, wrong)


def test_user_unhandled_stops_where_it_leaves_user_code(debug: Any) -> None:
    library = debug.program(
        """
        def call(f):
            return f()
        def safe(f):
            try:
                return call(f)
            except ValueError:
                return None
        """,
        "site-packages/lib.py",
    )
    library.load()
    program = debug.program("""
        def deep():
            raise ValueError(1)  # @raise
        def callback():
            deep()  # @leaves
        def handled():
            try:
                deep()
            except ValueError:
                pass
        handled()
        sorted([1], key=lambda x: x)
        safe(callback)
        done = 1
    """)
    program.namespace["safe"] = library["safe"]
    filters(debug, "userUnhandled")
    program.start()
    stop = debug.stop_at("leaves")
    assert stop.filter == "userUnhandled"
    debug.engine.resume()
    program.finish()
    debug.no_more_stops()
    assert program["done"] == 1


def test_uncaught_in_a_thread(debug: Any, monkeypatch: Any) -> None:
    told = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    program = debug.program("""
        import threading
        def bad(n):
            local = n
            return 1 / 0  # @dies
        def work():
            bad(5)  # @work
        t = threading.Thread(target=work)
        t.start(); t.join()
    """)
    filters(debug, "uncaught")
    program.start()
    stop = debug.stop_at("dies")
    assert stop.post_mortem
    assert stop.filter == "uncaught"
    assert functions(debug, stop)[:2] == ["bad", "work"]
    assert debug.engine.stack(stop.thread_id)[0][1].line == program.line("work")
    assert debug.evaluate(stop, "local + n") == 10
    debug.engine.resume()
    program.finish()
    debug.no_more_stops()
    assert len(told) == 1, "the program's own hook was called"


@pytest.mark.parametrize("early", [True, False])
def test_uncaught_in_an_event_loop(debug: Any, early: bool) -> None:
    program = debug.program("""
        import asyncio
        def bad():
            raise RuntimeError("in a callback")  # @dies
        async def main():
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda loop, context: handled.append(context))
            loop.call_soon(bad)
            await asyncio.sleep(0.01)
        handled = []
        asyncio.run(main())
    """)
    if not early:
        import asyncio  # noqa: F401
    filters(debug, "uncaught")
    program.start()
    stop = debug.stop_at("dies")
    assert stop.post_mortem
    debug.engine.resume()
    program.finish()
    assert len(program["handled"]) == 1
    debug.no_more_stops()


def test_uncaught_through_excepthook_chains_and_restores(debug: Any, monkeypatch: Any) -> None:
    seen = []
    monkeypatch.setattr(sys, "excepthook", lambda *args: seen.append(args))
    before = sys.excepthook
    program = debug.program("""
        import sys
        def f():
            raise ValueError("end")  # @dies
        try:
            f()
        except ValueError:
            sys.excepthook(*sys.exc_info())
        done = 1
    """)
    filters(debug, "uncaught")
    assert sys.excepthook is not before
    program.start()
    stop = debug.stop_at("dies")
    assert stop.post_mortem
    debug.engine.resume()
    program.finish()
    assert len(seen) == 1
    filters(debug)
    assert sys.excepthook is before


def test_uncaught_told_by_the_runner_and_the_hook_is_one_stop(debug: Any) -> None:
    program = debug.program("""
        def f():
            raise ValueError("end")  # @dies
        try:
            f()
        except ValueError as e:
            engine.uncaught(e)
            engine.uncaught(e)
        for quiet in (SystemExit(0), SystemExit(None), KeyboardInterrupt()):
            try:
                raise quiet
            except BaseException as e:
                engine.uncaught(e)
        try:
            raise SystemExit(2)  # @exit
        except SystemExit as e:
            engine.uncaught(e)
    """)
    program.namespace["engine"] = debug.engine
    filters(debug, "uncaught")
    program.start()
    debug.stop_at("dies")
    debug.engine.resume()
    debug.stop_at("exit")
    debug.engine.resume()
    program.finish()
    debug.no_more_stops()


def test_uncaught_needs_no_raise_event(debug: Any) -> None:
    filters(debug, "uncaught")
    events = sys.monitoring.get_events(debug.engine._finder_tool.id)
    assert not events & (sys.monitoring.events.RAISE | sys.monitoring.events.PY_UNWIND)
    filters(debug, "userUnhandled")
    events = sys.monitoring.get_events(debug.engine._finder_tool.id)
    assert events & sys.monitoring.events.PY_UNWIND
    assert not events & sys.monitoring.events.RAISE


def test_exception_with_a_broken_text(debug: Any) -> None:
    program = debug.program("""
        class Bad(Exception):
            def __str__(self): raise RuntimeError
        try:
            raise Bad  # @raise
        except Bad:
            pass
    """)
    filters(debug, "raised")
    program.start()
    assert "Bad" in debug.stop_at("raise").text
    debug.engine.resume()
    program.finish()


def test_cancelled_tasks_are_not_unhandled(debug: Any) -> None:
    program = debug.program("""
        import asyncio
        async def sleeper():
            await asyncio.sleep(10)
        async def main():
            task = asyncio.ensure_future(sleeper())
            await asyncio.sleep(0)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                pass
        asyncio.run(main())
    """)
    filters(debug, "userUnhandled")
    program.start()
    program.finish()
    debug.no_more_stops()


def test_a_hook_chained_by_the_program_is_called_once_when_the_filter_comes_back(
    debug: Any, monkeypatch: Any
) -> None:
    told: list[str] = []
    monkeypatch.setattr(sys, "excepthook", lambda *args: told.append("original"))
    filters(debug, "uncaught")
    ours = sys.excepthook

    def chained(*args: Any) -> None:
        told.append("program")
        ours(*args)

    monkeypatch.setattr(sys, "excepthook", chained)
    filters(debug)
    filters(debug, "uncaught")
    sys.excepthook(ValueError, ValueError("end"), None)
    assert told == ["program", "original"]
    filters(debug)
    assert sys.excepthook is chained


def test_what_is_quiet_while_others_stand_does_not_close_the_door(debug: Any) -> None:
    program = debug.program("""
        x = 1  # @here
        try:
            raise ValueError("end")  # @dies
        except ValueError as e:
            engine.uncaught(e)
    """)
    program.namespace["engine"] = debug.engine
    program.breakpoints("here")
    filters(debug, "uncaught")
    program.start()
    debug.stop_at("here")
    debug.engine.uncaught(SystemExit(0))  # of another thread, while this one stands
    debug.engine.resume()
    debug.stop_at("dies")
    debug.engine.resume()
    program.finish()
