"""Expressions: evaluate, setExpression, completions."""

from __future__ import annotations

from remora.agent.columns import from_utf16, to_utf16
from remora.agent.errand import NOBODY
from remora.agent.handlers.variables import describe_result, guarded, look, wants_hex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from remora.agent.session import Handler, Pending, Request, Session


def _place(session: Session, arguments: dict[str, Any]) -> tuple[int | None, int]:
    """Return the frame asked for and the thread to run on."""
    frame_id = arguments.get("frameId")
    if frame_id is not None:
        return frame_id, session.thread_of_handle(frame_id, "frame")
    return None, NOBODY


def evaluate(session: Session, request: Request) -> Pending:
    arguments = request.arguments
    expression = arguments["expression"]
    context = arguments.get("context") or "repl"
    frame_id, thread_id = _place(session, arguments)
    hex = wants_hex(arguments)
    settings = session.agent.settings
    in_console = context == "repl"
    redact = arguments.get("remoraRedact") is True

    def ran() -> None:
        # What was typed may take its time; showing what came of it may not.
        session.limit(settings.variables_timeout_s)

    def work() -> dict[str, Any]:
        if in_console:
            from remora.values.syntax import is_path  # late: what only a stop needs

            if not is_path(expression):
                session.has_changed()  # perhaps; and even if it fails
        result = session.agent.inspector.evaluate(expression, frame_id, context, hex=hex, ran=ran)
        body = describe_result(session, thread_id, result, "result")
        hint: dict[str, Any] = {}
        if result.kind != "data":
            hint["kind"] = result.kind
        if result.attributes:
            hint["attributes"] = list(result.attributes)
        if hint:
            body["presentationHint"] = hint
        if redact:
            from remora.values.redaction import redacted  # late: only `remora eval` asks for it

            body["result"] = redacted(expression, body["result"])
        return body

    return session.on_thread(
        request,
        thread_id,
        lambda: guarded(work, with_trace=in_console),
        timeout_s=settings.evaluate_timeout_s if in_console else settings.watch_timeout_s,
        what=expression if len(expression) <= 60 else expression[:57] + "...",
    )


def set_expression(session: Session, request: Request) -> Pending:
    arguments = request.arguments
    frame_id, thread_id = _place(session, arguments)
    hex = wants_hex(arguments)

    def work() -> dict[str, Any]:
        result = session.agent.inspector.set_expression(
            arguments["expression"], arguments["value"], frame_id, hex=hex
        )
        session.has_changed()
        return describe_result(session, thread_id, result, "value")

    return look(session, request, thread_id, work, "setExpression")


def completions(session: Session, request: Request) -> Pending:
    arguments = request.arguments
    text = arguments["text"]
    frame_id, thread_id = _place(session, arguments)
    lines = text.split("\n")
    line = min(max(session.our_line(arguments.get("line") or session.first_line) - 1, 0), len(lines) - 1)
    column = from_utf16(lines[line], arguments["column"] - session.first_column)

    def work() -> dict[str, Any]:
        found = session.agent.inspector.completions(text, column, line, frame_id)
        targets = []
        for one in found:
            start = to_utf16(lines[line], one.start)
            target: dict[str, Any] = {
                "label": one.label,
                "type": one.type,
                "start": start + session.first_column,
                "length": to_utf16(lines[line], one.start + one.length) - start,
            }
            if one.text != one.label:
                target["text"] = one.text
            if one.detail:
                target["detail"] = one.detail
            if one.sort_text != one.label:
                target["sortText"] = one.sort_text
            targets.append(target)
        return {"targets": targets}

    return look(session, request, thread_id, work, "completions")


HANDLERS: dict[str, Handler] = {
    "evaluate": evaluate,
    "setExpression": set_expression,
    "completions": completions,
}
