"""The way in for what was brought into a running process by its id (`remora.inject`).

Runs on a thread of its own, in a program that knows nothing of us: what it imports comes from the standard
library and from remora (`inject/inside.py` sees to that), so everything a session needs is loaded here.
"""

from __future__ import annotations

from remora.agent import family, join

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def arrive(start: dict[str, Any]) -> dict[str, Any] | None:
    """Do what `start` says; return what is to be said to who waits, None if it hears that from our hub."""
    if join.current() is None:
        family.is_guest = True  # this is no thread of the program's
    if start.get("options"):
        join.settings.configure(start["options"])
    match start["do"]:
        case "attach":
            join.attach(start["address"], start["secret"], start.get("family"), left)
            return None
        case "listen":
            where = join.listen(tuple(start["where"]), token=start.get("token"), in_process=start["carried"])
            return {"listening": list(where)}
        case _:
            return {"connected": list(join.connect(tuple(start["where"]), token=start.get("token")))}


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
    import remora.values  # noqa: F401

    remora.engine.jobs.watcher.again()
