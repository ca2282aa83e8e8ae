"""The agent of a sub-interpreter, seen from within it: how it begins, and leaves before the interpreter ends.

* CPython ends the process if a thread is left when an interpreter ends, so all of ours end first, at the last
  exit handler, and are waited for until the kernel counts them no more.
* The environment of the process is the main interpreter's: it is not touched here.
* Signals are heard in the main interpreter only; nobody waits in this one.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading  # noqa: F401  "the main thread" is the one that runs the code of the interpreter
import time

from remora.agent import family, interpreters, join
from remora.agent.interpreters import GO
from remora.agent.log import log, open_log
from remora.agent.loop import LOST, READ, exists, identity
from remora.agent.member import HELD_S

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from remora.agent.agent import Agent
    from remora.agent.loop import Timer

# How often the end of the interpreter looks whether a thread of ours is still there; two or three times.
LOOK_S = 0.00005

_sleep = time.sleep
_leashes: list[Leash] = []  # one, and another one each time the family was left and joined again


def start(start: dict[str, Any]) -> None:
    """Join the family. OSError, and nothing has happened, if there is none any more. From `interpreters`."""
    before = join.current()
    if before is not None and not before.finished:
        os.write(start["fd"], GO)
        os.close(start["fd"])
        return
    kin = start["family"]
    interpreters.number = start["interpreter"]
    interpreters.argv = start["argv"]
    family.is_guest = True
    if "log" in kin:
        open_log(kin["log"])
    if not _leashes:
        atexit.register(_leave)  # before the agent's own, so it is called after that
    agent = join.join_guest(kin)
    _leashes.append(Leash(agent, start["fd"]))
    agent.prepare()


def _leave() -> None:
    """End the agent thread, and every other of ours; return when they are no more. The interpreter ends."""
    join.stop()
    for leash in _leashes:
        loop = leash.agent.loop
        while not loop.native_id or exists(f"/proc/self/task/{loop.native_id}"):
            _sleep(LOOK_S)
        leash.close()
    background = sys.modules.get("remora.engine.background")  # if a client has ever come
    if background is not None:
        background.end()
        while background.are_left():
            _sleep(LOOK_S)


class Leash:
    """Our end of the pair that leads to the interpreter which runs our code."""

    __slots__ = ("_fd", "_has_gone", "_identity", "_limit", "agent")

    def __init__(self, agent: Agent, fd: int) -> None:
        self.agent = agent
        self._fd = fd
        self._identity = identity(fd)
        self._has_gone = False
        self._limit: Timer | None = None
        agent.loop.soon(self._watch)

    def _watch(self) -> None:
        self.agent.loop.watch(self._fd, READ, self._ready)
        self.agent.on_release = self._look
        self._limit = self.agent.loop.after(HELD_S, self._too_late)
        self._look()

    def _too_late(self) -> None:
        agent = self.agent
        if agent.connection is not None and not agent.connection.was_used:
            log("no word from the hub: running on")
            agent.let_go()

    def _look(self) -> None:
        """Let the code run, if it may. On the agent thread, or one that leaves the family."""
        agent = self.agent
        if self._has_gone or (agent.holding and not agent.finished):
            return
        self._has_gone = True
        if self._limit is not None:
            self._limit.cancel()
        os.write(self._fd, GO)

    def _ready(self, events: int) -> None:
        """Hear that the other side has left the family. On the agent thread."""
        self.agent.loop.unwatch(self._fd)
        if not events & LOST:
            self.close()
        if join.current() is self.agent:
            join.stop()

    def close(self) -> None:
        """Close our end, if it is still ours: the program may have closed it, and have the number itself."""
        try:
            if identity(self._fd) == self._identity:
                os.close(self._fd)
        except OSError:
            return  # nobody has it
