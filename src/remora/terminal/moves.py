"""How processes go on, and how long to wait for what comes of it.

A stop of the current process ends a wait. One of another process does too if the current one just runs: it
becomes the current one. A step is given a moment first: it is done at once, or waits for something, perhaps
for the very process that has stopped.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from remora.client import ClientError, Pending, RequestFailed, Stop
from remora.client.client import DEFAULT_TIMEOUT_S
from remora.terminal.debugger import PATIENCE_S, Debugger, answers_of
from remora.terminal.inbox import Event, Happened
from remora.terminal.process import CommandError, Process, State

Body = dict[str, Any]

_STEP_GRACE_S = 0.5


class Moves:
    """What lets the program run."""

    def __init__(self, debugger: Debugger) -> None:
        self._debugger = debugger

    def go(self, command: str, **arguments: Any) -> bool:
        """Let the current process go on, and wait; return whether a stop is to be shown.

        The current process may be another one then. CommandError.
        """
        debugger = self._debugger
        grace_s = 0.0 if command == "continue" else _STEP_GRACE_S
        process = debugger.process
        _ = process.session
        if process is debugger.root:
            debugger.configure()
        if process.state is State.STOPPED:
            self._resume([process], command, arguments)
        return self.wait(grace_s)

    def go_all(self) -> bool:
        """Let all processes go on, and wait; return whether a stop is to be shown. CommandError."""
        debugger = self._debugger
        _ = debugger.process.session
        debugger.configure()
        stopped = [each for each in debugger.processes.living if each.state is State.STOPPED]
        self._resume(stopped, "continue", {})
        return self.wait()

    def _resume(self, processes: list[Process], command: str, arguments: Body) -> None:
        """Send a request that lets each of these go on. CommandError of the first that cannot."""
        failure: ClientError | None = None
        sent: list[tuple[Process, Stop | None, Pending]] = []
        for process in processes:
            client, stop = process.session.client, process.stop
            process.runs()
            try:
                pending = client.send(command, {"threadId": process.thread_id, **arguments})
            except ClientError as error:
                failure = failure or error
            else:
                sent.append((process, stop, pending))
        for process, stop, pending in sent:
            try:
                pending.result(DEFAULT_TIMEOUT_S)
            except ClientError as error:
                failure = failure or error
                if isinstance(error, RequestFailed):
                    process.state, process.stop = State.STOPPED, stop
        if failure is not None:
            raise CommandError(str(failure)) from failure

    def wait_for_goto(self) -> bool:
        """Wait for the `stopped` event that follows a `goto`; return whether there is a stop."""
        self._debugger.process.runs()
        return self.wait(PATIENCE_S)

    def pause(self) -> bool:
        """Stop the current process where it is, one that waits for us at its first line. CommandError."""
        debugger = self._debugger
        process = debugger.process
        if process.state is State.STOPPED:
            raise CommandError("the program is stopped already")
        process.ask("pause", {"threadId": process.thread_id})
        if process is debugger.root:
            debugger.configure()
        return self.wait(PATIENCE_S)

    def pause_all(self) -> None:
        """Stop every process where it is; if the current one does not, go to one that has. CommandError."""
        debugger = self._debugger
        _ = debugger.process.session
        running = [each for each in debugger.open_processes() if each.state is not State.STOPPED]
        if not running:
            raise CommandError("all processes are stopped already")
        answers_of([each.session.client.send("pause", {"threadId": each.thread_id}) for each in running])
        debugger.configure()
        deadline = time.monotonic() + PATIENCE_S
        while any(each.is_alive and each.state is not State.STOPPED for each in running):
            happened = debugger.inbox.take(max(deadline - time.monotonic(), 0.0))
            if happened is None or happened is Happened.INTERRUPT:
                break
            debugger.take(happened)
        for process in running:
            if process.stop is not None and process.stop.reason == "pause":
                process.is_shown = True
        if debugger.process.state is not State.STOPPED:
            stopped = [each for each in running if each.state is State.STOPPED]
            debugger.processes.current = [*stopped, debugger.process][0]

    def wait(self, grace_s: float = 0.0) -> bool:
        """Wait for a stop to show, or until all is over; return whether there is a stop.

        A stop of another process is shown if the current one does not stop within `grace_s` more. Ctrl-C
        pauses the current process, and a second one gives up waiting.
        """
        debugger = self._debugger
        processes = debugger.processes
        processes.chosen = None
        interrupts = 0
        with self._typing_goes_to_the_program():
            while debugger.process.is_alive and debugger.process.state is not State.STOPPED:
                happened: Event | Happened | None
                if waiting := processes.waiting:
                    # In order, whatever else may have happened by now: the next turn is that of the first.
                    happened = debugger.inbox.take(grace_s) if grace_s else None
                    if happened is None:
                        processes.current = waiting[0]
                        break
                else:
                    happened = debugger.inbox.take()
                    assert happened is not None  # it waits as long as it takes
                if happened is not Happened.INTERRUPT:
                    debugger.take(happened)
                elif interrupts:
                    debugger.screen.say("The program has not stopped yet; it goes on running.")
                    return False
                else:
                    interrupts += 1
                    debugger.screen.say()
                    with contextlib.suppress(ClientError):
                        process = debugger.process
                        process.session.client.send("pause", {"threadId": process.thread_id})
        return debugger.process.state is State.STOPPED

    @contextlib.contextmanager
    def _typing_goes_to_the_program(self) -> Iterator[None]:
        program = self._debugger.program
        typed = program.typed if program is not None else None
        if typed is not None:
            typed.allow(True)
        try:
            yield
        finally:
            if typed is not None:
                typed.allow(False)
