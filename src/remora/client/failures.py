"""What a client can meet: a refusal, a closed connection, silence."""

from __future__ import annotations

from typing import Any


class ClientError(Exception):
    """Any failure of a request or a wait."""


class RequestFailed(ClientError):
    """The other side answered `success: false`. `id` is 0 if it gave no number."""

    def __init__(self, command: str, response: dict[str, Any]) -> None:
        self.command = command
        self.response = response
        self.body: dict[str, Any] = response.get("body") or {}
        error = self.body.get("error")
        error = error if isinstance(error, dict) else {}
        self.id: int = error.get("id", 0)
        self.text = _filled_in(error) or response.get("message") or f"'{command}' failed, without a reason"
        super().__init__(self.text)


class Disconnected(ClientError):
    """The connection ended; the text says how."""


class TimedOut(ClientError, TimeoutError):
    """Nothing came in time; the text shows the last messages of the connection."""


def _filled_in(error: dict[str, Any]) -> str:
    """Return the text of a DAP `Message`. Values may hold braces, so each is put in once, by hand."""
    text, variables = error.get("format"), error.get("variables")
    if not isinstance(text, str):
        return ""
    if not isinstance(variables, dict):
        return text
    head, *rest = text.split("{")
    for part in rest:
        name, brace, tail = part.partition("}")
        known = brace and name in variables
        head += f"{variables[name]}{tail}" if known else "{" + part
    return head
