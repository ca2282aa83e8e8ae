"""Where every thread and every asyncio task is, without stopping anything: the answer to `remoraStacks`.

A request of our own (docs/live.md), made on the agent thread from the threads' frames and asyncio's
tables; the program runs meanwhile, so each stack is right for one moment, and not all for the same.
"""

from __future__ import annotations

import os
import sys

from remora.agent.snapshot import Look, Writer, frame_of
from remora.agent.tasks import tasks
from remora.dap.errors import BAD_ARGUMENTS
from remora.engine.frames import current_frames

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

    from remora.agent.agent import Agent
    from remora.agent.session import Session

MAX_LEVELS = 200
MAX_THREADS = 1000
# The agent thread makes them, not the program's; but it holds the interpreter lock meanwhile.
SECONDS = 1.0
TOTAL_CHARS = 4 << 20


def stacks(session: Session, arguments: dict[str, Any]) -> dict[str, Any]:
    """Make the body of the answer. Raise BAD_ARGUMENTS."""
    look, with_locals = _read(arguments)
    agent = session.agent
    writer = Writer(look, seconds=SECONDS, total_chars=TOTAL_CHARS) if with_locals else None
    frames = current_frames()
    found = _threads(agent, frames, writer)
    more = len(found) >= MAX_THREADS
    of_tasks, more_tasks = _tasks(agent, frames, writer)
    found += of_tasks
    for one in found:
        for frame in one["frames"]:
            frame["line"] = session.client_line(frame["line"])
    body: dict[str, Any] = {
        "pid": os.getpid(),
        "python": sys.version.split()[0],
        "stacks": found,
    }
    if more or more_tasks or (writer is not None and writer.cut):
        body["cut"] = True
    return body


def _read(arguments: dict[str, Any]) -> tuple[Look, bool]:
    for name in ("locals", "redact", "callRepr"):
        value = arguments.get(name)
        if value is not None and not isinstance(value, bool):
            problem = f"{name}: expected true or false"
            raise BAD_ARGUMENTS(command="remoraStacks", problems=problem)
    look = Look(
        redact=arguments.get("redact") is not False,
        call_repr=arguments.get("callRepr") is True,
    )
    return look, arguments.get("locals") is True


def _threads(agent: Agent, frames: dict[int, FrameType], writer: Writer | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for thread in agent.engine.threads()[:MAX_THREADS]:
        top = frames.get(thread.ident)
        if top is None:
            continue  # begun meanwhile
        shown, more = _stack(agent, top, writer)
        one: dict[str, Any] = {"kind": "thread", "id": thread.id, "name": thread.name, "frames": shown}
        if more:
            one["moreFrames"] = True
        found.append(one)
    return found


def _stack(agent: Agent, top: FrameType, writer: Writer | None) -> tuple[list[dict[str, Any]], bool]:
    entries, more = agent.engine.stack_from(top, MAX_LEVELS)
    shown = []
    for entry in entries:
        one = frame_of(agent, entry)
        if writer is not None and entry.user_code:
            one["variables"] = writer.variables(entry.frame)
        shown.append(one)
    return shown, more


def _tasks(
    agent: Agent, frames: dict[int, FrameType], writer: Writer | None
) -> tuple[list[dict[str, Any]], bool]:
    numbers = {thread.ident: thread.id for thread in agent.engine.threads()}
    listed, more = tasks(frames)
    found: list[dict[str, Any]] = []
    for task in listed:
        shown = []
        for frame in task.frames:
            [entry], _ = agent.engine.stack_from(frame, 1)
            one = frame_of(agent, entry)
            if writer is not None and entry.user_code:
                one["variables"] = writer.variables(frame)
            shown.append(one)
        described: dict[str, Any] = {
            "kind": "task",
            "name": task.name,
            "coroutine": task.coroutine,
            "state": "running" if task.is_current else "waiting" if task.waits_for else "ready",
            "frames": shown,
        }
        if task.waits_for:
            described["waitsFor"] = task.waits_for
        if task.awaited_by:
            described["awaitedBy"] = task.awaited_by
        if task.thread in numbers:
            described["threadId"] = numbers[task.thread]
        found.append(described)
    return found, more
