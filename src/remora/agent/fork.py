"""fork: the agent thread ends before it, and begins again after it; the child gets an agent of its own.

So the child is born of a process without a second thread of ours: no lock of ours is held in it by a thread
that is gone, and Python, which warns of threads at a fork, has nothing of ours to warn of.

CPython knows no way to take a fork handler back: there is one of each kind for the life of the process, and
they ask whether there is an agent. They run on the thread that forks. What they raise Python prints and
drops, so they raise nothing, and a Ctrl-C that strikes in them comes again when they are done.
"""

from __future__ import annotations

import _thread
import os

from remora.agent.log import log_exception

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from remora.agent.agent import Agent

# The agent thread may be at work for a program that computes; to fork beside it is no harm, only untidy.
REST_S = 0.5

_registered = False
_current: Callable[[], Agent | None]
_in_child: Callable[[], None]
_rested: Agent | None = None


def watch(current: Callable[[], Agent | None], in_child: Callable[[], None]) -> None:
    """Register the handlers, once. `in_child` is called in each child, whether there was an agent or not."""
    global _registered, _current, _in_child
    _current, _in_child = current, in_child
    if not _registered:
        _registered = True
        os.register_at_fork(
            before=_guarded(_before), after_in_parent=_guarded(_after), after_in_child=_guarded(_child)
        )


def _guarded(handler: Callable[[], None]) -> Callable[[], None]:
    def guarded() -> None:
        try:
            handler()
        except KeyboardInterrupt:
            _thread.interrupt_main()
        except BaseException as error:  # boundary: what a signal handler of the program raises is lost here
            log_exception("fork", error)

    return guarded


def _before() -> None:
    global _rested
    agent = _current()
    if agent is not None:
        _rested = agent
        agent.loop.rest(REST_S)


def _after() -> None:
    global _rested
    agent, _rested = _rested, None
    if agent is not None:
        agent.loop.go_on()


def _child() -> None:
    global _rested
    _rested = None
    _in_child()
