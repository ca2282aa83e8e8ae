"""Children of scopes and values, and giving them new values."""

from __future__ import annotations

from remora.dap.errors import EVALUATION_FAILED, STALE_HANDLE
from remora.values import EvaluationFailed, StaleHandle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from remora.agent.session import Handler, Pending, Request, Session
    from remora.values import Result, Variable


def variables(session: Session, request: Request) -> Pending:
    arguments = request.arguments
    handle = arguments["variablesReference"]
    thread_id = session.thread_of_handle(handle, "variable")
    start = max(arguments.get("start") or 0, 0)
    count = max(arguments.get("count") or 0, 0)
    kind = arguments.get("filter")
    hex = wants_hex(arguments)

    def work() -> dict[str, Any]:
        found = session.agent.inspector.variables(handle, start=start, count=count, filter=kind, hex=hex)
        return {"variables": [_describe(session, thread_id, one) for one in found]}

    return look(session, request, thread_id, work, "variables")


def look(
    session: Session, request: Request, thread_id: int, work: Callable[[], dict[str, Any]], what: str
) -> Pending:
    """Run a look on the stopped thread, with the time limit of looks and our words for its failures."""
    return session.on_thread(
        request,
        thread_id,
        lambda: guarded(work),
        timeout_s=session.agent.settings.variables_timeout_s,
        what=what,
    )


def guarded(work: Callable[[], dict[str, Any]], *, with_trace: bool = False) -> dict[str, Any]:
    """Run work of the values layer and turn its refusals into errors with an id."""
    try:
        return work()
    except StaleHandle as error:
        handle = error.args[0] if error.args else "?"
        raise STALE_HANDLE(what="variable", handle=handle) from None
    except EvaluationFailed as error:
        text = error.trace if with_trace and error.trace else error.message
        raise EVALUATION_FAILED(text=text) from None


def wants_hex(arguments: dict[str, Any]) -> bool:
    return (arguments.get("format") or {}).get("hex") is True


def _describe(session: Session, thread_id: int, variable: Variable) -> dict[str, Any]:
    body: dict[str, Any] = {
        "name": variable.name,
        "value": variable.text,
        "type": variable.type_name,
        "variablesReference": variable.handle,
    }
    if variable.evaluate_name:
        body["evaluateName"] = variable.evaluate_name
    if variable.location:
        body["valueLocationReference"] = variable.location
    _can_be_opened(session, thread_id, variable, body)
    hint: dict[str, Any] = {}
    if variable.kind != "data":
        hint["kind"] = variable.kind
    if variable.attributes:
        hint["attributes"] = list(variable.attributes)
    if variable.visibility != "public":
        hint["visibility"] = variable.visibility
    if variable.lazy:
        hint["lazy"] = True
    if hint:
        body["presentationHint"] = hint
    return body


def describe_result(session: Session, thread_id: int, result: Result, name: str) -> dict[str, Any]:
    """Make the body of an answer with one value, called `name` there."""
    body: dict[str, Any] = {name: result.text, "variablesReference": result.handle}
    if result.location:
        body["valueLocationReference"] = result.location
    if result.type_name:
        body["type"] = result.type_name
    _can_be_opened(session, thread_id, result, body)
    return body


def _can_be_opened(session: Session, thread_id: int, value: Variable | Result, body: dict[str, Any]) -> None:
    """Say in `body` how many children there are, and remember on which thread they are to be looked at."""
    if value.handle:
        session.thread_of[value.handle] = thread_id
        if value.named_count:
            body["namedVariables"] = value.named_count
        if value.indexed_count:
            body["indexedVariables"] = value.indexed_count


def set_variable(session: Session, request: Request) -> Pending:
    arguments = request.arguments
    handle = arguments["variablesReference"]
    thread_id = session.thread_of_handle(handle, "variable")
    hex = wants_hex(arguments)

    def work() -> dict[str, Any]:
        result = session.agent.inspector.set_variable(handle, arguments["name"], arguments["value"], hex=hex)
        session.has_changed()
        return describe_result(session, thread_id, result, "value")

    return look(session, request, thread_id, work, "setVariable")


HANDLERS: dict[str, Handler] = {"variables": variables, "setVariable": set_variable}
