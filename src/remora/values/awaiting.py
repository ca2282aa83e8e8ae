"""Awaiting a coroutine from inside a stopped thread.

The thread is parked in a callback deep inside its event loop, which asyncio does not allow to be entered
again. So the running task is left (`_leave_task`), the loop is turned by hand (`_run_once`) until the
coroutine is done, and the task is entered again. While that lasts the program's other tasks run too.

The outer `_run_once` has counted how many handles it will still take from `loop._ready`; the inner turns
have taken those. It would die of "pop from an empty deque", so no-op handles make up for the missing ones:
never more are needed than there were at the start.
"""

from __future__ import annotations

import sys

from remora.values.answers import EvaluationFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end on this thread's loop, or on a new one if none is running."""
    events = sys.modules.get("asyncio.events")
    loop = events._get_running_loop() if events is not None else None
    if loop is None:
        return _run_on_new_loop(coroutine)
    tasks = sys.modules["asyncio.tasks"]
    if not hasattr(loop, "_run_once") or not hasattr(loop, "_ready"):
        coroutine.close()
        raise EvaluationFailed(
            f"cannot await here: the running loop is a {type(loop).__module__}.{type(loop).__name__}, "
            "which cannot be turned from inside; only asyncio's own loops can"
        )
    return _run_inside(coroutine, loop, tasks, events)


def _run_on_new_loop(coroutine: Coroutine[Any, Any, Any]) -> Any:
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return _run_without_loop(coroutine)
    with asyncio.Runner() as runner:
        # Not runner.run(): that takes over SIGINT, which is the program's.
        return runner.get_loop().run_until_complete(coroutine)


def _run_without_loop(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run what never really waits; a program that has not imported asyncio awaits nothing of it."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise EvaluationFailed(
        "cannot await here: no event loop is running, and the program has not loaded asyncio"
    )


def _run_inside(coroutine: Coroutine[Any, Any, Any], loop: Any, tasks: Any, events: Any) -> Any:
    current = tasks.current_task(loop)
    expected = len(loop._ready)
    handle_running = getattr(loop, "_current_handle", None)
    strays: list[BaseException] = []
    if current is not None:
        tasks._leave_task(loop, current)
    try:
        # Task itself, not loop.create_task: a task factory of the program has no business here.
        task = tasks.Task(coroutine, loop=loop, name="remora evaluate")
        try:
            while not task.done():
                _turn(loop, task, strays)
        except BaseException:  # Interrupted: don't leave a task behind that nobody knows of
            task.cancel()
            for _ in range(10):
                if task.done():
                    break
                _turn(loop, task, strays)
            raise
        finally:
            for stray in strays:
                loop.call_soon(_raise, stray)
            while len(loop._ready) < expected:
                loop._ready.append(events.Handle(_nothing, (), loop))
    finally:
        loop._current_handle = handle_running
        if current is not None:
            tasks._enter_task(loop, current)
    return task.result()


def _turn(loop: Any, task: Any, strays: list[BaseException]) -> None:
    """Turn the loop once. SystemExit and KeyboardInterrupt of other tasks are kept for the real loop."""
    try:
        loop._run_once()
    except (SystemExit, KeyboardInterrupt) as error:
        if not task.done():
            strays.append(error)


def _raise(error: BaseException) -> None:
    raise error


def _nothing() -> None: ...
