"""The three kinds of message, made and told apart. Plain dicts: they go to and come from JSON as they are.

Rules that real clients impose and that are kept here, once: an event always has a body, `success`
is exactly true or false, `arguments` may be missing or null and then read as `{}`.
Source: DAP, "Base Protocol".
"""

from __future__ import annotations

from remora.dap.errors import NOT_A_REQUEST, DapError, DebuggeeError, ProtocolError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = [
    "DapError",
    "DebuggeeError",
    "ProtocolError",
    "UsageError",
    "arguments_of",
    "error_response",
    "event",
    "read_request",
    "request",
    "response",
]


def request(seq: int, command: str, arguments: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Make a request; without arguments the property is left out."""
    message: dict[str, Any] = {"seq": seq, "type": "request", "command": command}
    if arguments is not None:
        message["arguments"] = arguments
    return message


def response(seq: int, request: Mapping[str, Any], body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Make the answer to a request that was carried out."""
    message: dict[str, Any] = {
        "seq": seq,
        "type": "response",
        "request_seq": request["seq"],
        "success": True,
        "command": request["command"],
    }
    if body is not None:
        message["body"] = body
    return message


def error_response(seq: int, request: Mapping[str, Any], error: DapError) -> dict[str, Any]:
    """Make the answer to a request that failed: `message` for a log, `body.error` to show.

    `request` may be ill-formed: whatever it lacks is filled in, since an answer must go out.
    """
    request_seq = request.get("seq")
    command = request.get("command")
    return {
        "seq": seq,
        "type": "response",
        "request_seq": request_seq if type(request_seq) is int else 0,
        "success": False,
        "command": command if isinstance(command, str) else "",
        "message": error.text,
        "body": {"error": error.to_message()},
    }


def event(seq: int, name: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Make an event; the body is `{}` at least."""
    return {"seq": seq, "type": "event", "event": name, "body": {} if body is None else body}


def read_request(message: Mapping[str, Any]) -> tuple[int, str, dict[str, Any]]:
    """Take a request apart: seq, command, arguments (`{}` for missing or null).

    Raise ProtocolError for anything that is no request. Client `seq` may repeat or go backwards: it
    is only carried back, never judged.
    """
    seq = message.get("seq")
    command = message.get("command")
    if message.get("type") != "request":
        raise NOT_A_REQUEST(got=f"a message of type {message.get('type')!r:.60}")
    if type(seq) is not int:
        raise NOT_A_REQUEST(got=f"one whose seq is {seq!r:.60}")
    if not isinstance(command, str):
        raise NOT_A_REQUEST(got=f"one whose command is {command!r:.60}")
    return seq, command, arguments_of(message)


def arguments_of(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request's arguments, `{}` where they are missing or null."""
    arguments = message.get("arguments")
    if arguments is None:
        return {}
    if not isinstance(arguments, dict):
        raise NOT_A_REQUEST(got=f"one whose arguments are {arguments!r:.60}, not an object")
    return arguments
