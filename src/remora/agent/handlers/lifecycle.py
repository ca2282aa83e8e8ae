"""How a session begins and ends: initialize, attach, configurationDone, disconnect, terminate, cancel.

Order on the wire, which clients rely on: answer to initialize; attach; the event `initialized`; whatever the
client sets; configurationDone and its answer; then the answer to attach.
"""

from __future__ import annotations

import os
import sys

from remora.agent import interpreters
from remora.agent.session import PENDING
from remora.agent.settings import AttachOptions
from remora.dap.capabilities import CAPABILITIES
from remora.dap.errors import ALREADY_INITIALIZED, BAD_SETTING, SESSION_EXISTS, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from remora.agent.session import Handler, Pending, Request, Session


def initialize(session: Session, request: Request) -> dict[str, Any]:
    if session.attached:
        raise ALREADY_INITIALIZED()
    client = request.arguments
    session.client = client
    session.initialized = True
    session.first_line = 1 if client.get("linesStartAt1", True) else 0
    session.first_column = 1 if client.get("columnsStartAt1", True) else 0
    name = client.get("clientName") or client.get("clientID")
    if name:
        session.who = f"{name} ({session.peer})"
    return CAPABILITIES


def _program_name(session: Session) -> str:
    """Return the full path of the main program, as far as it has one."""
    argv = interpreters.argv or sys.argv
    argument = argv[0] if argv else ""
    if session.agent.is_ahead:
        # The main module is still ours.
        return os.path.abspath(argument) if os.path.isfile(argument) else argument
    # Absolute, and not lost when the program changes its folder.
    path = getattr(sys.modules.get("__main__"), "__file__", None)
    return path if isinstance(path, str) else argument


def attach(session: Session, request: Request) -> Pending:
    if session.attached:
        raise SESSION_EXISTS(command="attach")
    session.admit(request.arguments)
    options = read_options(session, request.arguments)
    session.agent.begin(session, options)
    session.attached = True
    session.attach_request = request
    session.event(
        "process",
        {
            "name": _program_name(session),
            "systemProcessId": os.getpid(),
            "isLocalProcess": True,
            "startMethod": "launch" if session.agent.start_method == "launch" else "attach",
            "pointerSize": 64 if sys.maxsize > 2**32 else 32,
        },
    )
    session.event("initialized", {})
    return PENDING


def configuration_done(session: Session, request: Request) -> Pending:
    session.respond(request)
    waiting, session.attach_request = session.attach_request, None
    if waiting is not None:
        session.respond(waiting)
    session.agent.configured(session)
    return PENDING


def disconnect(session: Session, request: Request) -> Pending:
    terminate_too = request.arguments.get("terminateDebuggee") is True and session.attached
    if interpreters.number:
        terminate_too = False  # it cannot be ended alone, and the process is not this session's
    # The program may run to its end as soon as it is let go: it waits for the answer to be out.
    with session.agent.goodbye:
        if terminate_too:
            session.agent.interrupt_program(session)
        session.finish()
        session.respond(request)
        session.transport.flush(stall_s=0.5)
        if not session.stays:
            session.transport.close("the client disconnected")
    return PENDING


def terminate(session: Session, request: Request) -> Pending:
    if interpreters.number:
        raise UsageError(
            f"an interpreter cannot be ended from outside; end its process ({os.getpid()}) in its own session"
        )
    session.respond(request)
    if session.attached:
        session.agent.interrupt_program(session)
    return PENDING


def cancel(session: Session, request: Request) -> None:
    """Cancel a request. One that is answered already is no error: the two have crossed."""
    number = request.arguments.get("requestId")
    if number is not None:
        session.cancel(number)


def read_options(session: Session, arguments: dict[str, Any]) -> AttachOptions:
    """Check the properties of an attach configuration that concern the debuggee; the others are the hub's."""
    agent = session.agent
    options = AttachOptions()
    options.just_my_code = _flag(arguments, "justMyCode", agent.settings.just_my_code)
    # What the hub reads itself is not to be seen twice.
    options.redirect_output = _flag(arguments, "redirectOutput", True) and not agent.captures_output
    options.show_return_value = _flag(arguments, "showReturnValue", True)
    options.stop_on_entry = _flag(arguments, "stopOnEntry", False)
    options.steps_resume_all = _flag(arguments, "steppingResumesAllThreads", True)
    rules = arguments.get("rules")
    if rules is not None:
        options.rules = _rules(rules)
    frames = arguments.get("maxExceptionStackFrames")
    if frames is not None:
        if type(frames) is not int or frames < 0:
            problem = f"must be a whole number, 0 or more, not {frames!r:.60}"
            raise BAD_SETTING(command="attach", setting="'maxExceptionStackFrames'", problem=problem)
        options.max_exception_frames = frames
    reload = arguments.get("autoReload")
    if reload is not None:
        options.auto_reload = _auto_reload(reload)
    return options


def _auto_reload(wish: object) -> dict[str, Any] | None:
    """Check what the hub may not have checked: a client can attach to the agent itself."""
    if not isinstance(wish, dict) or not isinstance(wish.get("enable", False), bool):
        problem = "must be an object with 'enable' (true or false)"
        raise BAD_SETTING(command="attach", setting="'autoReload'", problem=problem)
    for name in ("include", "exclude"):
        globs = wish.get(name)
        if globs is not None and not (
            isinstance(globs, list) and all(isinstance(one, str) and one for one in globs)
        ):
            raise BAD_SETTING(
                command="attach", setting=f"'autoReload.{name}'", problem="must be a list of texts"
            )
    interval = wish.get("pollingInterval")
    if interval is not None and (type(interval) not in (int, float) or not 0 < interval < 1e6):
        problem = "must be a number of seconds above 0"
        raise BAD_SETTING(command="attach", setting="'autoReload.pollingInterval'", problem=problem)
    return wish if wish.get("enable") else None


def _flag(arguments: dict[str, Any], name: str, default: bool) -> bool:
    value = arguments.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        problem = f"must be true or false, not {value!r:.60}"
        raise BAD_SETTING(command="attach", setting=f"'{name}'", problem=problem)
    return value


def _rules(rules: object) -> list[Any]:
    from remora.engine import Rule

    problem = "must be a list of objects with 'include' (true or false) and one of 'path' and 'module'"
    if not isinstance(rules, list):
        raise BAD_SETTING(command="attach", setting="'rules'", problem=problem)
    made = []
    for number, rule in enumerate(rules):
        path = rule.get("path") if isinstance(rule, dict) else None
        module = rule.get("module") if isinstance(rule, dict) else None
        include = rule.get("include") if isinstance(rule, dict) else None
        given = [value for value in (path, module) if value is not None]
        if not isinstance(include, bool) or len(given) != 1 or not isinstance(given[0], str):
            raise BAD_SETTING(command="attach", setting=f"'rules[{number}]'", problem=problem)
        made.append(Rule(include=include, path=path, module=module))
    return made


HANDLERS: dict[str, Handler] = {
    "initialize": initialize,
    "attach": attach,
    "configurationDone": configuration_done,
    "disconnect": disconnect,
    "terminate": terminate,
    "cancel": cancel,
}
