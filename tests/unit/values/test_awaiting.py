"""`await` at a stop: in the running loop, from inside one of its callbacks, without hurting it."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys

import pytest

from remora.engine import Interrupted
from remora.values import EvaluationFailed

variable = contextvars.ContextVar("variable", default="unset")


async def double(value):
    await asyncio.sleep(0)
    return value * 2


def test_await_without_a_loop(at):
    base = 4
    assert at().text("await double(base)", "repl") == "8"
    assert asyncio.events._get_running_loop() is None
    assert base == 4


def test_await_in_a_program_without_asyncio():
    source = """
import sys
from remora.values import EvaluationFailed, Inspector

class Yielding:
    def __await__(self):
        yield

async def plain():
    return 5

assert Inspector().evaluate("await plain()", None, "repl").text == "5"
try:
    Inspector().evaluate("await Yielding()", None, "repl")
except EvaluationFailed as error:
    assert "no event loop is running" in error.message
else:
    raise AssertionError
assert "asyncio" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", source], check=True, timeout=30)


def test_await_in_a_module_without_a_loop(at):
    place = at()
    assert (
        place.inspector.evaluate(
            "import asyncio\nremora_test = await asyncio.sleep(0, 'done')\nremora_test", None, "repl"
        ).text
        == "'done'"
    )
    assert place.inspector.evaluate("remora_test", None, "watch").text == "'done'"
    place.inspector.evaluate("del remora_test", None, "repl")


def test_await_in_a_running_task(at):
    async def main():
        value = 1
        task = asyncio.current_task()
        assert at().text("await double(value + 20)", "repl") == "42"
        assert asyncio.current_task() is task
        await asyncio.sleep(0)
        at().value("value = await double(value)", "repl")
        assert value == 2
        assert at().text("[await double(i) for i in range(3)]", "repl") == "[0, 2, 4]"
        return value

    assert asyncio.run(main()) == 2


def test_the_loop_survives_whatever_was_ready(at):
    done = []

    async def worker(number):
        for _ in range(3):
            await asyncio.sleep(0)
        done.append(number)
        return number

    async def main():
        workers = [asyncio.create_task(worker(n)) for n in range(50)]
        await asyncio.sleep(0)
        # Fifty handles are ready that the loop has counted on; this takes them from under it.
        assert at().text("await double(1)", "repl") == "2"
        assert at().text("await asyncio.sleep(0.01, 'slept')", "repl") == "'slept'"
        assert len(await asyncio.gather(*workers)) == 50
        return "end"

    assert asyncio.run(main()) == "end"
    assert sorted(done) == list(range(50))


def test_await_from_a_plain_callback_of_the_loop(at):
    async def main():
        loop = asyncio.get_running_loop()
        found = loop.create_future()
        loop.call_soon(lambda: found.set_result(at().text("await double(5)", "repl")))
        return await found

    assert asyncio.run(main()) == "10"


def test_the_context_of_the_task_is_seen(at):
    async def read():
        return variable.get()

    async def main():
        variable.set("mine")
        return at().text("await read()", "repl"), read

    assert asyncio.run(main())[0] == "'mine'"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("await broken()", "ValueError: inside"),
        ("await leave()", "SystemExit: 5"),
        ("await 5", "TypeError: "),
    ],
)
def test_errors_of_what_was_awaited(at, source, message):
    async def broken():
        await asyncio.sleep(0)
        raise ValueError("inside")

    async def leave():
        await asyncio.sleep(0)
        raise SystemExit(5)

    async def main():
        with pytest.raises(EvaluationFailed) as caught:
            at().value(source, "repl")
        assert caught.value.message.startswith(message)
        await asyncio.sleep(0)
        return broken, leave, "went on"

    assert asyncio.run(main())[2] == "went on"


def test_another_task_that_leaves_still_leaves(at):
    async def leaving():
        raise SystemExit(7)

    async def main():
        task = asyncio.create_task(leaving())
        assert at().text("await asyncio.sleep(0.01, 'slept')", "repl") == "'slept'"
        await asyncio.sleep(10)
        return task

    with pytest.raises(SystemExit, match="7"):
        asyncio.run(main())


def test_an_interruption_leaves_no_task_behind(at):
    async def stop():
        await asyncio.sleep(0)
        raise Interrupted

    async def main():
        before = asyncio.all_tasks()
        with pytest.raises(Interrupted):
            at().value("await stop()", "repl")
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == before
        return stop

    asyncio.run(main())


def test_a_loop_that_cannot_be_turned_is_named(at):
    class Strange(asyncio.AbstractEventLoop):
        pass

    loop = Strange()
    asyncio.events._set_running_loop(loop)
    try:
        assert "cannot be turned from inside" in at().error("await double(1)").message
    finally:
        asyncio.events._set_running_loop(None)


def test_a_coroutine_that_is_not_awaited_is_just_shown(at):
    place = at()
    coroutine = double(1)
    assert place.value("coroutine", "repl").type_name == "coroutine"
    assert place.child("coroutine", "state").text == "'created'"
    coroutine.close()
