"""Going on: continue, the steps, pause, goto. The answer leaves before the program does."""

from __future__ import annotations

import os

from remora.agent.session import PENDING
from remora.dap.errors import CANNOT_JUMP, STALE_HANDLE
from remora.engine import StepKind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from remora.agent.session import Handler, Pending, Request, Session


def continue_(session: Session, request: Request) -> Pending:
    """Resume all threads, or one. Continuing what runs already is no error: two clients' clicks cross."""
    thread_id = request.arguments["threadId"]
    single = request.arguments.get("singleThread") is True
    if single:
        session.stopped_thread(thread_id)
    else:
        session.known_thread(thread_id)
    session.respond(request, {"allThreadsContinued": not single})
    session.agent.engine.resume(thread_id if single else None)
    return PENDING


def _step(session: Session, request: Request, kind: StepKind) -> Pending:
    thread_id = request.arguments["threadId"]
    session.stopped_thread(thread_id)
    session.respond(request)
    alone = request.arguments.get("singleThread") is True or not session.agent.options.steps_resume_all
    session.agent.engine.step(thread_id, kind, alone=alone)
    return PENDING


def next_(session: Session, request: Request) -> Pending:
    return _step(session, request, StepKind.OVER)


def step_in(session: Session, request: Request) -> Pending:
    return _step(session, request, StepKind.IN)


def step_out(session: Session, request: Request) -> Pending:
    return _step(session, request, StepKind.OUT)


def pause(session: Session, request: Request) -> Pending:
    thread_id = request.arguments["threadId"]
    session.known_thread(thread_id)
    session.respond(request)
    agent = session.agent
    if agent.is_ahead and not session.ready:
        agent.options.stop_on_entry = True  # where it is now is in remora
        return PENDING
    agent.engine.pause(thread_id)
    return PENDING


def goto_targets(session: Session, request: Request) -> dict[str, Any]:
    """Offer the line itself when a stopped thread is in that file; whether it is legal, goto says."""
    path = request.arguments["source"].get("path")
    line = session.our_line(request.arguments["line"])
    if not path or not any(_stands_in(session, thread.id, path) for thread in session.agent.engine.threads()):
        return {"targets": []}
    session.goto_targets[line] = line
    target = {"id": line, "label": f"line {session.client_line(line)}", "line": session.client_line(line)}
    return {"targets": [target]}


def _stands_in(session: Session, thread_id: int, path: str) -> bool:
    engine = session.agent.engine
    if engine.stop_of(thread_id) is None:
        return False
    entries, _ = engine.stack(thread_id, 0, 1)
    if not entries:
        return False
    filename = entries[0].frame.f_code.co_filename
    return filename == path or os.path.realpath(filename) == os.path.realpath(path)


def goto(session: Session, request: Request) -> Pending:
    thread_id = request.arguments["threadId"]
    target = request.arguments["targetId"]
    stop = session.stopped_thread(thread_id)
    line = session.goto_targets.get(target)
    if line is None:
        raise STALE_HANDLE(what="goto target", handle=target)
    if stop.post_mortem:
        raise CANNOT_JUMP(reason="the exception has already left these frames")
    try:
        warnings = session.agent.engine.jump(thread_id, line)
    except ValueError as error:
        raise CANNOT_JUMP(reason=str(error)) from error
    session.respond(request)
    for warning in warnings:
        session.say(f"remora: {warning}\n")
    body = {
        "reason": "goto",
        "description": "Paused after a jump",
        "threadId": thread_id,
        "allThreadsStopped": True,
    }
    session.event("stopped", body)
    return PENDING


HANDLERS: dict[str, Handler] = {
    "continue": continue_,
    "next": next_,
    "stepIn": step_in,
    "stepOut": step_out,
    "pause": pause,
    "gotoTargets": goto_targets,
    "goto": goto,
}
