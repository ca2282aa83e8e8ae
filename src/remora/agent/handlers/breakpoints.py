"""Line breakpoints: what the client wishes for a file replaces what it wished before."""

from __future__ import annotations

from remora.dap.errors import BAD_ARGUMENTS
from remora.engine import Wish

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from remora.agent.session import Handler, Request, Session


def set_breakpoints(session: Session, request: Request) -> dict[str, Any]:
    arguments = request.arguments
    source = arguments["source"]
    path = source.get("path") or source.get("name")
    if not path:
        raise BAD_ARGUMENTS(command="setBreakpoints", problems="source.path: needed to know the file")
    asked = arguments.get("breakpoints")
    if asked is None:
        asked = [{"line": line} for line in arguments.get("lines") or ()]
    wishes = [
        Wish(
            session.our_line(one["line"]),
            one.get("condition") or None,
            one.get("hitCondition") or None,
            one.get("logMessage") or None,
        )
        for one in asked
    ]
    made = session.agent.engine.set_breakpoints(path, wishes)
    return {"breakpoints": [session.describe_breakpoint(one) for one in made]}


HANDLERS: dict[str, Handler] = {"setBreakpoints": set_breakpoints}
