"""Exception filters with conditions, and what there is to say about the exception of a stop."""

from __future__ import annotations

from remora.dap.capabilities import EXCEPTION_FILTERS
from remora.dap.errors import UNSUPPORTED, UsageError
from remora.engine import ExceptionFilter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from remora.agent.session import Handler, Pending, Request, Session
    from remora.values import ExceptionDetails

KNOWN = tuple(str(one["filter"]) for one in EXCEPTION_FILTERS)
BREAK_MODES = {"raised": "always", "uncaught": "unhandled", "userUnhandled": "userUnhandled"}


def set_exception_breakpoints(session: Session, request: Request) -> dict[str, Any]:
    """Replace the filters. The answer has one entry for each, in the order of the request."""
    wanted: list[ExceptionFilter] = []
    answers: list[dict[str, Any]] = []
    asked = [(name, None) for name in request.arguments.get("filters") or ()]
    asked += [
        (one["filterId"], one.get("condition") or None)
        for one in request.arguments.get("filterOptions") or ()
    ]
    for name, condition in asked:
        problem = _problem(name, condition)
        if problem:
            answers.append({"verified": False, "message": problem, "reason": "failed"})
        else:
            wanted.append(ExceptionFilter(name, condition))
            answers.append({"verified": True})
    try:
        session.agent.engine.set_exception_filters(wanted)
    except ValueError as error:
        raise UsageError(str(error)) from None
    return {"breakpoints": answers}


def _problem(name: str, condition: str | None) -> str | None:
    if name not in KNOWN:
        return f"there is no filter {name!r}; there are {', '.join(KNOWN)}"
    if condition is not None:
        try:
            compile(condition.strip(), "<condition>", "eval")
        except (SyntaxError, ValueError) as error:
            return f"the condition is no expression: {error}"
    return None


def exception_info(session: Session, request: Request) -> Pending:
    thread_id = request.arguments["threadId"]
    stop = session.stopped_thread(thread_id)
    exception = stop.exception
    if exception is None:
        raise UNSUPPORTED(command="exceptionInfo", reason=f"thread {thread_id} did not stop for an exception")
    mode = BREAK_MODES.get(stop.filter or "", "always")

    def work() -> dict[str, Any]:
        max_frames = session.agent.options.max_exception_frames
        details = session.agent.inspector.exception_info(exception, max_frames)
        return {
            "exceptionId": details.full_type_name,
            "description": details.message or details.description,
            "breakMode": mode,
            "details": _details(details),
        }

    return session.on_thread(
        request, thread_id, work, timeout_s=session.agent.settings.watch_timeout_s, what="exceptionInfo"
    )


def _details(details: ExceptionDetails) -> dict[str, Any]:
    message = "\n".join((details.message, *details.notes))
    body: dict[str, Any] = {
        "message": message,
        "typeName": details.type_name,
        "fullTypeName": details.full_type_name,
        "stackTrace": details.stack_trace,
    }
    if details.evaluate_name:
        body["evaluateName"] = details.evaluate_name
    if details.inner:
        body["innerException"] = [_details(one) for one in details.inner]
    return body


HANDLERS: dict[str, Handler] = {
    "setExceptionBreakpoints": set_exception_breakpoints,
    "exceptionInfo": exception_info,
}
