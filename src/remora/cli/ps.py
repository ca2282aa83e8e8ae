"""`remora ps`: the Python processes that can be attached to, and what is in the way of the others."""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import Any

from remora.cli.options import UsageError
from remora.inject import blocked, debugger, doors, permissions, processes, ptrace, remote_exec
from remora.inject.failures import DapError, NotPython

HELP = """\
usage: remora ps [--json]

List the Python processes of this user (all, for root): process id, version, what it does, how it can be
attached to, and its command line.

  --json   for programs: one object per process, with everything

What stands under ATTACH:
  agent        it is debugged already, or listens: `remora attach PID` goes there
  remote_exec  at once, by Python's own means (3.14 and later)
  ptrace, gdb  one of its threads is stopped for a moment
  no           why not is told below
"""

# What the hub and the terminal of a session are: not programs anybody wants to debug.
_OURS = ("/remora/hub/boot.py",)
MIN_COMMAND_CHARS = 30


def run(arguments: list[str]) -> int:
    """Run `remora ps`; return the exit code."""
    as_json = False
    for argument in arguments:
        match argument:
            case "-h" | "--help":
                print(HELP, end="")
                return 0
            case "--json":
                as_json = True
            case _:
                raise UsageError(f"ps: there is no option {argument}; see remora ps --help")
    found = sorted(entries(), key=lambda entry: int(entry["pid"]))
    try:
        if as_json:
            print(json.dumps(found, indent=2))
        else:
            _print_table(found)
        sys.stdout.flush()
    except BrokenPipeError:
        # `remora ps | head`. The interpreter would try to flush once again at its end.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    return 0


def entries() -> list[dict[str, Any]]:
    """Describe every Python process we may know of."""
    found = []
    reason: str | None
    for pid in processes.all_pids():
        if pid == os.getpid() or not _is_visible(pid):
            continue
        words = processes.command_line(pid)
        if any(word.endswith(ours) for word in words for ours in _OURS):
            continue
        try:
            target = processes.Target(pid)
        except NotPython:
            continue
        except DapError as error:
            if _looks_like_python(words):
                reason = error.variables.get("reason", error.text)
                found.append(_entry(pid, words, None, None, "no", reason))
            continue
        how, reason = way_into(target)
        found.append(_entry(pid, words, target.version_text, state_of(target), how, reason))
    return found


def way_into(target: processes.Target) -> tuple[str, str | None]:
    """Return how the process can be attached to, and why not if that is "no"."""
    if doors.doors(target.pid):
        return "agent", None
    if processes.state(target.pid) in "tT":
        return "no", "it is stopped, by Ctrl-Z or by a debugger; let it go on first"
    if not permissions.may_trace(target.pid):
        return "no", permissions.why_not_traced(target.pid, target.uid)
    if remote_exec.knows(target) and target.shares_view:
        return "remote_exec", None
    if ptrace.works_here():
        return "ptrace", None
    for name in debugger.NAMES:
        if shutil.which(name):
            return name, None
    return "no", "its Python is older than 3.14, and gdb is not installed"


def state_of(target: processes.Target) -> str:
    """Say in a word or two what its main thread does."""
    if processes.state(target.pid) in "tT":
        return "stopped"
    waits = blocked.waits_in(target.pid, target.pid)
    return f"in {waits}" if waits is not None else "running"


def _entry(
    pid: int, words: list[str], version: str | None, state: str | None, how: str, reason: str | None
) -> dict[str, Any]:
    return {"pid": pid, "version": version, "state": state, "attach": how, "reason": reason, "command": words}


def _is_visible(pid: int) -> bool:
    try:
        return os.geteuid() == 0 or os.stat(f"/proc/{pid}").st_uid == os.geteuid()
    except OSError:
        return False


def _looks_like_python(words: list[str]) -> bool:
    return bool(words) and "python" in os.path.basename(words[0])


def _print_table(found: list[dict[str, Any]]) -> None:
    if not found:
        print("remora: no Python process of yours is running", file=sys.stderr)
        return
    rows = [
        (str(entry["pid"]), entry["version"] or "?", entry["state"] or "?", entry["attach"])
        for entry in found
    ]
    heads = ("PID", "PYTHON", "STATE", "ATTACH")
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    # A pipe gets everything, a terminal what fits in a line.
    room = 1 << 20
    if sys.stdout.isatty():
        room = max(shutil.get_terminal_size().columns - sum(widths) - 2 * len(widths), MIN_COMMAND_CHARS)
    for row, entry in zip((heads, *rows), (None, *found), strict=True):
        command = "COMMAND" if entry is None else _shortened(" ".join(entry["command"]), room)
        cells = [text.ljust(width) for text, width in zip(row, widths, strict=True)]
        cells[0] = row[0].rjust(widths[0])
        print("  ".join((*cells, command)))
    reasons: dict[str, list[int]] = {}
    for entry in found:
        if entry["reason"]:
            reasons.setdefault(entry["reason"], []).append(entry["pid"])
    for reason, pids in reasons.items():
        print(f"\n{', '.join(map(str, pids))}: {reason}")


def _shortened(text: str, room: int) -> str:
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return text if len(text) <= room else text[: room - 1] + "…"
