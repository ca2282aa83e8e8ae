"""What a person debugs: a target, its processes, and what is to stop them; how it begins and how it ends.

One thread, the one that runs commands, calls everything here, except what is marked. Readers of connections
and threads that open children leave word in `inbox`; `take` takes it in.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from typing import Any

from remora.client import ClientError, DebugSession, Pending, RequestFailed, Stop
from remora.client.client import DEFAULT_TIMEOUT_S
from remora.terminal.breakpoints import Breakpoint, Breakpoints
from remora.terminal.filters import Filters
from remora.terminal.inbox import Event, Happened, Inbox
from remora.terminal.news import News
from remora.terminal.process import CommandError, Process, State, short_name
from remora.terminal.processes import FAILED, JOINED, Follow, Processes
from remora.terminal.program import Program
from remora.terminal.screen import Screen
from remora.terminal.target import Target

Body = dict[str, Any]

#: how long a process may take to stop or to end when it is told to
PATIENCE_S = 5.0
# The program has said goodbye; what is left are its exit handlers and threads.
_EXIT_GRACE_S = 30.0
# remora's number for an attach that brings no token.
_TOKEN_NEEDED = 2002


class Debugger:
    """One target being debugged, again and again."""

    def __init__(self, target: Target, screen: Screen) -> None:
        self.target = target
        self.screen = screen
        self.breakpoints = Breakpoints()
        self.filters = Filters()
        self.news = News(screen, self.breakpoints)
        #: expressions shown at every stop
        self.displays: list[str] = []
        self.follow = Follow.RUN
        self.inbox = Inbox(self.news.say)
        #: the program, if it was started here
        self.program: Program | None = None
        self.processes = self._no_processes_yet()
        self.root.is_over()

    def _no_processes_yet(self) -> Processes:
        processes = Processes(short_name(self.target.describe()), self, self.inbox, lambda: self.follow)
        again = "starts it again" if self.target.is_local else "attaches again"
        processes.root.gone = f"the program is not running; `restart` {again}"
        return processes

    @property
    def process(self) -> Process:
        """The one commands are about."""
        return self.processes.current

    @property
    def root(self) -> Process:
        """The program itself."""
        return self.processes.root

    @property
    def capabilities(self) -> Body:
        """What the adapter can do; of the last session, if there is none now."""
        return self.root.capabilities

    @property
    def is_over(self) -> bool:
        """Whether nothing is debugged any more."""
        return not self.processes.living

    def open_processes(self) -> list[Process]:
        """Return those that can be told what to do."""
        return [each for each in self.processes.living if each.is_open]

    # Starting

    def start(self) -> None:
        """Open the target as far as breakpoints can be set. CommandError."""
        self.inbox.forget()
        self.processes = self._no_processes_yet()
        root = self.root
        try:
            client = self.target.open(
                on_reverse_request=self._on_reverse_request, **self.processes.callbacks(root)
            )
        except OSError as error:
            root.is_over()
            raise CommandError(str(error)) from error
        features = {
            "supportsRunInTerminalRequest": self.target.is_local,
            "supportsStartDebuggingRequest": self.target.arguments.get("subProcess") is not False,
        }
        root.session = DebugSession(client, features=features, family=self.processes)
        try:
            root.session.begin(
                self.target.command, self.target.arguments, timeout_s=self.target.begin_timeout_s
            )
        except ClientError as error:
            self._drop()
            if isinstance(error, RequestFailed) and error.id == _TOKEN_NEEDED:
                raise CommandError(
                    "this program asks for a token, which it printed when it was started: "
                    "put it into the variable REMORA_TOKEN"
                ) from error
            raise CommandError(str(error)) from error
        self.filters.choose_defaults(root)
        root.is_open = True
        try:
            self.breakpoints.send_all(root)
        except ClientError as error:
            self.screen.fail(str(error))

    def configure(self) -> None:
        """Let the program begin, if it has not yet. CommandError."""
        root = self.root
        if root.state is not State.CONFIGURING:
            return
        try:
            self.filters.send(root).result(DEFAULT_TIMEOUT_S)
            root.runs()
            root.session.configuration_done()
        except ClientError as error:
            raise CommandError(str(error)) from error

    def arm(self, process: Process) -> None:
        """Send a child everything that stops it. On the thread that opens it. ClientError."""
        # First: what is changed from now on is sent by who changes it, after what is sent here.
        process.is_open = True
        filters = self.filters.send(process)
        self.breakpoints.send_all(process)
        filters.result(DEFAULT_TIMEOUT_S)

    # Ending

    def leave(self) -> None:
        """End the session: what was launched is ended, what was attached to runs on."""
        self.processes.refuse()
        arguments = {"terminateDebuggee": self.target.is_local}
        farewells: list[Pending] = []
        # Children first: a program that waits for one that is stopped would not end.
        for process in reversed(self.processes.living):
            # Ourselves: an adapter interrupts as Ctrl-C does, and tracebacks would land in our terminal.
            if self.program is not None:
                if process is self.root:
                    self.program.end_gently(2.0)
                elif process.pid:
                    self.program.end_child(process.pid)
            if process.client is not None:
                with contextlib.suppress(ClientError):
                    farewells.append(process.client.send("disconnect", arguments))
        deadline = time.monotonic() + PATIENCE_S
        for farewell in farewells:
            with contextlib.suppress(ClientError):
                farewell.result(max(deadline - time.monotonic(), 0.1))
        self._drop()

    def detach(self, process: Process) -> None:
        """Debug a process no more; it runs on. CommandError."""
        answers_of([process.session.client.send("disconnect", {"terminateDebuggee": False})])
        if process is self.root and self.program is not None:
            self.program.let_go()
        process.is_detached = True
        self.news.say_free(process)
        self._over(process)

    def kill(self, process: Process) -> None:
        """End a process, gently first. CommandError."""
        client = process.session.client
        if self.program is not None:
            if process is self.root:
                self.program.end_gently(0.0)
            elif process.pid:
                self.program.end_child(process.pid)
        if process.capabilities.get("supportsTerminateRequest"):
            # A handler of its own would not run while it is stopped; this lets it go first.
            with contextlib.suppress(ClientError):
                client.send("terminate", {})
        deadline = time.monotonic() + PATIENCE_S
        while process.is_alive and (left_s := deadline - time.monotonic()) > 0:
            happened = self.inbox.take(left_s)
            if happened is Happened.INTERRUPT:
                return
            if happened is not None:
                self.take(happened)
        if process.is_alive:
            answers_of([client.send("disconnect", {"terminateDebuggee": True})])
            self.news.say_end(process)
            self._over(process)

    def kill_signal(self, number: int) -> None:
        """Send the current process a signal, if it was started here. CommandError."""
        if self.program is None:
            raise CommandError("the program is no child of this terminal")
        if self.process is self.root:
            self.program.signal(number)
        elif self.process.pid:
            os.kill(self.process.pid, number)

    def _over(self, process: Process) -> None:
        if process is not self.root:
            self.breakpoints.forget(process)
        self.processes.over(process)
        if self.is_over:
            self._drop()

    def _drop(self) -> None:
        self.processes.refuse()
        for process in self.processes:
            process.is_over()
        self.processes.current = self.root
        if self.program is not None:
            self.program.close(grace_s=2.0)
            self.program = None
        self.processes.close()

    # What happens: on the threads that read connections

    def on_event(self, process: Process, name: str, body: Body) -> None:
        match name:
            case "output":
                category = body.get("category") or "console"
                if category != "telemetry":
                    # The program's own lines are as it wrote them.
                    label = "" if process.is_root else f"{process.number}| "
                    try:
                        self.screen.program_output(str(body.get("output", "")), category, label)
                    except BrokenPipeError:
                        self.inbox.nobody_reads()
            case "process":
                process.pid = body.get("systemProcessId") or process.pid
                if process.is_root and not self.target.is_local:
                    file = str(body.get("name") or "")
                    process.name = short_name(file) or process.name
                    # So that `break 12` means a line of it. The file of another machine is not known here.
                    known = os.path.isabs(file) and os.path.isfile(file)
                    self.target.main_file = file if known else None
            case "exited":
                process.exit_code = body.get("exitCode")
            case "stopped" | "continued":
                self.inbox.put(process, name, body)
            case "terminated":
                self.inbox.put(process, name, body)
                if not process.is_root and process.client is not None:
                    # The adapter has said goodbye; answer, so that it goes, even while nobody types.
                    with contextlib.suppress(ClientError):
                        process.client.send("disconnect", {})
            case "breakpoint":
                self.breakpoints.learn(process, body.get("breakpoint") or {})

    def _on_reverse_request(self, command: str, arguments: Body) -> Body:
        if command != "runInTerminal":
            raise RuntimeError("the terminal client does not take this request")
        self.program = Program(arguments, stdin=getattr(self.target, "stdin", None))
        return {"processId": self.program.process.pid}

    # What has happened: on the thread that runs commands

    def catch_up(self) -> None:
        """Take in what has happened meanwhile."""
        while (happened := self.inbox.take(0.0)) is not None:
            if happened is not Happened.INTERRUPT:
                self.take(happened)

    def take(self, happened: Event | Happened) -> None:
        """Take in what the inbox has had."""
        if isinstance(happened, Happened):
            raise BrokenPipeError
        process, name, body, is_told = happened
        if not process.is_alive:
            return
        match name:
            case "stopped":
                process.has_stopped(Stop(body))
                process.is_told = is_told
                self.processes.await_turn(process)
            case "continued" if process.state is State.STOPPED:
                process.runs()
            case "terminated" | "ended" if process is self.root:
                self._root_ended(body.get("why", ""))
            case "terminated" | "ended" if process.state is not State.CONFIGURING:  # else FAILED follows
                self.news.say(happened)
                self._over(process)
            case _ if name in (JOINED, FAILED):
                if not is_told:
                    self.news.say(happened)
                if name == FAILED:
                    self._over(process)
                elif process.state is State.CONFIGURING:
                    process.runs()

    def _root_ended(self, why: str) -> None:
        root, program = self.root, self.program
        if program is not None:
            code = program.wait(_EXIT_GRACE_S)
            root.exit_code = root.exit_code if code is None else code
        elif root.client is not None and not why:
            # The adapter has said goodbye; answer, so that it goes.
            with contextlib.suppress(ClientError):
                root.client.request("disconnect", {}, timeout_s=PATIENCE_S)
        self._over(root)
        others = len(self.processes.living)
        more = f" {others} of its processes run{'s' if others == 1 else ''} on." if others else ""
        if why and program is None:
            self.screen.fail(f"the connection is gone: {why}{more}")
        elif root.exit_code is not None:
            self.screen.say(f"The program ended with exit code {root.exit_code}.{more}")
        else:
            self.screen.say(f"The session has ended.{more}")

    def say_waiting(self) -> None:
        """Say in a line each which processes have stopped and wait to be looked at."""
        for process in self.processes.waiting:
            if not process.is_told and process.stop is not None:
                process.is_told = True
                self.news.say_stop(process, process.stop)

    # What stops all processes

    def send_breakpoints(self, breakpoint: Breakpoint) -> None:
        """Tell all processes about a breakpoint that was made, changed or removed. CommandError."""
        try:
            self.breakpoints.send(self.open_processes(), breakpoint)
        except ClientError as error:
            raise CommandError(str(error)) from error

    def send_filters(self) -> None:
        """Tell all processes which exceptions stop; without one, told at the next start. CommandError."""
        try:
            sent = [self.filters.send(each) for each in self.open_processes()]
        except ClientError as error:
            raise CommandError(str(error)) from error
        answers_of(sent)


def answers_of(sent: Iterable[Pending]) -> list[Body]:
    """Wait for the answers. CommandError of the first that is a failure."""
    bodies: list[Body] = []
    failure: ClientError | None = None
    for pending in sent:
        try:
            bodies.append(pending.result(DEFAULT_TIMEOUT_S))
        except ClientError as error:
            failure = failure or error
    if failure is not None:
        raise CommandError(str(failure)) from failure
    return bodies
