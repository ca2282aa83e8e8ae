"""From a request to the handler of its command: one module per concern, one table.

A handler takes the session and the request and returns the body of the answer (None: no body), PENDING
when the answer is sent later, or raises a DapError. It runs on the agent thread and must not block.
"""

from __future__ import annotations

from remora.agent.handlers import (
    breakpoints,
    evaluate,
    exceptions,
    execution,
    lifecycle,
    sources,
    stack,
    variables,
)
from remora.dap.check import check_arguments
from remora.dap.errors import BAD_ARGUMENTS, NO_SESSION, NOT_INITIALIZED, UNKNOWN_REQUEST, UNSUPPORTED
from remora.dap.tables import ARGUMENTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from remora.agent.session import Handler, Pending, Request, Session

HANDLERS: dict[str, Handler] = {
    **lifecycle.HANDLERS,
    **breakpoints.HANDLERS,
    **exceptions.HANDLERS,
    **execution.HANDLERS,
    **stack.HANDLERS,
    **variables.HANDLERS,
    **evaluate.HANDLERS,
    **sources.HANDLERS,
}

BEFORE_INITIALIZE = frozenset({"initialize", "disconnect", "cancel"})
BEFORE_ATTACH = BEFORE_INITIALIZE | {"attach", "launch", "terminate"}

# Why a request of the specification fails; the capability of each is not announced either.
UNSUPPORTED_REASONS = {
    "launch": "this process runs already; use 'attach'",
    "restart": "disconnect and attach again, or start the program again",
    "runInTerminal": "it goes from the debugger to the client",
    "startDebugging": "it goes from the debugger to the client",
}
NOT_YET = "this version of remora cannot do it yet"


def dispatch(session: Session, request: Request) -> dict[str, Any] | Pending | None:
    """Check a request and hand it to its handler."""
    command = request.command
    if command not in ARGUMENTS and command not in HANDLERS:
        raise UNKNOWN_REQUEST(command=command[:100])
    problems = check_arguments(command, request.arguments)
    if problems:
        raise BAD_ARGUMENTS(command=command, problems="; ".join(problems))
    if not session.initialized and command not in BEFORE_INITIALIZE:
        raise NOT_INITIALIZED(command=command)
    handler = HANDLERS.get(command)
    if handler is None:
        raise UNSUPPORTED(command=command, reason=UNSUPPORTED_REASONS.get(command, NOT_YET))
    if not session.attached and command not in BEFORE_ATTACH:
        raise NO_SESSION(command=command)
    return handler(session, request)
