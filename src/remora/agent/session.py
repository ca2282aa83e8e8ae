"""A DAP session over one transport: requests in, strictly in order; answers and events out.

* Requests are taken apart and dispatched on the agent thread. While an errand is under way on a stopped
  thread (errand.py), later requests wait in `_inbox`, except those of URGENT, which act at once.
* Every request is answered exactly once; whatever a handler raises becomes the answer.

A session outlives its clients: after `disconnect` the hub's connection stays, and the next client begins
with `initialize` again.
"""

from __future__ import annotations

import os
import sys

from remora.agent.errand import Errand
from remora.agent.log import describe, is_on, log, log_exception
from remora.agent.transport import Transport
from remora.dap import messages
from remora.dap.errors import (
    CANCELLED,
    INTERNAL,
    NOT_STOPPED,
    SESSION_TAKEN,
    STALE_HANDLE,
    UNKNOWN_THREAD,
)
from remora.dap.framing import HTTP
from remora.dap.hello import GO

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections import deque
    from collections.abc import Callable
    from typing import Any

    from remora.agent.agent import Agent
    from remora.agent.quiet import Quiet
    from remora.dap.framing import FramingError
    from remora.engine import Breakpoint, Stop

    type Handler = Callable[[Session, Request], dict[str, Any] | Pending | None]
else:
    from _collections import deque  # the module `collections` is 4 ms of a child's start

URGENT = frozenset({"cancel", "disconnect", "terminate", "pause"})
# A client that floods us while a job runs is not read any further.
MAX_WAITING = 1000


class Request:
    """A request as it came."""

    __slots__ = ("arguments", "command", "message", "seq")

    def __init__(self, message: dict[str, Any]) -> None:
        self.message = message
        self.seq, self.command, self.arguments = messages.read_request(message)


class Pending:
    """What a handler returns when the answer comes later."""


PENDING = Pending()


class Session:
    """One conversation with a hub or a client."""

    def __init__(
        self, agent: Agent, sock: _socket.socket, *, peer: str, check: Callable[[object], None] | None = None
    ) -> None:
        """`check` gets the token of an attach and raises UsageError; None: a hub, which has checked."""
        self.agent = agent
        self.transport = Transport(sock, agent.loop, self)
        self.peer = self.who = peer
        self.check = check
        self.was_used = False  # a message has come
        self.stays = check is None  # a hub's connection outlives a disconnect
        self.on_closed: Callable[[Session, str], None] | None = None
        self._inbox: deque[Request] = deque()
        self._reset()

    def _reset(self) -> None:
        self.quiet: Quiet | None = None  # as soon as there are breakpoints of that kind
        self.client: dict[str, Any] = {}
        self.initialized = False
        self.attached = False
        self.ready = False  # configurationDone: the client sees stops from now on
        self.attach_request: Request | None = None
        self._held: deque[dict[str, Any]] = deque()
        self.first_line = 1
        self.first_column = 1
        # Which thread a frame or a variable belongs to, until the next resume.
        self.thread_of: dict[int, int] = {}
        self.goto_targets: dict[int, int] = {}
        self._errand: Errand | None = None
        self.stuck: dict[int, Errand] = {}  # given up, and still keeping their threads busy

    # --- the transport's receiver (agent thread)

    def received(self, message: dict[str, Any]) -> None:
        self.was_used = True
        try:
            if message.get("type") == "response":
                return  # we send no requests
            if message.get("type") == "event" and self.check is None:
                if message.get("event") == GO:
                    self.agent.let_go()
                return  # HOLD, above all: that it came is what it says
            request = Request(message)
        except messages.DapError as error:
            self.transport.send(messages.error_response(0, message, error))
            return
        if is_on():
            # Only what it is: arguments may hold a token, or the program's own secrets.
            log(f"{self.peer} asks {request.command} #{request.seq}")
        if request.command in URGENT:
            self._handle(request)
            return
        self._inbox.append(request)
        if len(self._inbox) > MAX_WAITING:
            self.transport.pause_reading()
        self._pump()

    def malformed(self, error: FramingError) -> None:
        if error.reason == HTTP:
            self.transport.send_bytes(b"HTTP/1.1 400 This port speaks DAP, not HTTP\r\n\r\n")
        else:
            self.transport.send(messages.error_response(0, {}, error))
        if not error.recoverable:
            self._drop_requests()
            self.agent.end(self)
            self.transport.hang_up()

    def closed(self, reason: str) -> None:
        self._drop_requests()
        self.agent.end(self)
        self._reset()
        if self.on_closed is not None:
            self.on_closed(self, reason)

    def render(self, origin: object, text: str, line: int) -> dict[str, Any]:
        """Make the output event of joined lines. Any thread."""
        if isinstance(origin, str):
            return messages.event(0, "output", {"category": origin, "output": text})
        stream = getattr(origin, "render", None)
        if stream is not None:
            return messages.event(0, "remoraLog", stream(text, line))
        path: str = origin.path  # type: ignore[attr-defined]
        return messages.event(
            0,
            "output",
            {
                "category": "console",
                "output": text,
                "source": source_of_path(path),
                "line": self.client_line(line),
            },
        )

    # --- dispatch (agent thread)

    def _pump(self) -> None:
        while self._inbox and self._errand is None:
            self._handle(self._inbox.popleft())
            if len(self._inbox) == MAX_WAITING // 2:
                self.transport.resume_reading()

    def _handle(self, request: Request) -> None:
        try:
            body = self.agent.dispatch(self, request)
        except Exception as error:
            self.fail(request, error)
        else:
            if not isinstance(body, Pending):
                self.respond(request, body)

    def cancel(self, request_seq: int) -> bool:
        """Cancel the request of that number if it waits or runs. Say whether it did."""
        for request in self._inbox:
            if request.seq == request_seq:
                self._inbox.remove(request)
                self.fail(request, CANCELLED())
                return True
        errand = self._errand
        if errand is not None and errand.request.seq == request_seq:
            errand.cancel()
            return True
        return False

    def _drop_requests(self) -> None:
        """The session ends: what waits is answered, what runs is answered and interrupted."""
        waiting, self._inbox = self._inbox, deque()
        self.leave_errand()
        while waiting:
            self.fail(waiting.popleft(), CANCELLED())
        self.transport.resume_reading()

    def leave_errand(self) -> None:
        """Answer what runs at once, and interrupt it."""
        errand = self._errand
        if errand is not None:
            errand.leave()

    def finish(self) -> None:
        """End what the client began; the connection stays if it is a hub's."""
        self._drop_requests()
        self.agent.end(self)
        self._reset()

    def admit(self, arguments: dict[str, Any]) -> None:
        """Check that this client may attach, and that no other one has; raise UsageError if not."""
        if self.check is not None:
            self.check(arguments.get("token"))
        other = self.agent.session
        if other is not None:
            raise SESSION_TAKEN(who=other.who)

    # --- answers and events (any thread)

    def respond(self, request: Request, body: dict[str, Any] | None = None) -> None:
        if is_on():
            log(f"answer to {request.command} #{request.seq}")
        self.transport.send(messages.response(0, request.message, body))

    def fail(self, request: Request, error: BaseException) -> None:
        """Answer with an error. One that is not meant for the client is a bug of ours: logged, and said."""
        if not isinstance(error, messages.DapError):
            # Not imported: whoever only listens has no engine yet; or that it cannot be loaded is the error.
            engine = sys.modules.get("remora.engine.engine")
            if engine is not None and isinstance(error, engine.NotStopped):
                error = messages.DebuggeeError(str(error), id=NOT_STOPPED.id)
        if not isinstance(error, messages.DapError):
            log_exception(request.command, error)
            error = INTERNAL(what=f"'{request.command}' failed with {describe(error)}")
        if is_on():
            log(f"refusal of {request.command} #{request.seq}")
        self.transport.send(messages.error_response(0, request.message, error))

    def event(self, name: str, body: dict[str, Any]) -> None:
        self.transport.send(messages.event(0, name, body))

    def say(self, text: str) -> None:
        """Show a line of ours in the client's console."""
        self.event("output", {"category": "console", "output": text})

    # --- what the engine tells (user threads)

    def stopped(self, stop: Stop) -> None:
        body: dict[str, Any] = {
            "reason": stop.reason.value,
            "description": stop.description,
            "threadId": stop.thread_id,
            "allThreadsStopped": True,
        }
        if stop.text:
            body["text"] = stop.text
        if stop.breakpoint_ids:
            body["hitBreakpointIds"] = list(stop.breakpoint_ids)
        if self.ready:
            self.event("stopped", body)
            return
        # The client is still setting its breakpoints; it learns of this when it has done so.
        self._held.append(body)
        if self.ready:
            self.send_held()

    def send_held(self) -> None:
        """Tell the stops that came before the client was ready. Any thread."""
        while self._held:
            try:
                body = self._held.popleft()
            except IndexError:
                return  # another thread has told it
            self.event("stopped", body)

    def resumed(self, thread_id: int | None) -> None:
        if thread_id is None:
            self.thread_of.clear()
            self.goto_targets.clear()
            self.agent.inspector.forget()
        else:
            # The others stay stopped, and so do their handles.
            for handle in [handle for handle, owner in list(self.thread_of.items()) if owner == thread_id]:
                self.thread_of.pop(handle, None)

    def breakpoint_changed(self, breakpoint: Breakpoint) -> None:
        self.event("breakpoint", {"reason": "changed", "breakpoint": self.describe_breakpoint(breakpoint)})

    def describe_breakpoint(self, breakpoint: Breakpoint) -> dict[str, Any]:
        """Make the DAP Breakpoint. Any thread."""
        body: dict[str, Any] = {
            "id": breakpoint.id,
            "verified": breakpoint.state.value == "verified",
            "source": source_of_path(breakpoint.path),
            "line": self.client_line(breakpoint.line),
        }
        if breakpoint.message:
            body["message"] = breakpoint.message
        if not body["verified"]:
            body["reason"] = breakpoint.state.value  # pending or failed: DAP's words are the engine's
        return body

    # --- work on a stopped thread

    def on_thread(
        self,
        request: Request,
        thread_id: int,
        work: Callable[[], dict[str, Any]],
        *,
        timeout_s: float | None,
        what: str,
    ) -> Pending:
        """Run `work` on a stopped thread and answer `request` with the body it returns, from there."""
        self._errand = errand = Errand(self, request, thread_id, work, timeout_s=timeout_s, what=what)
        try:
            errand.start()
        except BaseException:
            self._errand = None
            raise
        return PENDING

    def limit(self, seconds: float | None) -> None:
        """Let what remains of the errand take so long, if it had no limit. On the thread that does it."""
        errand = self._errand
        if errand is not None and errand.is_on_its_thread():
            errand.limit(seconds)

    def has_changed(self) -> None:
        """Let the client be told, after the answer, that values have changed. On the errand's thread."""
        errand = self._errand
        if errand is not None and errand.is_on_its_thread():
            errand.has_changed = True

    def errand_over(self, errand: Errand, *, given_up: bool) -> None:
        """Go on with the next request. On the agent thread, or on that of the errand."""
        if given_up:
            self.stuck[errand.thread_id] = errand
        if self._errand is errand:
            self._errand = None
            if self._inbox:
                self.agent.loop.soon(self._pump)

    def errand_back(self, errand: Errand) -> None:
        """What was given up has ended after all: its thread is free. On the agent thread."""
        if self.stuck.get(errand.thread_id) is errand:
            del self.stuck[errand.thread_id]

    # --- handles and threads

    def thread_of_handle(self, handle: int, what: str) -> int:
        thread_id = self.thread_of.get(handle)
        if thread_id is None:
            raise STALE_HANDLE(what=what, handle=handle)
        return thread_id

    def stopped_thread(self, thread_id: int) -> Stop:
        """Return why the thread is stopped. UNKNOWN_THREAD, NOT_STOPPED."""
        try:
            stop = self.agent.engine.stop_of(thread_id)
        except LookupError:
            raise UNKNOWN_THREAD(thread=thread_id) from None
        if stop is None:
            raise NOT_STOPPED(thread=thread_id)
        return stop

    def known_thread(self, thread_id: int) -> None:
        if not any(thread.id == thread_id for thread in self.agent.engine.threads()):
            raise UNKNOWN_THREAD(thread=thread_id)

    # --- lines and columns as the client counts them

    def client_line(self, line: int) -> int:
        return line - 1 + self.first_line

    def our_line(self, line: int) -> int:
        return line + 1 - self.first_line


def source_of_path(path: str) -> dict[str, Any]:
    """Make the DAP Source of a file of the debuggee; paths are mapped further out."""
    return {"name": os.path.basename(path), "path": path}


__all__ = ["PENDING", "Pending", "Request", "Session", "source_of_path"]
