"""Whether a process still lives: told once, when it is dead. Nothing polls. Source: pidfd_open(2)."""

from __future__ import annotations

import os

from remora.hub.loop import asyncio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def watch(pid: int, then: Callable[[], None]) -> Callable[[], None] | None:
    """Call `then` from the loop when the process is dead; return what cancels that. None: no way to tell."""
    loop = asyncio.get_running_loop()
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return loop.call_soon(then).cancel
    except (AttributeError, OSError):
        return None
    is_open = True

    def cancel() -> None:
        nonlocal is_open
        if is_open:
            is_open = False
            loop.remove_reader(fd)
            os.close(fd)

    def dead() -> None:
        cancel()
        then()

    loop.add_reader(fd, dead)
    return cancel
