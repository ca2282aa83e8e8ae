"""The tree of the processes a hub knows: who descends from whom, and where a descendant finds the hub.

`Tree` is values only. A member is added at its hello and closed when its session is over. What comes later
may still name a dead parent: the last dead are remembered, and whoever descends from them is joined to their
nearest living ancestor. So neither a long line of generations nor thousands of short children leave anything
behind. Loops cannot be: a member's parent was there before it.

`Door` is the family's Unix socket: abstract where the system has that, named so that `inject` finds it by a
process id, and open to our own user only (SO_PEERCRED, checked by `access.Peer`).
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys

from remora.dap.hello import family_name
from remora.hub.listeners import BACKLOG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from remora.dap.hello import Address, Family
    from remora.hub.session import Session

# Dead members whose children may still be on their way: a pool of workers that dies at once, and then some.
MAX_REMEMBERED = 256


class Member:
    """One process, or an interpreter in it. `host` tells apart ids of different machines; "" is here."""

    __slots__ = ("host", "interpreter", "parent", "pid", "root", "session")

    def __init__(
        self, pid: int, host: str, parent: Member | None, session: Session | None, interpreter: int = 0
    ) -> None:
        self.pid = pid
        self.interpreter = interpreter  # 0: the main one, which stands for the process
        self.host = host
        self.parent = parent
        self.session = session  # None: it is dead
        # Stands for the whole family, whether or not the root lives.
        self.root: object = parent.root if parent is not None else object()

    def ancestors(self) -> Iterator[Member]:
        """Yield the living ancestors, nearest first."""
        at = self.parent
        while at is not None:
            if at.session is not None:
                yield at
            at = at.parent


class Tree:
    """The members of all families of one hub. With `is_one`, all of them are of one family."""

    def __init__(self, *, is_one: bool) -> None:
        # By host, process, interpreter.
        self._living: dict[tuple[str, int, int], Member] = {}
        self._dead: dict[tuple[str, int, int], Member] = {}
        self._root: object = object() if is_one else None

    def add(
        self, session: Session, pid: int, parent: int | None, host: str = "", interpreter: int = 0
    ) -> Member:
        """Add a process, or an interpreter, that has said hello."""
        above = None
        if parent is not None and (parent != pid or interpreter):
            above = self._living.get((host, parent, 0)) or self._dead.get((host, parent, 0))
            if above is not None and above.session is None:
                above = next(above.ancestors(), above)
        member = Member(pid, host, above, session, interpreter)
        if self._root is not None:
            member.root = self._root
        self._living[host, pid, interpreter] = member
        self._dead.pop((host, pid, interpreter), None)
        return member

    def close(self, member: Member) -> None:
        """The process is over; its descendants stay members."""
        member.session = None
        member.parent = next(member.ancestors(), None)
        key = (member.host, member.pid, member.interpreter)
        if self._living.get(key) is member:
            del self._living[key]
            self._dead[key] = member
            if len(self._dead) > MAX_REMEMBERED:
                del self._dead[next(iter(self._dead))]

    def living(self, pid: int, host: str = "") -> Member | None:
        return self._living.get((host, pid, 0))

    def has_been(self, pid: int) -> bool:
        """Tell whether a process of that id was a member a short while ago."""
        return any(key[1] == pid for key in self._dead)

    def of_family(self, root: object) -> list[Session]:
        """Return the living sessions of a family, eldest first."""
        return [m.session for m in self._living.values() if m.root is root and m.session is not None]

    def descendants(self, of: Member) -> list[Member]:
        """Return the living descendants, eldest first."""
        return [member for member in self._living.values() if of in member.ancestors()]


class Door:
    """The listening Unix socket of the families of a hub, and their secret."""

    def __init__(self, sock: socket.socket, secret: str) -> None:
        self.sock = sock
        self.secret = secret
        name: str | bytes = sock.getsockname()
        self.name = name.decode() if isinstance(name, bytes) else name

    def for_children(self) -> Family:
        """Return what a root passes on to its children; it fills in its own id."""
        address: Address = {"unix": self.name}
        return {"address": address, "secret": self.secret, "parent": 0}

    def close(self) -> None:
        """Close it, and remove what it has left in the file system."""
        self.sock.close()
        if not self.name.startswith("\0"):
            with contextlib.suppress(OSError):
                os.unlink(self.name)
            with contextlib.suppress(OSError):
                os.rmdir(os.path.dirname(self.name))


def open_door(pid: int) -> Door:
    """Make the socket, named after the process `pid`."""
    secret = os.urandom(16).hex()
    if sys.platform == "linux":
        return Door(_listening(family_name(os.getuid(), pid) + os.urandom(8).hex()), secret)
    from remora.hub.launch import private_folder

    return Door(_listening(os.path.join(private_folder(), "family")), secret)


def _listening(name: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.bind(name)
        made.listen(BACKLOG)
        made.setblocking(False)
    except OSError:
        with contextlib.suppress(OSError):
            made.close()
        raise
    return made
