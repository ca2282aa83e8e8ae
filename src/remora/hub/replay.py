"""What a client has asked of a debuggee, for a new image of it (exec) to be asked again.

Breakpoints, exception filters: whatever holds until it is set anew. The new image counts its breakpoints
anew; the client keeps the ids it knows, so from then on every id that passes is translated.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    type Key = tuple[str, object, object]

# Not data breakpoints: what they watch went with the old image. Nor instruction breakpoints.
_REPEATED = frozenset(("setBreakpoints", "setFunctionBreakpoints", "setExceptionBreakpoints"))


class Replay:
    """The memory of one client's session."""

    __slots__ = ("_highest", "_ids", "_keys", "_wishes")

    def __init__(self) -> None:
        self._wishes: dict[Key, _Wish] = {}
        self._keys: dict[int, Key] = {}  # of requests not answered yet
        # The agent's number of a breakpoint -> the client's; None until there has been a new image.
        self._ids: dict[int, int] | None = None
        self._highest = 0

    # While an image lives.

    def asked(self, seq: int, command: str, arguments: Any) -> None:
        """A request goes to the agent under this number."""
        if command in _REPEATED and isinstance(arguments, dict):
            source = arguments.get("source") or {}
            key = (command, source.get("path"), source.get("sourceReference"))
            self._wishes[key] = _Wish(command, arguments)
            self._keys[seq] = key

    def answered(self, seq: int, message: dict[str, Any]) -> None:
        """Translate the ids in an answer, in place, and remember them."""
        key = self._keys.pop(seq, None)
        if key is None:
            return
        body = message.get("body") or {}
        breakpoints = body.get("breakpoints") or []
        self._translate(breakpoints)
        wish = self._wishes.get(key)
        if wish is None:
            return
        wish.ids = [breakpoint.get("id") for breakpoint in breakpoints]
        if not any(wish.arguments.get(name) for name in ("breakpoints", "lines", "filters", "filterOptions")):
            del self._wishes[key]

    def event(self, message: dict[str, Any]) -> None:
        """Translate the ids in an event, in place."""
        body = message.get("body")
        if not isinstance(body, dict):
            return
        if message.get("event") == "breakpoint" and isinstance(body.get("breakpoint"), dict):
            self._translate([body["breakpoint"]])
        elif message.get("event") == "stopped" and self._ids is not None:
            hit = body.get("hitBreakpointIds")
            if isinstance(hit, list):
                body["hitBreakpointIds"] = [self._client_id(each) for each in hit]

    # With a new image.

    def begin_again(self) -> list[Key]:
        """Forget the old image's numbers; return what is to be asked of the new one."""
        self._ids = {}
        self._keys.clear()
        return list(self._wishes)

    def request(self, key: Key) -> tuple[str, Any]:
        """Return command and arguments."""
        wish = self._wishes[key]
        return wish.command, wish.arguments

    def repeated(self, key: Key, body: dict[str, Any]) -> list[dict[str, Any]]:
        """Take the new image's answer; return its breakpoints as the client knows them."""
        wish = self._wishes.get(key)
        breakpoints: list[dict[str, Any]] = body.get("breakpoints") or []
        if wish is None or self._ids is None:
            return []
        for breakpoint, known in zip(breakpoints, wish.ids, strict=False):
            if isinstance(known, int) and isinstance(breakpoint.get("id"), int):
                self._ids[breakpoint["id"]] = known
        self._translate(breakpoints)
        return [breakpoint for breakpoint in breakpoints if "id" in breakpoint]

    # Inside.

    def _translate(self, breakpoints: list[dict[str, Any]]) -> None:
        for breakpoint in breakpoints:
            number = breakpoint.get("id")
            if isinstance(number, int):
                breakpoint["id"] = self._client_id(number)

    def _client_id(self, number: int) -> int:
        known = number
        if self._ids is not None:
            if number not in self._ids:
                self._ids[number] = self._highest + 1
            known = self._ids[number]
        self._highest = max(self._highest, known)
        return known


class _Wish:
    __slots__ = ("arguments", "command", "ids")

    def __init__(self, command: str, arguments: dict[str, Any]) -> None:
        self.command = command
        self.arguments = arguments
        self.ids: list[Any] = []  # the client's
