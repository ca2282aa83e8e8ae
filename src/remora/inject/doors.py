"""Whether a process is debugged already: the sockets where the hub of its family would be found.

A family's socket has a name that begins with the id of its root (`hello.family_name`), or its address
stands in the environment that a member was started with. A process may also have been forked by a member:
so its ancestors are asked too. That a socket is there does not mean that its hub knows this process: who
dials it asks.

Names without a file can be taken by anybody: a socket of another user's is none of ours (`is_trusted`).
Source: unix(7), proc(5).
"""

from __future__ import annotations

import json
import os
import socket
import struct

from remora.dap.hello import FAMILY_VARIABLE, SESSION_VARIABLE, family_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# More generations than any process has: ids may form no loop, but what if.
MAX_GENERATIONS = 64


def doors(pid: int) -> list[str]:
    """Return names of sockets to dial, the likeliest first; one without a file begins with a zero byte."""
    found: dict[str, None] = {}
    names = _names()
    for ancestor in _lineage(pid):
        try:
            user = os.stat(f"/proc/{ancestor}").st_uid
        except OSError:
            break
        # A hub of root's or of ours may be at work for another user's process.
        beginnings = tuple(family_name(owner, ancestor) for owner in {user, 0, os.geteuid()})
        for name in names:
            if name.startswith(beginnings):
                found[name] = None
        for name in _in_environment(ancestor):
            # One that is gone is not dialled.
            if name in names or not name.startswith("\0"):
                found[name] = None
    return list(found)


def is_trusted(sock: socket.socket, user: int) -> bool:
    """Whether who listens at the other end is our user, root, or the `user` of the process."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return False
    _, owner, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i")))
    return owner in (0, os.geteuid(), user)


def _names() -> set[str]:
    """Return the names without a file on which somebody listens."""
    found = set()
    try:
        with open("/proc/net/unix", encoding="utf-8", errors="surrogateescape") as lines:
            for line in lines:
                _, _, name = line.rstrip("\n").rpartition(" ")
                if name.startswith("@remora-"):
                    found.add("\0" + name[1:])
    except OSError:
        return set()
    return found


def _lineage(pid: int) -> Iterator[int]:
    """Yield the process and its ancestors."""
    for _ in range(MAX_GENERATIONS):
        if pid <= 1:
            return
        yield pid
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                pid = int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            return


def _in_environment(pid: int) -> Iterator[str]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            entries = file.read().split(b"\0")
    except OSError:
        return
    for entry in entries:
        name, _, value = entry.partition(b"=")
        if os.fsdecode(name) not in (FAMILY_VARIABLE, SESSION_VARIABLE):
            continue
        try:
            content = json.loads(value)
            content = content.get("family", content)
            address = content["address"]["unix"]
        except (ValueError, LookupError, TypeError, AttributeError):
            continue
        if isinstance(address, str) and address:
            yield address
