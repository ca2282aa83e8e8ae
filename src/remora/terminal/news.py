"""What is said in one line: a process has started, has stopped while another one is looked at, has ended."""

from __future__ import annotations

from typing import Any

from remora.client import Stop
from remora.terminal.breakpoints import Breakpoints
from remora.terminal.inbox import Event
from remora.terminal.process import Process, State
from remora.terminal.processes import FAILED, JOINED
from remora.terminal.screen import Screen

Body = dict[str, Any]


class News:
    """Says it. May be called on any thread."""

    def __init__(self, screen: Screen, breakpoints: Breakpoints) -> None:
        self._screen = screen
        self._breakpoints = breakpoints

    def say(self, event: Event) -> bool:
        """Say an event, if it is worth a line; return whether the person knows of it now."""
        process = event.process
        match event.name:
            case "stopped":
                self.say_stop(process, Stop(event.body))
            case "terminated" | "ended":
                # The program itself has more to say at its end, and a child that did not begin has "failed".
                if process.is_root or process.state is State.CONFIGURING:
                    return False
                if not process.end_is_told:
                    process.end_is_told = True
                    self.say_end(process)
            case name if name == JOINED:
                self._line(f"{self.describe(process)}, has started")
            case name if name == FAILED:
                what = self.describe(process) if process.number else f"process {process.pid}, {process.name}"
                self._line(f"{what}, could not be debugged: {event.body.get('why')}")
            case _:
                return False
        return True

    def say_stop(self, process: Process, stop: Stop) -> None:
        """Say that a process has stopped that is not looked at."""
        hit = [each for each in self._breakpoints.hit(process, stop.breakpoint_ids) if each.number > 0]
        if hit:
            why = f"at breakpoint {hit[0].number}, {hit[0].where}"
        elif stop.reason == "exception":
            why = f"at an exception: {stop.text}" if stop.text else "at an exception"
        else:
            why = f"({stop.reason})"
        self._line(f"{self.describe(process)}, has stopped {why}")

    def say_end(self, process: Process) -> None:
        """Say that a child has ended."""
        code = f" with exit code {process.exit_code}" if process.exit_code is not None else ""
        self._line(f"{self.describe(process)}, has ended{code}")

    def say_free(self, process: Process) -> None:
        """Say that a process is not debugged any more."""
        self._line(f"{self.describe(process)}, runs on by itself")

    def describe(self, process: Process) -> str:
        """Name a process: `process 2, worker.py (pid 4712)`."""
        pid = f" (pid {process.pid})" if process.pid else ""
        return f"process {process.number}, {self._screen.style(process.name, 'bold')}{pid}"

    def _line(self, text: str) -> None:
        self._screen.say(f"[{text[:1].upper()}{text[1:]}]")
