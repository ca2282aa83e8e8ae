"""Find what a test started, by a token in the environment that everything it starts inherits.

Linux only, it reads /proc; elsewhere nothing is ever found. A detached hub, a child of a child and an
orphan are found all the same; a process that forks without exec keeps the environment text of its parent.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

TOKEN_NAME = "REMORA_TEST_TOKEN"
PROC = Path("/proc")


def current_token() -> str:
    return os.environ[TOKEN_NAME]


def leftovers(token: str, grace_s: float) -> list[str]:
    """Wait until no process has `token` in its environment; kill and describe those that stay."""
    deadline = time.monotonic() + grace_s
    while (pids := carrying(token)) and time.monotonic() < deadline:
        time.sleep(0.02)
    described = [describe(pid) for pid in pids]
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    return described


def carrying(token: str) -> list[int]:
    """Pids of the other processes whose environment holds `token`; zombies have none."""
    needle = f"{TOKEN_NAME}={token}".encode()
    found = []
    if sys.platform == "linux":
        for entry in PROC.iterdir():
            if entry.name.isdecimal() and int(entry.name) != os.getpid():
                with contextlib.suppress(OSError):
                    if needle in (entry / "environ").read_bytes():
                        found.append(int(entry.name))
    return found


def describe(pid: int) -> str:
    with contextlib.suppress(OSError):
        command = (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return f"{pid}: {command}"
    return f"{pid}: gone meanwhile"
