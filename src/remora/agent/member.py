"""A child of a debugged process: how a fresh one joins, and how any is held at its first line.

Main thread, before the program's first line (or, of a forked child, before fork returns).
"""

from __future__ import annotations

import os
import sys
from time import monotonic as _monotonic
from time import sleep as _sleep

from remora.agent import family
from remora.agent.agent import LOOK_S
from remora.agent.log import log, log_exception, open_log
from remora.dap.hello import CHILD_VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

    from remora.agent.agent import Agent

_fstat = os.fstat
# What a child waits for the first word of a hub that has taken its call: longer than the hub ever takes.
HELD_S = 20.0
# A daemon opens them at once, or never.
STREAMS_S = 5.0
# multiprocessing starts helpers by code: this one is no child of the program's,
TRACKER = "from multiprocessing.resource_tracker import main"
# and this one only forks them.
FORK_SERVER = "from multiprocessing.forkserver import main"


def start(path: list[str], before: set[str]) -> None:
    """Join as a process that has just been started, if it was born into a family. Called by sitecustomize.

    `path` is the program's sys.path, `before` are the modules that it would find loaded; until it begins,
    sys.path leads to the standard library alone.
    """
    start_family()
    taken = [name for name in set(sys.modules) - before if is_elsewhere(name, path)]
    if not taken:
        return
    from remora.agent import join

    agent = join.current()
    if agent is not None:
        # Now, while our own imports still mean the standard library's.
        agent.load()
        agent.inspector.warm_up()
    for name in taken:
        del sys.modules[name]


def start_family() -> None:
    """Join, and come back when the program is to begin. KeyboardInterrupt if that is to end before."""
    kin = family.inherited()
    if kin is not None and kin["parent"] == os.getpid() and is_subinterpreter():
        return  # Python reads sitecustomize in these too; `interpreters` brings them in
    text = code_of(sys.orig_argv)
    if kin is None or TRACKER in text:
        return
    from remora.agent import join

    try:
        open_log(kin.get("log", ""))
    except OSError as error:
        log_exception("log", error)  # in vain, but nothing a child has to suffer from
    if FORK_SERVER in text:
        join.pass_on(kin)
    elif join.join_family(kin):
        raise KeyboardInterrupt


def is_elsewhere(name: str, path: list[str]) -> bool:
    """Say whether the program has a module of its own by the name of one that we have imported.

    The standard library's is ours alone then, as it is for a program that is launched (run.py).
    """
    spec = getattr(sys.modules[name], "__spec__", None)
    if name.startswith("remora") or spec is None or not spec.has_location:
        return False
    library = os.path.dirname(os.__file__)
    folders = path[: path.index(library)] if library in path else path
    if not sys.flags.safe_path:
        script = sys.argv[0] if sys.argv else ""
        folders = [os.getcwd() if script in ("", "-c", "-m") else os.path.dirname(script) or ".", *folders]
    places = (os.path.join(folder, *name.split(".")) for folder in folders if not folder.endswith(".zip"))
    return any(os.path.exists(f"{place}.py") or os.path.exists(f"{place}/__init__.py") for place in places)


def start_deaf() -> None:
    """Be the child whose options forbid the way by sitecustomize: join, and run its program. From boot.py."""
    from remora.agent import command_line, join, run

    # With -S nobody imports the sitecustomize that would take its folder off.
    sys.path[:] = [entry for entry in sys.path if entry != family.INHERIT]
    note = os.environ.pop(CHILD_VARIABLE)
    kind, value, args, sys.orig_argv[:] = command_line.as_given(sys.orig_argv, note)
    sys.argv[:] = [value if kind == "program" else f"-{kind[0]}", *args]
    try:
        start_family()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
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


def has_streams_again() -> bool:
    """Wait until the program that has closed all its descriptors has opened 0, 1 and 2 again; say whether."""
    deadline = _monotonic() + STREAMS_S
    while _monotonic() < deadline:
        try:
            for fd in (0, 1, 2):
                _fstat(fd)
            return True
        except OSError:
            _sleep(0.01)
    return False


def is_subinterpreter() -> bool:
    """Say whether this is another interpreter than the main one."""
    for name in ("_interpreters", "_xxsubinterpreters"):  # from 3.13 on; 3.12
        try:
            module: Any = __import__(name)
        except ImportError:
            continue
        return bool(module.get_current() != module.get_main())
    return False
