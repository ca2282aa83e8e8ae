"""Sub-interpreters, seen from the interpreter that runs code in them (the inner side is `guest`).

Each interpreter has tools of sys.monitoring, code objects and threads of its own, and no other can look at
them (PEP 684). So each gets an agent of its own, a session of the family with the same process id and an
`interpreter` number. It is brought in when code is first run in it, by the thread that does so, before that
code: whatever runs code in an interpreter comes through one of four functions of `_interpreters`, which are
wrapped while a family is alive. That thread then waits for the hub's word, here, where signals are heard.

Rejected: bringing it in when it is created. The creator would wait for a client, interpreters made before we
came would be missed, and a Ctrl-C would leave an interpreter behind that nobody knows of.

A socket pair leads to each guest. It writes one byte when the code may run; its end of file tells either side
that the other has left.

Threads: the wrappers run on any thread of the program; `_known` and `_guests` are changed under `_lock`.
"""

from __future__ import annotations

import _socket
import _thread
import os
import sys

from remora.agent import family
from remora.agent.log import log, log_exception
from remora.agent.loop import READ

# Kept: gevent puts others into the module.
_allocate_lock = _thread.allocate_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

    from remora.agent.agent import Agent
    from remora.dap.hello import Family

# The first with a public way to run code in one; before, ending one that has threads could end the process.
SUPPORTED = sys.version_info >= (3, 14)
NAMES = ("call", "exec", "run_func", "run_string")
# No name of ours stays in the interpreter's __main__. What is imported comes from the standard library and
# from the package that this file belongs to, whatever lies in the folders of the program.
SCRIPT = """exec({code!r}, {{"root": {root!r}, "start": {start!r}}})"""
CODE = """
import sys
folders = sys.path[:]
library = sys.modules["os"].__file__.rpartition("/")[0]
try:
    sys.path[:] = [each for each in folders if each == library or each.startswith(library + "/lib-dynload")
                   or each.endswith(".zip")]
    if "remora" not in sys.modules:
        import _frozen_importlib, _frozen_importlib_external
        spec = _frozen_importlib_external.PathFinder.find_spec("remora", [root])
        module = _frozen_importlib.module_from_spec(spec)
        sys.modules["remora"] = module
        spec.loader.exec_module(module)
    from remora.agent import guest
    guest.start(start)
finally:
    sys.path[:] = folders
"""
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

GO = b"\n"

# Of this interpreter; 0 is the main one, and every other that nobody brought in.
number = 0
argv: list[
    str
] = []  # of the program, in an interpreter that was brought in: its own is what Python was given

_lock = _allocate_lock()
_known: set[int] = set()  # those that are in, or on their way
_guests: dict[int, _Guest] = {}
_installed: list[tuple[str, Any, Any]] = []  # name, wrapper, original
_module: ModuleType | None = None
_current: Callable[[], Agent | None] = lambda: None  # noqa: E731  the agent of this interpreter


class _Guest:
    """An interpreter with an agent of its own, and our end of the pair."""

    __slots__ = ("end", "number")

    def __init__(self, number: int, end: _socket.socket) -> None:
        self.number = number
        self.end = end


def install(current: Callable[[], Agent | None]) -> None:
    """Wrap the functions that run code in an interpreter; idempotent. `current` tells our agent."""
    global _module, _current
    _current = current
    if _installed or not SUPPORTED:
        return
    try:
        import _interpreters  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        return  # a Python that was built without
    _module = _interpreters
    for name in NAMES:
        original = getattr(_interpreters, name, None)
        if original is not None:
            wrapper = _wrapped(original)
            setattr(_interpreters, name, wrapper)
            _installed.append((name, wrapper, original))


def remove() -> None:
    """Let everything be as it was; the agents of other interpreters leave too."""
    while _installed:
        name, wrapper, original = _installed.pop()
        if getattr(_module, name, None) is wrapper:
            setattr(_module, name, original)
    with _lock:
        guests = list(_guests.values())
        _guests.clear()
        _known.clear()
    for guest in guests:
        _hang_up(guest)


def forked() -> None:
    """In a forked child: there is only the interpreter that forked."""
    global _lock
    _lock = _allocate_lock()
    guests = list(_guests.values())
    _guests.clear()
    _known.clear()
    for guest in guests:
        guest.end.close()


def _wrapped(original: Callable[..., Any]) -> Callable[..., Any]:
    known = _known

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        id = args[0] if args else kwargs.get("id")
        if isinstance(id, int) and id not in known:
            _bring_in(id)
        return original(*args, **kwargs)

    for attribute in ("__module__", "__name__", "__qualname__", "__doc__", "__text_signature__"):
        value = getattr(original, attribute, None)
        if value is not None:
            setattr(wrapper, attribute, value)
    wrapper.__wrapped__ = original  # type: ignore[attr-defined]
    return wrapper


# --- on the thread that runs code in an interpreter


def _bring_in(id: int) -> None:
    """Give the interpreter an agent, and wait until its code may run. Failing costs the debugging only."""
    kin = family.current
    if kin is None or family.is_over:
        return
    with _lock:
        if id in _known:
            return
        _known.add(id)
    try:
        guest = _invite(id, kin)
    except Exception as error:  # boundary: the program runs its code, whatever we make of it
        log_exception(f"interpreter {id}", error)
        _known.discard(id)  # it runs other code just now: next time
        return
    if guest is None:
        return
    with _lock:
        _guests[id] = guest
    try:
        _wait(guest)
    finally:
        _watch(guest)


def _invite(id: int, kin: Family) -> _Guest | None:
    """Start an agent in the interpreter; None if it has one, or cannot have one."""
    run = next((original for name, _, original in _installed if name == "exec"), None)
    if run is None:
        return None
    ours, theirs = _socket.socketpair()
    fd = theirs.detach()
    is_theirs = False
    try:
        words = [str(word) for word in argv or sys.argv]
        start = {"family": kin, "interpreter": id, "fd": fd, "argv": words}
        problem = run(id, SCRIPT.format(code=CODE, root=_ROOT, start=start))
        if problem is None:
            is_theirs = True
            return _Guest(id, ours)
        log(f"interpreter {id} is not debugged: {getattr(problem, 'formatted', problem)}")
    finally:
        if not is_theirs:
            ours.close()
            os.close(fd)
    return None


def _wait(guest: _Guest) -> None:
    """Wait until the guest says that its interpreter may run. A signal handler may end it by raising."""
    try:
        guest.end.recv(len(GO))
    except Exception as error:  # boundary: as in _bring_in
        log_exception("guest", error)


def _watch(guest: _Guest) -> None:
    """Let our agent see the guest leave, so that the descriptor does not stay."""
    agent = _current()
    if agent is None or agent.finished:
        return
    loop = agent.loop

    def ready(events: int) -> None:
        with _lock:
            _guests.pop(guest.number, None)
        loop.unwatch(guest.end.fileno())
        guest.end.close()

    def watch() -> None:
        if guest.end.fileno() >= 0:
            loop.watch(guest.end.fileno(), READ, ready)

    loop.soon(watch)


def _hang_up(guest: _Guest) -> None:
    agent = _current()

    def close() -> None:
        if agent is not None and guest.end.fileno() >= 0:
            agent.loop.unwatch(guest.end.fileno())
        guest.end.close()

    try:
        guest.end.shutdown(_socket.SHUT_RDWR)
    except OSError as error:
        log_exception("guest", error)
    if agent is not None and not agent.loop.is_current():
        agent.loop.soon(close)
    else:
        close()
