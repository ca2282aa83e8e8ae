"""The way in for what was brought into a running process by its id (`remora.inject`).

Runs on a thread of its own, in a program that knows nothing of us: what it imports comes from the standard
library and from remora (`inject/inside.py` sees to that), so everything a session needs is loaded here.
"""

from __future__ import annotations

import time
from time import sleep as _sleep  # a program may replace time.sleep

from remora.agent import family, join

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Its thread has an answer to write, and to see that the hub has closed the connection.
LEAVING_S = 2.0


def arrive(start: dict[str, Any]) -> dict[str, Any] | None:
    """Do what `start` says; return what is to be said to who waits, None if it hears that from our hub."""
    if join.current() is None:
        family.is_guest = True  # this is no thread of the program's
    if start.get("options"):
        join.settings.configure(start["options"])
    match start["do"]:
        case "attach":
            _wait_for_the_one_before()
            join.attach(start["address"], start["secret"], start.get("family"), left)
            return None
        case "listen":
            where = join.listen(tuple(start["where"]), token=start.get("token"), in_process=start["carried"])
            return {"listening": list(where)}
        case _:
            return {"connected": list(join.connect(tuple(start["where"]), token=start.get("token")))}


def _wait_for_the_one_before() -> None:
    """An agent that is leaving takes a moment; one that stays is told by `join`."""
    deadline = time.monotonic() + LEAVING_S
    while (agent := join.current()) is not None and agent.start_method == "attach":
        if time.monotonic() > deadline:
            return
        _sleep(0.002)


def left() -> None:
    """The hub has let go, and the agent has left: nothing may stay behind."""
    from remora.engine import background

    background.end()


def load() -> None:
    """Import what a session needs, while nothing of the program's can get in between."""
    import bisect  # noqa: F401
    import io  # noqa: F401

    import remora.agent.handlers
    import remora.engine.jobs
    import remora.values

    remora.engine.jobs.watcher.again()
