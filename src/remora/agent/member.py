"""A child of a debugged process: how a fresh one joins, and how any is held at its first line.

Main thread, before the program's first line (or, of a forked child, before fork returns).
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
import sys
from time import monotonic as _monotonic

from remora.agent import family
from remora.agent.agent import LOOK_S
from remora.agent.log import log, open_log
from remora.dap.hello import CHILD_VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

    from remora.agent.agent import Agent

# What a child waits for the first word of a hub that has taken its call: longer than the hub ever takes.
HELD_S = 20.0
# multiprocessing starts helpers by code: this one is no child of the program's,
TRACKER = "from multiprocessing.resource_tracker import main"
# and this one only forks them.
FORK_SERVER = "from multiprocessing.forkserver import main"


def start() -> None:
    """Join as a process that has just been started, if it was born into a family. Called by sitecustomize."""
    kin = family.inherited()
    text = code_of(sys.orig_argv)
    if kin is None or TRACKER in text:
        return
    from remora.agent import join

    if "log" in kin:
        open_log(kin["log"])
    if FORK_SERVER in text:
        join.pass_on(kin)
    elif join.join_family(kin):
        # Before the program has set a handler of its own: it dies as it would have.
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
        os.kill(os.getpid(), _signal.SIGINT)


def start_deaf() -> None:
    """Be the child whose options forbid the way by sitecustomize: join, and run its program. From boot.py."""
    from remora.agent import command_line, join, run

    note = os.environ.pop(CHILD_VARIABLE)
    kind, value, args, sys.orig_argv[:] = command_line.as_given(sys.orig_argv, note)
    sys.argv[:] = [value if kind == "program" else f"-{kind[0]}", *args]
    start()
    agent = join.current()
    run.run(kind, value, args, agent=agent, ready=agent.program_begins if agent is not None else _nothing)


def _nothing(code: CodeType) -> None:
    pass


def code_of(arguments: list[str]) -> str:
    """Return what stands behind the first -c on a command line, or ""."""
    try:
        return arguments[arguments.index("-c") + 1]
    except (ValueError, IndexError):
        return ""


def hold(agent: Agent) -> bool:
    """Block until the hub lets this process go; say whether a Ctrl-C has done it instead."""
    deadline = _monotonic() + HELD_S
    while agent.holding and not agent.finished:
        if _monotonic() > deadline and agent.connection is not None and not agent.connection.was_used:
            log("no word from the hub: running on")
            agent.holding = False
            break
        try:
            agent.wait(LOOK_S)
        except KeyboardInterrupt:
            agent.holding = False
            return True
    return False
