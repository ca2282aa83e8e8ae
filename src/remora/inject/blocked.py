"""What a process is doing that does not let us in, seen from outside: its threads, what they wait for,
their stacks.

The kernel tells in which system call a thread is. On CPython 3.14 and later the Python stacks are read from
its memory, without its help and without stopping it. Looking changes nothing. Source: proc(5) `syscall`,
`wchan`; CPython Modules/_remote_debugging.
"""

from __future__ import annotations

import json
import subprocess
import sys

from remora.inject import remote_exec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from remora.inject.processes import Target

LOOK_S = 10.0
# What people call it, by the number on x86-64 and on the machines that came later (arm64, riscv64).
_X86 = {
    0: "read", 1: "write", 7: "poll", 23: "select", 34: "pause", 35: "sleep", 42: "connect", 43: "accept",
    44: "send", 45: "recv", 46: "send", 47: "recv", 61: "wait", 72: "a file lock", 73: "a file lock",
    128: "sigwait", 130: "sigsuspend", 202: "a lock", 230: "sleep", 232: "epoll_wait", 247: "wait",
    270: "select", 271: "poll", 281: "epoll_wait", 288: "accept", 299: "recv", 441: "epoll_wait",
}  # fmt: skip
_LATER = {
    22: "epoll_wait", 25: "a file lock", 32: "a file lock", 63: "read", 64: "write", 72: "select", 73: "poll",
    95: "wait", 98: "a lock", 101: "sleep", 115: "sleep", 133: "sigsuspend", 137: "sigwait", 202: "accept",
    203: "connect", 206: "send", 207: "recv", 211: "send", 212: "recv", 242: "accept", 243: "recv",
    260: "wait", 441: "epoll_wait",
}  # fmt: skip
_READER = (
    "import sys, json, _remote_debugging as r\n"
    "u = r.RemoteUnwinder(int(sys.argv[1]), all_threads=True)\n"
    "def line(x):\n"
    "    x = getattr(x, 'location', x)\n"
    "    return x if isinstance(x, int) else x[0] if x else 0\n"
    "out = []\n"
    "for found in u.get_stack_trace():\n"
    "    for t in getattr(found, 'threads', None) or [found]:\n"
    "        i = t.thread_id if hasattr(t, 'thread_id') else t[0]\n"
    "        fs = t.frame_info if hasattr(t, 'frame_info') else t[-1]\n"
    "        out.append([i, [[f.funcname, f.filename, getattr(f, 'lineno', None) or line(f)] for f in fs]])\n"
    "print(json.dumps(out))\n"
)


class Frame:
    """One frame of a stack that was read from outside."""

    __slots__ = ("function", "line", "path")

    def __init__(self, function: str, path: str, line: int) -> None:
        self.function = function
        self.path = path
        self.line = line

    def __str__(self) -> str:
        return f'  File "{self.path}", line {self.line}, in {self.function}'


def waits_in(pid: int, thread: int) -> str | None:
    """Return what a thread waits for, in a word people know; None if it runs, or that is not told."""
    try:
        with open(f"/proc/{pid}/task/{thread}/syscall", encoding="ascii") as file:
            words = file.read().split()
    except OSError:
        return None
    if not words or not words[0].lstrip("-").isdecimal() or words[0] == "-1":
        return None
    number = int(words[0])
    machine = sys.implementation._multiarch if hasattr(sys.implementation, "_multiarch") else ""
    name = (_X86 if machine.startswith("x86_64") else _LATER).get(number)
    return name or _kernel_name(pid, thread) or f"system call {number}"


def main_thread(target: Target) -> str:
    """Say what its main thread is doing, as the end of "its main thread …"."""
    waits = waits_in(target.pid, target.pid)
    if waits is not None:
        return f"is blocked in {waits}"
    state = _thread_state(target.pid, target.pid)
    if state == "D":
        return "is blocked in the kernel (a disk or a network file system that does not answer)"
    if state == "R":
        return "runs, in code that is not Python's or keeps the interpreter for itself"
    return "is blocked"


def stacks(target: Target) -> dict[int, list[Frame]]:
    """Return the Python stacks by native thread id, innermost frame first; {} where they cannot be read."""
    if not remote_exec.knows(target):
        return {}
    command = [target.interpreter(), "-I", "-S", "-c", _READER, str(target.pid)]
    if remote_exec.same_version(target.version):
        command[0] = sys.executable
    try:
        done = subprocess.run(
            command, env=remote_exec.environment_for(target), stdin=subprocess.DEVNULL, capture_output=True,
            timeout=LOOK_S, check=False,
        )  # fmt: skip
        found = json.loads(done.stdout) if done.returncode == 0 else []
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return {}
    return {thread: [Frame(*frame) for frame in frames] for thread, frames in found}


def report(target: Target) -> str:
    """Describe the main thread for people: what it is doing, and its stack where that can be read."""
    text = f"its main thread {main_thread(target)}"
    frames = stacks(target).get(target.own_pid, [])
    if frames:
        text += ":\n" + "\n".join(str(frame) for frame in reversed(frames))
    return text


def may_wake(target: Target) -> bool:
    """Whether its main thread waits in a call that an interruption ends without harm: an idle event loop."""
    return waits_in(target.pid, target.pid) == "epoll_wait"


def _kernel_name(pid: int, thread: int) -> str:
    try:
        with open(f"/proc/{pid}/task/{thread}/wchan", encoding="ascii") as file:
            name = file.read().strip()
    except OSError:
        return ""
    return "" if name == "0" else name


def _thread_state(pid: int, thread: int) -> str:
    try:
        with open(f"/proc/{pid}/task/{thread}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0].decode()
    except (OSError, IndexError):
        return ""
