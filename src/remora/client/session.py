"""The usual moves of a debugging session, each in one call: start, set breakpoints, wait for a stop,
look, step, evaluate, end.

A thin layer: every call is one or two requests, and `client` is there for the rest. Frame ids and
variable references are valid until the program goes on, as in DAP. Not thread-safe by itself: one
thread drives a session; `client` may be used from any, and so may `copy_stops` about a parent.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from remora.client.client import DEFAULT_TIMEOUT_S, Body, Client, Pending

if TYPE_CHECKING:
    from remora.client.family import Family

CLIENT_FEATURES: Body = {
    "clientID": "remora",
    "clientName": "remora",
    "adapterID": "remora",
    "locale": "en-US",
    "linesStartAt1": True,
    "columnsStartAt1": True,
    "pathFormat": "path",
    "supportsVariableType": True,
    "supportsVariablePaging": True,
    "supportsInvalidatedEvent": True,
}


class Stop:
    """A `stopped` event."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self.reason: str = body.get("reason", "")
        self.thread_id: int = body.get("threadId", 0)
        self.text: str = body.get("text") or body.get("description") or ""
        self.breakpoint_ids: list[int] = body.get("hitBreakpointIds") or []

    def __repr__(self) -> str:
        return f"Stop({self.body!r})"


class DebugSession:
    """One program being debugged through one client."""

    def __init__(
        self,
        client: Client,
        *,
        features: Mapping[str, Any] | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        family: Family | None = None,
        parent: DebugSession | None = None,
        configuration: Body | None = None,
    ) -> None:
        """Take a client that nothing was sent through yet; `features` go into `initialize`.

        With a `family` it follows the program's children: they are in `children` as sessions of their own.
        `parent` and `configuration` (what the parent's adapter said) are those of a child.
        """
        self.client = client
        self.timeout_s = timeout_s
        self.family = family
        self.parent = parent
        self.configuration: Body = configuration or {}
        self.features: Body = dict(features or {})
        self.capabilities: Body = {}
        self.thread_id = 0  # the thread of the last stop: what the moves are about, unless told otherwise
        self.is_stopped = False
        self._start: Pending | None = None
        self.is_configured = False
        # What stops the program, for children. Guarded: they copy it on threads of their own.
        self._stops_lock = threading.Lock()
        self._breakpoints: dict[str, list[Body]] = {}
        self._function_breakpoints: list[Body] | None = None
        self._exception_filters: Body | None = None
        if family is not None:
            family.adopt(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; of the first session of a family all connections."""
        if self.family is not None and self.parent is None:
            self.family.close()
        self.client.close()

    def ask(self, command: str, arguments: Mapping[str, Any] | None = None) -> Body:
        """Send any request and return the body of its answer."""
        return self.client.request(command, arguments, timeout_s=self.timeout_s)

    # Starting and ending

    def initialize(self) -> Body:
        """Introduce ourselves; return (and keep) what the other side can do."""
        follows: Body = {} if self.family is None else {"supportsStartDebuggingRequest": True}
        self.capabilities = self.ask("initialize", {**CLIENT_FEATURES, **follows, **self.features})
        return self.capabilities

    def begin(self, command: str, arguments: Mapping[str, Any], *, timeout_s: float | None = None) -> None:
        """Send `launch` or `attach` and wait until breakpoints may be set; `initialize` first if need be.

        RequestFailed if the request is refused. `configuration_done` must follow.
        """
        if not self.capabilities:
            self.initialize()
        self._start = self.client.send(command, arguments)
        self.client.wait_for("initialized", unless=self._start, timeout_s=timeout_s or self.timeout_s)

    def configuration_done(self) -> Body:
        """Say that all breakpoints are set, and return the body of the answer to `launch` or `attach`."""
        self.is_configured = True
        self.ask("configurationDone")
        assert self._start is not None
        return self._start.result(self.timeout_s)

    def launch(
        self,
        *,
        breakpoints: Mapping[str | os.PathLike[str], Iterable[int | Body]] | None = None,
        exception_filters: Sequence[str] | None = None,
        **arguments: Any,
    ) -> None:
        """Start a program with these settings and breakpoints, and let it run."""
        self._begin_all("launch", arguments, breakpoints, exception_filters)

    def attach(
        self,
        *,
        breakpoints: Mapping[str | os.PathLike[str], Iterable[int | Body]] | None = None,
        exception_filters: Sequence[str] | None = None,
        **arguments: Any,
    ) -> None:
        """Attach to the program behind this connection, with these breakpoints."""
        self._begin_all("attach", arguments, breakpoints, exception_filters)

    def _begin_all(
        self,
        command: str,
        arguments: Mapping[str, Any],
        breakpoints: Mapping[str | os.PathLike[str], Iterable[int | Body]] | None,
        exception_filters: Sequence[str] | None,
    ) -> None:
        self.begin(command, arguments)
        for path, wishes in (breakpoints or {}).items():
            self.set_breakpoints(path, wishes)
        if exception_filters is not None:
            self.set_exception_filters(*exception_filters)
        self.configuration_done()

    def disconnect(self, *, terminate: bool | None = None) -> None:
        """Leave the session: None lets the adapter decide about the program's life."""
        self.ask("disconnect", {} if terminate is None else {"terminateDebuggee": terminate})

    def terminate(self) -> None:
        """Ask the program to end."""
        self.ask("terminate", {})

    def wait_exit(self, *, timeout_s: float | None = None) -> int | None:
        """Wait for `terminated`; return the exit code, None if none was told."""
        self.client.wait_for("terminated", timeout_s=self.timeout_s if timeout_s is None else timeout_s)
        codes = [body.get("exitCode") for body in self.client.seen("exited")]
        return codes[-1] if codes else None

    # Children

    @property
    def process_id(self) -> int:
        """The program's process id; 0 if the adapter has not told it."""
        told = [body.get("systemProcessId") for body in self.client.seen("process")]
        return int((told and told[-1]) or self.configuration.get("subProcessId") or 0)

    @property
    def children(self) -> list[DebugSession]:
        """The sessions of this program's own children so far, in the order they came."""
        sessions = self.family.sessions if self.family is not None else []
        return [each for each in sessions if each.parent is self]

    def wait_child(
        self,
        *,
        where: Callable[[DebugSession], bool] | None = None,
        timeout_s: float | None = None,
    ) -> DebugSession:
        """Return the next child of this program, attached to and configured; each once. TimedOut."""
        if self.family is None:
            raise ValueError("this session does not follow children; give it a family")
        timeout_s = self.timeout_s if timeout_s is None else timeout_s
        return self.family.wait_child(self, where=where, timeout_s=timeout_s)

    def copy_stops(self, other: DebugSession) -> None:
        """Set the breakpoints and exception filters that were set in another session."""
        with other._stops_lock:
            breakpoints = {path: list(wishes) for path, wishes in other._breakpoints.items()}
            functions, filters = other._function_breakpoints, other._exception_filters
        for path, wishes in breakpoints.items():
            if wishes:
                self.set_breakpoints(path, wishes)
        if functions:
            self.set_function_breakpoints(functions)
        if filters is not None:
            self._set_filters(filters)

    # Breakpoints

    def set_breakpoints(
        self, path: str | os.PathLike[str], wishes: Iterable[int | Mapping[str, Any]]
    ) -> list[Body]:
        """Replace a file's breakpoints by lines or DAP `SourceBreakpoint`s; return what became of them."""
        breakpoints = [{"line": wish} if isinstance(wish, int) else dict(wish) for wish in wishes]
        with self._stops_lock:
            self._breakpoints[os.fspath(path)] = breakpoints
        body = self.ask("setBreakpoints", {"source": {"path": os.fspath(path)}, "breakpoints": breakpoints})
        return list(body.get("breakpoints") or [])

    def set_function_breakpoints(self, wishes: Iterable[str | Mapping[str, Any]]) -> list[Body]:
        """Replace all function breakpoints by names or DAP `FunctionBreakpoint`s."""
        breakpoints = [{"name": wish} if isinstance(wish, str) else dict(wish) for wish in wishes]
        with self._stops_lock:
            self._function_breakpoints = breakpoints
        body = self.ask("setFunctionBreakpoints", {"breakpoints": breakpoints})
        return list(body.get("breakpoints") or [])

    def set_exception_filters(self, *filters: str | Mapping[str, Any]) -> None:
        """Replace the exception filters by names or DAP `ExceptionFilterOptions`."""
        names = [each for each in filters if isinstance(each, str)]
        options = [dict(each) for each in filters if not isinstance(each, str)]
        arguments: Body = {"filters": names}
        if options:
            arguments["filterOptions"] = options
        self._set_filters(arguments)

    def _set_filters(self, arguments: Body) -> None:
        with self._stops_lock:
            self._exception_filters = arguments
        self.ask("setExceptionBreakpoints", arguments)

    # Going on

    def stopped(self, reason: str | None = None, *, timeout_s: float | None = None) -> Stop:
        """Wait for the next stop (of this reason), and make its thread the current one."""
        body = self.client.wait_for(
            "stopped",
            where=None if reason is None else (lambda body: body.get("reason") == reason),
            timeout_s=self.timeout_s if timeout_s is None else timeout_s,
        )
        stop = Stop(body)
        self.thread_id = stop.thread_id or self.thread_id
        self.is_stopped = True
        return stop

    def move(self, command: str, thread_id: int | None = None, **arguments: Any) -> None:
        """Send `continue`, `next`, `stepIn`, `stepOut` or `pause`, by default for the current thread."""
        if command != "pause":
            self.is_stopped = False
        self.ask(command, {"threadId": thread_id or self.thread_id, **arguments})

    def resume(self, thread_id: int | None = None) -> None:
        """Let the program go on."""
        self.move("continue", thread_id)

    def step_over(self, thread_id: int | None = None) -> Stop:
        """Step over, and wait for the stop."""
        self.move("next", thread_id)
        return self.stopped()

    def step_in(self, thread_id: int | None = None) -> Stop:
        """Step in, and wait for the stop."""
        self.move("stepIn", thread_id)
        return self.stopped()

    def step_out(self, thread_id: int | None = None) -> Stop:
        """Step out, and wait for the stop."""
        self.move("stepOut", thread_id)
        return self.stopped()

    def pause(self, thread_id: int | None = None) -> Stop:
        """Stop the program where it is."""
        self.move("pause", thread_id or self.thread_id or 1)
        return self.stopped()

    # Looking

    def threads(self) -> list[Body]:
        """Return the threads."""
        return list(self.ask("threads").get("threads") or [])

    def stack(self, thread_id: int | None = None, *, start: int = 0, levels: int = 0) -> list[Body]:
        """Return the frames of a thread, innermost first; 0 levels: all."""
        arguments = {"threadId": thread_id or self.thread_id, "startFrame": start, "levels": levels}
        return list(self.ask("stackTrace", arguments).get("stackFrames") or [])

    def top(self, thread_id: int | None = None) -> Body:
        """Return the innermost frame of a thread."""
        return self.stack(thread_id, levels=1)[0]

    def scopes(self, frame_id: int | None = None) -> list[Body]:
        """Return the scopes of a frame, of the innermost one by default."""
        return list(self.ask("scopes", {"frameId": self._frame(frame_id)}).get("scopes") or [])

    def variables(self, reference: int, **paging: Any) -> list[Body]:
        """Return the children of a scope or variable; `start`, `count`, `filter` as in DAP."""
        return list(self.ask("variables", {"variablesReference": reference, **paging}).get("variables") or [])

    def locals(self, frame_id: int | None = None) -> dict[str, Body]:
        """Return the variables of the first scope of a frame by name."""
        scope = self.scopes(frame_id)[0]
        return {variable["name"]: variable for variable in self.variables(scope["variablesReference"])}

    def variable(self, *names: str, frame_id: int | None = None) -> Body:
        """Return a variable by its names from a scope inwards: `variable("order", "items", "0")`.

        The first name is looked for in each scope that is not expensive. KeyError names what is missing.
        """
        groups = [scope for scope in self.scopes(frame_id) if not scope.get("expensive")]
        for depth, name in enumerate(names):
            found = None
            known: list[str] = []
            for group in groups:
                for child in self.variables(group["variablesReference"]):
                    known.append(child["name"])
                    if found is None and child["name"] == name:
                        found = child
            if found is None:
                raise KeyError(f"no {'.'.join(names[: depth + 1])}; there are {', '.join(known[:30])}")
            groups = [found]
        return groups[0]

    def evaluate(self, expression: str, frame_id: int | None = None, *, context: str = "repl") -> str:
        """Evaluate in a frame, and return the text. No frame given: the innermost one, or none if running."""
        return str(self.evaluate_full(expression, frame_id, context=context).get("result", ""))

    def evaluate_full(self, expression: str, frame_id: int | None = None, *, context: str = "repl") -> Body:
        """Evaluate, and return the whole body of the answer."""
        arguments: Body = {"expression": expression, "context": context}
        if self.is_stopped:
            frame_id = self._frame(frame_id)
        if frame_id is not None:
            arguments["frameId"] = frame_id
        return self.ask("evaluate", arguments)

    def output(self, category: str | None = None) -> str:
        """Return what the program has written so far (to `stdout`, `stderr`, or all there is)."""
        return "".join(
            str(body.get("output", ""))
            for body in self.client.seen("output")
            if category is None or body.get("category", "console") == category
        )

    def _frame(self, frame_id: int | None) -> int:
        return int(self.top()["id"]) if frame_id is None else frame_id
