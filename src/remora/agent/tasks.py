"""The asyncio tasks of a program that runs: who they are, where they stand, who waits for whom.

Read from the agent thread while the loops turn: what changes under our feet is read again or left out.
Nothing of the program is called: not its task factory, not `__repr__`, no coroutine.

Which loops there are is read off the stacks of the threads, where asyncio's own frames hold them; a loop
written in C is found through the `asyncio.Runner` that runs it, or through its tasks (before 3.14).
"""

from __future__ import annotations

import sys

from remora.values.running import KINDS
from remora.values.static import type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any

MAX_TASKS = 1000
# A set of tasks changes while it is read; asyncio itself tries so often.
_TRIES = 1000
_MAX_CHAIN = 1000
_MAX_CALLERS = 2000
_RUNNERS = {"run_forever": "self", "run_until_complete": "self", "run": "self"}


class Task:
    """One task, taken apart."""

    __slots__ = ("awaited_by", "coroutine", "frames", "is_current", "name", "obj", "thread", "waits_for")

    def __init__(self, obj: Any, name: str, coroutine: str) -> None:
        self.obj = obj
        self.name = name
        self.coroutine = coroutine
        self.frames: list[FrameType] = []  # innermost first; none while it runs: it is on its thread's stack
        self.is_current = False
        self.thread: int | None = None  # ident of the thread that runs its loop
        self.waits_for = ""
        self.awaited_by: list[str] = []


def tasks(stacks: dict[int, FrameType]) -> tuple[list[Task], bool]:
    """List the tasks that are not done, and say whether there are more. `stacks` are the threads' frames."""
    asyncio = sys.modules.get("asyncio.tasks")
    if asyncio is None:
        return [], False
    found: list[Task] = []
    known: dict[int, Task] = {}
    loops = dict(_loops(stacks))
    for obj, ident in _all(asyncio, loops):
        if id(obj) in known:
            continue
        if len(found) >= MAX_TASKS:
            return found, True
        task = _task(obj)
        if task is not None:
            task.thread = ident
            known[id(obj)] = task
            found.append(task)
    found.sort(key=lambda task: _natural(task.name))
    for obj in _current(asyncio, loops):
        task = known.get(id(obj))
        if task is not None:
            task.is_current = True
            task.frames = []
    for task in found:
        _link(task, known)
    return found, False


def _natural(name: str) -> tuple[str, int]:
    """Task-2 comes before Task-10."""
    stem = name.rstrip("0123456789")
    digits = name[len(stem) :][:18]
    return stem, int(digits) if digits else -1


def _loops(stacks: dict[int, FrameType]) -> Iterator[tuple[int, tuple[Any, int]]]:
    """Yield (id of the loop, (the loop, ident of its thread))."""
    for ident, top in stacks.items():
        frame: FrameType | None = top
        count = 0
        while frame is not None and count < _MAX_CALLERS:
            code = frame.f_code
            if code.co_name in _RUNNERS:
                module = frame.f_globals.get("__name__")
                if module == "asyncio.base_events":
                    loop = frame.f_locals.get("self")
                    yield id(loop), (loop, ident)
                elif module == "asyncio.runners":
                    runner = frame.f_locals.get("self") or frame.f_locals.get("runner")
                    loop = getattr(runner, "_loop", None)
                    if loop is not None:
                        yield id(loop), (loop, ident)
            frame = frame.f_back
            count += 1


def _all(asyncio: Any, loops: dict[int, tuple[Any, int]]) -> Iterator[tuple[Any, int | None]]:
    """Yield every task that is not done, and the thread of its loop."""
    if sys.version_info >= (3, 14):
        for loop, ident in loops.values():
            for obj in _copy(lambda loop=loop: asyncio.all_tasks(loop)):
                yield obj, ident
        return
    for name in ("_scheduled_tasks", "_all_tasks", "_eager_tasks"):
        group = getattr(asyncio, name, None)
        if group is None:
            continue
        for obj in _copy(lambda group=group: list(group)):
            try:
                if obj.done():
                    continue
                loop = obj.get_loop()
            except Exception:  # boundary: a task class of the program's own
                continue
            yield obj, loops.get(id(loop), (None, None))[1]


def _copy(read: Any) -> list[Any]:
    for _ in range(_TRIES):
        try:
            return list(read())
        except RuntimeError:  # it has changed meanwhile
            continue
    return []


def _current(asyncio: Any, loops: dict[int, tuple[Any, int]]) -> Iterator[Any]:
    """Yield the task that each loop is running right now."""
    for loop, _ in loops.values():
        try:
            current = asyncio.current_task(loop)
        except RuntimeError:
            continue
        if current is not None:
            yield current


def _task(obj: Any) -> Task | None:
    try:
        name = obj.get_name()
        coroutine = obj.get_coro()
    except Exception:  # boundary: a task class of the program's own
        return None
    if coroutine is None:
        return None  # eager, and done
    is_python = any(type(coroutine) is kind for kind, _, _ in KINDS)
    qualname = coroutine.__qualname__ if is_python else type_name(type(coroutine))
    task = Task(obj, name if type(name) is str else "?", qualname)
    task.frames = _chain(coroutine)
    return task


def _chain(coroutine: Any) -> list[FrameType]:
    """The frames of a suspended coroutine and what it awaits, innermost first."""
    frames: list[FrameType] = []
    at = coroutine
    for _ in range(_MAX_CHAIN):
        for kind, prefix, awaited in KINDS:
            if type(at) is kind:
                frame = getattr(at, f"{prefix}_frame")
                at = getattr(at, awaited)
                break
        else:
            break  # a future, or an awaitable of somebody's own: not to be asked anything
        if frame is None:
            break
        frames.append(frame)
    frames.reverse()
    return frames


def _link(task: Task, known: dict[int, Task]) -> None:
    """Note what the task waits for, and with the others that it does."""
    waiter = getattr(task.obj, "_fut_waiter", None)
    if waiter is not None and not task.is_current:
        other = known.get(id(waiter))
        children = getattr(waiter, "_children", None)
        if other is not None:
            task.waits_for = f"task {other.name}"
            _await(other, task)
        elif type(children) is list:
            task.waits_for = f"gather of {len(children)}"
            for child in children:
                other = known.get(id(child))
                if other is not None:
                    _await(other, task)
        else:
            task.waits_for = type(waiter).__name__
    for child in _group_of(task):  # before 3.14
        other = known.get(id(child))
        if other is not None:
            _await(other, task)
    for by in _copy(lambda: getattr(task.obj, "_asyncio_awaited_by", None) or ()):  # 3.14: groups too
        other = known.get(id(by))
        if other is not None:
            _await(task, other)


def _group_of(task: Task) -> list[Any]:
    """The tasks of the group that the task is waiting for at the end of its `async with`."""
    for frame in task.frames:
        if frame.f_globals.get("__name__") == "asyncio.taskgroups":
            group = frame.f_locals.get("self")
            break
    else:
        return []
    return _copy(lambda: getattr(group, "_tasks", ()))


def _await(awaited: Task, by: Task) -> None:
    if by.name not in awaited.awaited_by:
        awaited.awaited_by.append(by.name)
