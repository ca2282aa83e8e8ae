"""Which exceptions stop: the adapter's filters that are on, the same in all processes.

As with breakpoints, the thread that runs commands changes them, and the thread that opens a child sends them.
"""

from __future__ import annotations

from typing import Any

from remora.client import Pending
from remora.terminal.process import Process

Body = dict[str, Any]


class Filters:
    """The filters that are on."""

    def __init__(self) -> None:
        #: name -> condition ("" for none); None: the adapter's defaults, which are not known yet
        self.chosen: dict[str, str] | None = None

    def offered_by(self, process: Process) -> dict[str, Body]:
        """Return the filters there are."""
        return {each["filter"]: each for each in process.capabilities.get("exceptionBreakpointFilters") or []}

    def choose_defaults(self, process: Process) -> None:
        """Begin with those that the adapter has on by default."""
        if self.chosen is None:
            self.chosen = {name: "" for name, each in self.offered_by(process).items() if each.get("default")}

    def send(self, process: Process) -> Pending:
        """Tell a process. ClientError, also from the answer."""
        with process.sending:
            chosen = self.chosen or {}
            arguments: Body = {"filters": [name for name, condition in chosen.items() if not condition]}
            options = [{"filterId": name, "condition": text} for name, text in chosen.items() if text]
            if options:
                arguments["filterOptions"] = options
            return process.session.client.send("setExceptionBreakpoints", arguments)
