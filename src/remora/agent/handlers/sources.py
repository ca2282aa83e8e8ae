"""Text of sources, and the modules that are loaded."""

from __future__ import annotations

import io
import os
import stat
import sys
import types

from remora.agent.session import source_of_path
from remora.dap.errors import STALE_HANDLE, UNSUPPORTED
from remora.values import StaleHandle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from remora.agent.session import Handler, Request, Session

_open = io.open  # programs patch `open`
_stat = os.stat
MAX_SOURCE_BYTES = 16 << 20


def source(session: Session, request: Request) -> dict[str, Any]:
    """Give the text behind a source reference, or of a file as the debuggee has it."""
    asked = request.arguments.get("source") or {}
    handle = request.arguments["sourceReference"] or asked.get("sourceReference") or 0
    if handle:
        try:
            text = session.agent.inspector.source(handle)
        except StaleHandle:
            raise STALE_HANDLE(what="source", handle=handle) from None
    else:
        text = _read(asked.get("path") or "")
    return {"content": text, "mimeType": "text/x-python"}


def _read(path: str) -> str:
    try:
        if not stat.S_ISREG(_stat(path).st_mode):  # a pipe would hold the agent for ever
            raise UNSUPPORTED(command="source", reason=f"{path!r} is no plain file")
        with _open(path, "rb") as file:
            data = file.read(MAX_SOURCE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UNSUPPORTED(command="source", reason=f"{path!r} cannot be read there: {reason}") from None
    if len(data) > MAX_SOURCE_BYTES:
        raise UNSUPPORTED(command="source", reason=f"{path!r} is larger than {MAX_SOURCE_BYTES >> 20} MB")
    return data.decode("utf-8", "replace")


def locations(session: Session, request: Request) -> dict[str, Any]:
    """Say where a value was written: `valueLocationReference` of a variable or a result."""
    reference = request.arguments["locationReference"]
    try:
        path, line = session.agent.inspector.location(reference)
    except StaleHandle:
        raise STALE_HANDLE(what="location", handle=reference) from None
    return {"source": source_of_path(path), "line": session.client_line(line)}


def modules(session: Session, request: Request) -> dict[str, Any]:
    found = _modules()
    start = max(request.arguments.get("startModule") or 0, 0)
    count = max(request.arguments.get("moduleCount") or 0, 0)
    page = found[start : start + count] if count else found[start:]
    described = []
    for name, path in page:
        body: dict[str, Any] = {"id": name, "name": name}
        if path:
            body["path"] = path
        described.append(body)
    return {"modules": described, "totalModules": len(found)}


def loaded_sources(session: Session, request: Request) -> dict[str, Any]:
    paths = {path: None for _, path in _modules() if path and path.endswith((".py", ".pyw"))}
    return {"sources": [source_of_path(path) for path in paths]}


def _modules() -> list[tuple[str, str | None]]:
    """List name and file of each module, running no code: `__getattr__` and lazy loading are bypassed."""
    found = []
    for name, module in sys.modules.copy().items():
        if not isinstance(module, types.ModuleType):
            continue
        path = object.__getattribute__(module, "__dict__").get("__file__")
        found.append((str(name), path if type(path) is str else None))
    return found


HANDLERS: dict[str, Handler] = {
    "source": source,
    "locations": locations,
    "modules": modules,
    "loadedSources": loaded_sources,
}
