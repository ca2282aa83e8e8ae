"""The engine: what to instrument, when to stop, how to step. Knows nothing of DAP, sockets or rendering."""

from __future__ import annotations

from .breakpoints import Breakpoint, BreakpointState, Mode, Wish
from .engine import Engine
from .exceptions import ExceptionFilter
from .jobs import Interrupted, Job
from .stack import StackEntry
from .stops import Listener, StepKind, Stop, StopReason
from .threads import ThreadInfo, ThreadState
from .usercode import Rule

__all__ = [
    "Breakpoint",
    "BreakpointState",
    "Engine",
    "ExceptionFilter",
    "Interrupted",
    "Job",
    "Listener",
    "Mode",
    "Rule",
    "StackEntry",
    "StepKind",
    "Stop",
    "StopReason",
    "ThreadInfo",
    "ThreadState",
    "Wish",
]
