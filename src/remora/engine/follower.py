"""The follower tool's events: who wants which events of which code object, and of all code.

Steps, stops and watched places ask for events independently; one code object gets the union. The follower
returns DISABLE only for code nobody would ever stop in, so what it has switched on works for every step.
"""

from __future__ import annotations

from .monitoring import INSTRUCTION, PY_START

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

    from .monitoring import Tool


class FollowerEvents:
    """Requests for events, by who asks. The caller holds the world's lock."""

    __slots__ = ("_global", "_kept", "_local", "_tool")

    def __init__(self) -> None:
        self._tool: Tool | None = None
        self._global: dict[object, int] = {}
        self._local: dict[int, tuple[CodeType, dict[object, int]]] = {}
        self._kept: set[int] = set()  # ids of code whose start is kept instrumented; does not keep it alive

    def attach(self, tool: Tool) -> None:
        self._tool = tool

    def detach(self) -> None:
        tool, self._tool = self._tool, None
        if tool is not None:
            tool.set_events(0)
            for code, _ in list(self._local.values()):
                tool.set_local(code, 0)
        self._global.clear()
        self._local.clear()
        self._kept.clear()

    def want(self, who: object, events: int) -> None:
        """Ask for events of all code; 0 takes the request back."""
        if events:
            self._global[who] = events
        elif self._global.pop(who, None) is None:
            return
        if self._tool is None:
            return
        self._tool.set_events(_union(self._global))
        # CPython (3.12 to 3.15) loses INSTRUCTION events of a code object when, later, some event of it gets
        # its second tool: the table of tools per instruction is made then, and starts empty.
        for code, requests in self._local.values():
            local = _union(requests) | self._base(id(code))
            if local & INSTRUCTION:
                self._tool.rearm(code, local)

    def want_local(self, who: object, code: CodeType, events: int) -> None:
        """Ask for events of one code object; 0 takes the request back."""
        key = id(code)
        entry = self._local.get(key)
        if entry is None:
            if not events:
                return
            entry = self._local[key] = (code, {})
        requests = entry[1]
        if events:
            requests[who] = events
        elif requests.pop(who, None) is None:
            return
        if self._tool is not None:
            self._tool.set_local(code, _union(requests) | self._base(key))
        if not requests:
            del self._local[key]

    def keep_start(self, code: CodeType, *, on: bool) -> None:
        """Keep the RESUME at the begin of `code` instrumented, which makes LINE come for its own line.

        For a body that begins on the line of its `def` (`lambda: x`), CPython 3.13 to 3.15 tell LINE only if
        the instruction before is RESUME or INSTRUMENTED_RESUME; they forgot RESUME_CHECK, which it becomes.
        Whoever calls with `on` calls `forget_start` when the code dies.
        """
        key = id(code)
        if on is (key in self._kept):
            return
        if on:
            self._kept.add(key)
        else:
            self._kept.discard(key)
        entry = self._local.get(key)
        if self._tool is not None:
            self._tool.set_local(code, _union(entry[1] if entry is not None else {}) | self._base(key))

    def forget_start(self, key: int) -> None:
        self._kept.discard(key)

    def is_kept(self, code: CodeType) -> bool:
        return id(code) in self._kept

    def _base(self, key: int) -> int:
        return PY_START if key in self._kept else 0

    def make_room(self, code: CodeType, *, begin: bool) -> None:
        """Make CPython keep a table of tools per instruction for `code` from now on.

        To be called before (`begin`) and after INSTRUCTION events are set by the other tool, which would be
        lost otherwise: see `want`. The finder has PY_START everywhere, so with one of ours that event has two
        tools.
        """
        self.want_local("room", code, PY_START if begin else 0)

    def rearm(self, code: CodeType) -> None:
        """Make the places of `code` that were disabled fire again."""
        entry = self._local.get(id(code))
        if entry is not None and self._tool is not None:
            self._tool.rearm(code, _union(entry[1]) | self._base(id(code)))


def _union(requests: dict[object, int]) -> int:
    result = 0
    for events in requests.values():
        result |= events
    return result
