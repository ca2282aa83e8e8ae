"""A small DAP adapter of ours, for tests of clients: it "runs" a toy program line by line.

`bear` makes a child: a fake adapter that waits on a port of its own and is announced as a hub announces one.

The toy program is a text whose lines run one after the other, in a function `work` that `<module>`
called; `evaluate` really evaluates, in `names`. Everything the client sends is in `requests`.
A test changes an answer with `adapter.answers["evaluate"] = function` and says things of its own with `emit`.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any

from remora.dap.check import check_message
from remora.dap.errors import DapError, UsageError
from remora.dap.framing import Decoder, encode
from remora.dap.messages import arguments_of, error_response, event, request, response

Body = dict[str, Any]
#: an answer that is sent later, or never
LATER = {"later": True}


class FakeAdapter:
    def __init__(
        self,
        path: str = "/toy/work.py",
        lines: int = 10,
        *,
        prints: Mapping[int, str] | None = None,
        exit_code: int = 0,
        names: Body | None = None,
        capabilities: Body | None = None,
        busy: bool = False,
        listens: bool = False,
    ) -> None:
        self.path, self.lines, self.exit_code, self.busy = path, lines, exit_code, busy
        self.prints = dict(prints or {})
        self.names = names if names is not None else {"a": 1, "b": [1, 2, 3], "word": "hi"}
        self.capabilities = {
            "supportsConfigurationDoneRequest": True,
            "supportsConditionalBreakpoints": True,
            "supportsSetVariable": True,
            "supportsCompletionsRequest": True,
            "supportsTerminateRequest": True,
            "supportTerminateDebuggee": True,
            "supportsExceptionInfoRequest": True,
            "exceptionBreakpointFilters": [
                {"filter": "raised", "label": "Raised Exceptions"},
                {"filter": "uncaught", "label": "Uncaught Exceptions", "default": True},
            ],
            **(capabilities or {}),
        }
        self.line = 0
        self.breakpoints: dict[str, list[Body]] = {}
        self.requests: list[Body] = []
        self.answers: dict[str, Callable[[Body], Body | None]] = {}
        self.replies: list[Body] = []
        self.problems: list[str] = []
        self.start: Body | None = None
        self.entry = False
        self._changed = threading.Condition()
        self._seq = 0
        self._sending = threading.Lock()
        self.children: list[FakeAdapter] = []
        self._listener = socket.create_server(("127.0.0.1", 0)) if listens else None
        if self._listener is None:
            self._ours, self.socket = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name="fake-adapter", daemon=True)
        self._thread.start()

    def __enter__(self) -> FakeAdapter:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
        assert self.problems == []

    def close(self) -> None:
        for child in self.children:
            child.close()
            self.problems += child.problems
        if self._listener is not None:
            # One that was not connected to sits in accept().
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        if hasattr(self, "_ours"):
            with contextlib.suppress(OSError):
                self._ours.shutdown(socket.SHUT_RDWR)
            self._ours.close()
        self._thread.join(10)

    # Children

    @property
    def port(self) -> int:
        assert self._listener is not None
        port: int = self._listener.getsockname()[1]
        return port

    def bear(self, pid: int, *, by_event: bool = False, **settings: Any) -> FakeAdapter:
        """Announce a child, which runs the same toy program; `settings` are those of its fake adapter."""
        child = FakeAdapter(**{"path": self.path, "lines": self.lines, **settings}, listens=True)
        self.children.append(child)
        configuration = {
            "type": "remora",
            "request": "attach",
            "name": f"child {pid}",
            "connect": {"host": "127.0.0.1", "port": child.port},
            "subProcessId": pid,
        }
        if by_event:
            self.emit("debugpyAttach", configuration)
        else:
            self.ask("startDebugging", {"request": "attach", "configuration": configuration})
        return child

    # What a test looks at

    def commands(self) -> list[str]:
        return [message["command"] for message in self.requests]

    def arguments(self, command: str) -> Body:
        """Return the arguments of the last request of this name."""
        return arguments_of([message for message in self.requests if message["command"] == command][-1])

    def wait_for_request(self, command: str, count: int = 1) -> Body:
        with self._changed:
            assert self._changed.wait_for(lambda: self.commands().count(command) >= count, 10), command
        return self.arguments(command)

    def wait_for_reply(self) -> Body:
        with self._changed:
            assert self._changed.wait_for(lambda: self.replies, 10)
            return self.replies.pop(0)

    # What a test says

    def emit(self, name: str, body: Body | None = None) -> None:
        self._send(lambda seq: event(seq, name, body))

    def ask(self, command: str, arguments: Body | None = None) -> None:
        self._send(lambda seq: request(seq, command, arguments))

    def answer(self, asked: Body, body: Body | None = None) -> None:
        self._send(lambda seq: response(seq, asked, body))

    def send_bytes(self, data: bytes) -> None:
        self._ours.sendall(data)

    def _send(self, make: Callable[[int], Body]) -> None:
        with self._sending, contextlib.suppress(OSError):
            self._seq += 1
            message = make(self._seq)
            if message.get("event") != "debugpyAttach":  # debugpy's own, in no specification
                self.problems += check_message(message)
            self._ours.sendall(encode(message))

    # The adapter

    def _serve(self) -> None:
        if self._listener is not None:
            try:
                self._ours, _ = self._listener.accept()
            except OSError:
                return
            self._listener.close()
        decoder = Decoder()
        while True:
            try:
                data = self._ours.recv(65536)
            except OSError:
                return
            if not data:
                return
            for message in decoder.feed(data):
                self._take(message)

    def _take(self, message: Body) -> None:
        self.problems += check_message(message)
        if message["type"] == "response":
            with self._changed:
                self.replies.append(message)
                self._changed.notify_all()
            return
        with self._changed:
            self.requests.append(message)
            self._changed.notify_all()
        command, arguments = message["command"], arguments_of(message)
        do = self.answers.get(command) or getattr(self, f"do_{command}", None)
        after: Callable[[], None] | None = None
        try:
            if do is None:
                raise DapError(f"the fake adapter knows no '{command}'")
            if command in ("launch", "attach") and command not in self.answers:
                self.start = message
                self.entry = bool(arguments.get("stopOnEntry"))
                self.emit("initialized")
                body: Any = LATER
            else:
                body = do(arguments)
            if callable(body):
                body = None, body
            if isinstance(body, tuple):
                body, after = body
            if body is not LATER:
                self.answer(message, body)
        except DapError as error:
            failure = error
            self._send(lambda seq: error_response(seq, message, failure))
        if after is not None:
            after()
        if command == "configurationDone" and self.start is not None:
            self.answer(self.start)
            if self.entry:
                self.stop("entry", 1)
            elif not self.busy:
                self.run()

    def stop(self, reason: str, line: int, **more: Any) -> None:
        self.line = line
        self.emit("stopped", {"reason": reason, "threadId": 1, "allThreadsStopped": True, **more})

    def run(self, until: int | None = None, reason: str = "step") -> None:
        """Run from behind the current line to a breakpoint, to line `until`, or to the end."""
        while True:
            if self.line in self.prints:
                self.emit("output", {"category": "stdout", "output": self.prints[self.line]})
            self.line += 1
            if self.line > self.lines:
                return self.end()
            here = [
                b for b in self.breakpoints.get(self.path, []) if b["line"] == self.line and self._hits(b)
            ]
            if here:
                return self.stop("breakpoint", self.line, hitBreakpointIds=[here[0]["line"]])
            if self.line == until:
                return self.stop(reason, self.line)

    def _hits(self, breakpoint: Body) -> bool:
        condition = breakpoint.get("condition")
        return not condition or bool(eval(condition, dict(self.names)))

    def end(self) -> None:
        self.emit("exited", {"exitCode": self.exit_code})
        self.emit("terminated")

    def do_initialize(self, arguments: Body) -> Body:
        return self.capabilities

    def do_launch(self, arguments: Body) -> None: ...

    do_attach = do_launch

    def do_configurationDone(self, arguments: Body) -> None: ...  # noqa: N802

    def do_setBreakpoints(self, arguments: Body) -> Body:  # noqa: N802
        path = arguments["source"]["path"]
        self.breakpoints[path] = arguments["breakpoints"]
        answer: list[Body] = []
        for wish in arguments["breakpoints"]:
            if wish["line"] > self.lines:
                answer.append({"verified": False, "message": "there is no such line"})
            else:
                answer.append({"id": wish["line"], "verified": True, "line": wish["line"]})
        return {"breakpoints": answer}

    def do_setFunctionBreakpoints(self, arguments: Body) -> Body:  # noqa: N802
        return {"breakpoints": [{"id": 100, "verified": True} for _ in arguments["breakpoints"]]}

    def do_setExceptionBreakpoints(self, arguments: Body) -> Body:  # noqa: N802
        return {}

    def do_continue(self, arguments: Body) -> Any:
        def go() -> None:
            if not self.busy:
                self.run()

        return {"allThreadsContinued": True}, go

    def do_next(self, arguments: Body) -> Any:
        return lambda: self.run(self.line + 1)

    do_stepIn = do_stepOut = do_next  # noqa: N815

    def do_pause(self, arguments: Body) -> Any:
        return lambda: self.stop("pause", max(self.line, 1))

    def do_threads(self, arguments: Body) -> Body:
        return {"threads": [{"id": 1, "name": "MainThread"}, {"id": 2, "name": "worker"}]}

    def do_stackTrace(self, arguments: Body) -> Body:  # noqa: N802
        source = {"name": self.path.rsplit("/", 1)[-1], "path": self.path}
        frames = [
            {"id": 11, "name": "work", "line": self.line, "column": 1, "source": source},
            {"id": 12, "name": "<module>", "line": self.lines, "column": 1, "source": source},
        ]
        levels = arguments.get("levels") or len(frames)
        start = arguments.get("startFrame") or 0
        return {"stackFrames": frames[start : start + levels], "totalFrames": len(frames)}

    def do_scopes(self, arguments: Body) -> Body:
        return {
            "scopes": [
                {
                    "name": "Locals",
                    "variablesReference": 50,
                    "expensive": False,
                    "presentationHint": "locals",
                },
                {"name": "Globals", "variablesReference": 51, "expensive": False},
            ]
        }

    def do_variables(self, arguments: Body) -> Body:
        match arguments["variablesReference"]:
            case 50:
                return {"variables": [self._variable(name, value) for name, value in self.names.items()]}
            case 51:
                return {"variables": []}
            case _:
                items = self.names["b"]
                return {"variables": [self._variable(str(i), item) for i, item in enumerate(items)]}

    def _variable(self, name: str, value: Any) -> Body:
        reference = 60 if isinstance(value, list) else 0
        return {
            "name": name,
            "value": repr(value),
            "type": type(value).__name__,
            "variablesReference": reference,
        }

    def do_evaluate(self, arguments: Body) -> Body:
        text = arguments["expression"]
        try:
            try:
                value = eval(text, {}, self.names)
            except SyntaxError:
                exec(text, {}, self.names)
                return {"result": "", "variablesReference": 0}
        except Exception as error:
            raise UsageError(f"{type(error).__name__}: {error}") from None
        shown = repr(value) if value is not None or arguments.get("context") != "repl" else ""
        return {"result": shown, "type": type(value).__name__, "variablesReference": 0}

    def do_completions(self, arguments: Body) -> Body:
        text = arguments["text"][: arguments["column"] - 1]
        start = len(text)
        while start and (text[start - 1].isalnum() or text[start - 1] == "_"):
            start -= 1
        word = text[start:]
        targets = [
            {"label": name, "start": start, "length": len(word)}
            for name in self.names
            if name.startswith(word)
        ]
        return {"targets": targets}

    def do_exceptionInfo(self, arguments: Body) -> Body:  # noqa: N802
        return {
            "exceptionId": "ValueError",
            "description": "no good",
            "breakMode": "always",
            "details": {"stackTrace": "Traceback: toy\nValueError: no good"},
        }

    def do_disconnect(self, arguments: Body) -> None: ...

    def do_terminate(self, arguments: Body) -> Any:
        return self.end
