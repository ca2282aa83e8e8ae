"""Threads and asyncio tasks of a process, read from its memory: without its help, without stopping it.

For a process that does not let us in just now, or is not to be touched at all. CPython 3.14 and later; the
reader is the target's own interpreter if ours has another version. No values: those need an agent.

The process runs on while it is read, so one look may find half of two states: what cannot be read is tried
again, and given up after a few times. Source: CPython Modules/_remote_debugging.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise

from remora.inject import blocked, remote_exec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from remora.inject.processes import Target

LOOK_S = 10.0
_TRIES = 5
# 3.14 has `lineno` in a frame, 3.15 a `location`, and threads within interpreters.
_READER = """
import json, sys, _remote_debugging
def frames(found):
    made = []
    for frame in found:
        line = getattr(frame, "lineno", None)
        if line is None:
            location = getattr(frame, "location", None)
            line = location[0] if location else 0
        made.append([frame.funcname, frame.filename, line])
    return made
def threads(reader):
    return [
        [thread.thread_id, frames(thread.frame_info)]
        for found in reader.get_stack_trace()
        for thread in getattr(found, "threads", None) or [found]
    ]
def tasks(reader):
    return [
        {
            "id": task.task_id,
            "name": task.task_name,
            "thread": found.thread_id,
            "frames": [frame for coroutine in task.coroutine_stack for frame in frames(coroutine.call_stack)],
            "by": [coroutine.task_name for coroutine in task.awaited_by],
        }
        for found in reader.get_all_awaited_by()
        for task in found.awaited_by
    ]
answer = {}
for name, read in (("threads", threads), ("tasks", tasks)):
    for left in range(TRIES):
        try:
            answer[name] = read(_remote_debugging.RemoteUnwinder(int(sys.argv[1]), all_threads=True))
            break
        except Exception as error:
            if "not available" in str(error):  # asyncio is not loaded there
                answer[name] = []
                break
print(json.dumps(answer))
""".replace("TRIES", str(_TRIES))


def look(target: Target) -> dict[str, Any] | None:
    """Return what `remoraStacks` would (docs/live.md), without values; None if it cannot be read."""
    if not remote_exec.knows(target):
        return None
    answer = _read(target)
    if not answer.get("threads"):
        return None
    stacks = [_thread(target, number, frames) for number, frames in answer["threads"]]
    stacks.sort(key=lambda one: (one["nativeId"] != target.own_pid, one["nativeId"]))
    stacks += _tasks(answer.get("tasks") or [])
    found = {"pid": target.pid, "python": target.version_text, "stacks": stacks}
    if "tasks" not in answer:
        found["cut"] = True
    return found


def _read(target: Target) -> dict[str, Any]:
    command = [target.interpreter(), "-I", "-S", "-c", _READER, str(target.pid)]
    if remote_exec.same_version(target.version):
        command[0] = sys.executable
    try:
        done = subprocess.run(
            command, env=remote_exec.environment_for(target), stdin=subprocess.DEVNULL, capture_output=True,
            timeout=LOOK_S, check=False,
        )  # fmt: skip
        answer = json.loads(done.stdout) if done.returncode == 0 else {}
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return {}
    return answer if isinstance(answer, dict) else {}


def _thread(target: Target, number: int, frames: list[list[Any]]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "kind": "thread",
        "nativeId": number,
        "name": "MainThread" if number == target.own_pid else _name(target.pid, number),
        "frames": [_frame(*frame) for frame in frames],
    }
    if target.own_pid == target.pid:
        waits = blocked.waits_in(target.pid, number)
        if waits is not None:
            shown["blockedIn"] = waits
    return shown


def _name(pid: int, thread: int) -> str:
    """Return the kernel's name of a thread, which Python 3.14 sets to the first 15 letters of its own."""
    try:
        with open(f"/proc/{pid}/task/{thread}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().rstrip("\n")
    except OSError:
        return f"thread {thread}"


def _tasks(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    names = {task["id"]: task["name"] for task in found}
    awaited: dict[int, list[str]] = {}
    for task in found:
        for by in task["by"]:
            awaited.setdefault(by, []).append(task["name"])
    shown = []
    for task in found:
        one: dict[str, Any] = {
            "kind": "task",
            "name": task["name"],
            "coroutine": task["frames"][-1][0] if task["frames"] else "",
            "nativeThreadId": task["thread"],
            "frames": [_frame(*frame) for frame in task["frames"]],
        }
        waits = awaited.get(task["id"])
        if waits:
            one["waitsFor"] = f"task {waits[0]}" if len(waits) == 1 else f"{len(waits)} tasks"
        by = [names[number] for number in task["by"] if number in names]
        if by:
            one["awaitedBy"] = by
        shown.append(one)
    return sorted(shown, key=lambda one: _natural(one["name"]))


def _natural(name: str) -> tuple[str, int]:
    """Task-2 comes before Task-10."""
    stem = name.rstrip("0123456789")
    digits = name[len(stem) :][:18]
    return stem, int(digits) if digits else -1


def _frame(function: str, path: str, line: int) -> dict[str, Any]:
    source: dict[str, Any] = {"name": os.path.basename(path) or path}
    if os.path.isabs(path):
        source["path"] = path
    return {"name": function, "module": "", "source": source, "line": line, "userCode": _is_users(path)}


def _is_users(path: str) -> bool:
    """Guess: only the process itself knows where its library is."""
    parts = path.split("/")
    if path.startswith("<") or "site-packages" in parts or "dist-packages" in parts:
        return False
    return not any(before == "lib" and part.startswith("python3") for before, part in pairwise(parts))
