"""Processes the hub watches."""

from __future__ import annotations

import asyncio
import subprocess
import sys

from remora.hub.process import Watched


def test_a_process_that_is_dead_already_is_told() -> None:
    """A terminal may have ended before the answer that names it has come."""
    gone = subprocess.Popen([sys.executable, "-S", "-c", ""])
    assert gone.wait(20) == 0

    async def watch() -> Watched:
        told = asyncio.Event()
        watched = Watched(gone.pid, lambda code: told.set())
        assert not told.is_set(), "the owner has no name for it yet"
        await asyncio.wait_for(told.wait(), 5)
        return watched

    assert asyncio.run(watch()).exited
