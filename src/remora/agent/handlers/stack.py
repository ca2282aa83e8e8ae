"""Threads, stacks and scopes."""

from __future__ import annotations

from remora.agent.columns import client_column
from remora.agent.session import source_of_path
from remora.dap.errors import NOT_STOPPED, UNKNOWN_THREAD
from remora.engine import ThreadState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from remora.agent.session import Handler, Pending, Request, Session
    from remora.engine import StackEntry
    from remora.values import FrameDescription

SCOPE_HINTS = {"locals": "locals", "returnValue": "returnValue", "globals": "globals"}


def threads(session: Session, request: Request) -> dict[str, Any]:
    found = [
        {
            "id": thread.id,
            # A thread in C code cannot be held until it comes back: say so where a person looks.
            "name": f"{thread.name} (blocked)" if thread.state is ThreadState.BLOCKED else thread.name,
        }
        for thread in session.agent.engine.threads()
    ]
    return {"threads": found}


def stack_trace(session: Session, request: Request) -> dict[str, Any]:
    arguments = request.arguments
    thread_id = arguments["threadId"]
    start = max(arguments.get("startFrame") or 0, 0)
    levels = max(arguments.get("levels") or 0, 0)
    format = arguments.get("format") or {}
    engine = session.agent.engine
    if engine.stop_of(thread_id) is None:
        state = next((thread.state for thread in engine.threads() if thread.id == thread_id), None)
        if state is None:
            raise UNKNOWN_THREAD(thread=thread_id)
        if state is ThreadState.RUNNING:
            raise NOT_STOPPED(thread=thread_id)
    entries, total = engine.stack(thread_id, start, levels)
    frames = [
        _frame(session, thread_id, start + number, entry, format) for number, entry in enumerate(entries)
    ]
    return {"stackFrames": frames, "totalFrames": total}


def _frame(
    session: Session, thread_id: int, index: int, entry: StackEntry, format: dict[str, Any]
) -> dict[str, Any]:
    inspector = session.agent.inspector
    handle = inspector.frame_handle(thread_id, index, entry)
    session.thread_of[handle] = thread_id
    described = inspector.describe_frame(entry)
    name = described.name
    if format.get("module"):
        name = f"{described.module_name}.{name}"
    if format.get("line"):
        name = f"{name}:{session.client_line(entry.line)}"
    path = described.source_path
    first = session.first_column
    body: dict[str, Any] = {
        "id": handle,
        "name": name,
        "line": session.client_line(entry.line),
        "column": client_column(path, entry.line, entry.column, first),
    }
    if entry.end_line is not None and entry.end_column is not None:
        body["endLine"] = session.client_line(entry.end_line)
        body["endColumn"] = client_column(path, entry.end_line, entry.end_column, first)
    source = _source(described, entry)
    if source is not None:
        body["source"] = source
        if not entry.user_code:
            source["presentationHint"] = "deemphasize"
            source.setdefault("origin", "library code")
    if described.module_name:
        body["moduleId"] = described.module_name
    if not entry.user_code:
        body["presentationHint"] = "subtle"
    return body


def _source(described: FrameDescription, entry: StackEntry) -> dict[str, Any] | None:
    if described.source_path is not None:
        return source_of_path(described.source_path)
    source: dict[str, Any] = {"name": described.source_name, "path": entry.frame.f_code.co_filename}
    if described.source_handle:
        source["sourceReference"] = described.source_handle
    if described.origin:
        source["origin"] = described.origin
    return source


def scopes(session: Session, request: Request) -> Pending:
    frame_id = request.arguments["frameId"]
    thread_id = session.thread_of_handle(frame_id, "frame")

    def work() -> dict[str, Any]:
        found = []
        for scope in session.agent.inspector.scopes(frame_id):
            body: dict[str, Any] = {
                "name": scope.name,
                "variablesReference": scope.handle,
                "expensive": scope.expensive,
                "namedVariables": scope.named_count,
            }
            if scope.indexed_count:
                body["indexedVariables"] = scope.indexed_count
            hint = SCOPE_HINTS.get(scope.kind)
            if hint:
                body["presentationHint"] = hint
            session.thread_of[scope.handle] = thread_id
            found.append(body)
        return {"scopes": found}

    return session.on_thread(
        request, thread_id, work, timeout_s=session.agent.settings.variables_timeout_s, what="scopes"
    )


def remora_stacks(session: Session, request: Request) -> dict[str, Any]:
    from remora.agent.stacks import stacks  # late: most clients never ask

    return stacks(session, request.arguments)


HANDLERS: dict[str, Handler] = {
    "threads": threads,
    "stackTrace": stack_trace,
    "scopes": scopes,
    "remoraStacks": remora_stacks,
}
