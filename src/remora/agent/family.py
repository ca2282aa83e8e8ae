"""The family of this process: what its children inherit, so that they become sessions of the same hub.

Two variables of the environment do it (dap/hello.py, docs/design/processes.md). They are put there by `found`
(the root) or `join` (a member), and taken out by `leave`, each on a thread of the program: changing the
environment under another thread's feet is not safe in C.

`current` is None in a process whose children are its own affair.
"""

from __future__ import annotations

import _socket
import os
import sys
from time import monotonic as _monotonic

from remora.agent.log import log, log_exception, log_path
from remora.dap import json_text
from remora.dap.hello import FAMILY_VARIABLE, INHERIT_FOLDER, STARTING, family_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from remora.dap.hello import Address, Family

PATH_VARIABLE = "PYTHONPATH"
# From the start of a process to its hello, on a busy machine.
BIRTH_S = 2.0
# A pool that starts all its workers at once must not be turned away.
BACKLOG = 128

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
INHERIT = os.path.join(_PACKAGE, *INHERIT_FOLDER)

current: Family | None = None
text = ""  # the value of the variable
# The environment is not ours to change: in a sub-interpreter, and where we run on a thread of our own. What
# is started past the wrappers of `starting` (os.system) does not join then.
is_guest = False
_path_was_empty = False  # there, but with nothing in it
started_at = float("-inf")  # when this process has started another, as far as we know
is_over = False  # the hub is gone: `leave` as soon as a thread of the program comes by


def found(address: Address, secret: str, *, listening: tuple[str, int] | None = None) -> Family:
    """Make the description of a family of which this process is the root."""
    family: Family = {"address": address, "secret": secret, "parent": os.getpid()}
    if listening is not None:
        family["listening"] = listening
    return family


def enter(family: Family) -> None:
    """Let what this process starts from now on be members. On a thread of the program."""
    global _path_was_empty, current, is_over, text
    current = {**family, "parent": os.getpid()}
    if log_path() and "log" not in current:
        current["log"] = log_path()
    is_over = False
    text = json_text.encode(current)
    if is_guest:
        return
    os.environ[FAMILY_VARIABLE] = text
    path = os.environ.get(PATH_VARIABLE)
    _path_was_empty = path == "" or (_path_was_empty and path == INHERIT)
    os.environ[PATH_VARIABLE] = with_us(path or "")


def leave() -> None:
    """Let the environment be as it is without us. On a thread of the program."""
    global current, is_over
    current = None
    is_over = False
    if is_guest:
        return
    os.environ.pop(FAMILY_VARIABLE, None)
    path = os.environ.get(PATH_VARIABLE)
    if path is not None:
        rest = without_us(path)
        if rest or _path_was_empty:
            os.environ[PATH_VARIABLE] = rest
        elif path != rest:
            del os.environ[PATH_VARIABLE]


def note_start() -> None:
    """This process has started another one, or is about to."""
    global started_at
    started_at = _monotonic()


def last_words() -> dict[str, bool]:
    """Return what the hub is to know at the end of this process: that a child may be about to dial."""
    if current is not None and _monotonic() - started_at < BIRTH_S:
        return {STARTING: True}
    return {}


def inherited() -> Family | None:
    """Return the family this process was born into, or None."""
    text = os.environ.get(FAMILY_VARIABLE)
    if not text:
        return None
    try:
        family: Family = json_text.decode(text)
        return family if isinstance(family["parent"], int) and family["address"] else None
    except (ValueError, LookupError, TypeError) as error:
        log_exception(FAMILY_VARIABLE, error)
        return None


def with_us(path: str) -> str:
    """Return a value of PYTHONPATH that begins with our folder. An empty value stands for none."""
    rest = without_us(path)
    return f"{INHERIT}{os.pathsep}{rest}" if rest else INHERIT


def without_us(path: str) -> str:
    return os.pathsep.join(entry for entry in path.split(os.pathsep) if entry != INHERIT)


def identities(*descriptors: int) -> list[list[int]]:
    """Return what tells apart the files behind descriptors, for `Family.captured`."""
    found = []
    for fd in descriptors:
        try:
            status = os.fstat(fd)
        except OSError:
            continue
        found.append([status.st_dev, status.st_ino])
    return found


def is_captured(fd: int, family: Family) -> bool:
    """Say whether the hub itself reads what is written to this descriptor."""
    try:
        status = os.fstat(fd)
    except OSError:
        return False
    return [status.st_dev, status.st_ino] in family.get("captured", ())


# --- where members find the hub


def listen() -> tuple[_socket.socket, Address] | None:
    """Bind the socket that members dial; the hub gets it, and this process closes its copy. None: no way."""
    name = family_name(os.getuid(), os.getpid()) + os.urandom(6).hex()
    if sys.platform != "linux":
        # No names without files there. The hub removes file and folder when it ends.
        name = os.path.join(_private_folder(), "family")
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        sock.bind(name)
        sock.listen(BACKLOG)
    except OSError as error:
        log(f"children will not be debugged: no socket for them ({error})")
        sock.close()
        return None
    return sock, {"unix": name}


def _private_folder() -> str:
    base = os.environ.get("TMPDIR") or "/tmp"
    if len(base) > 60 or not os.path.isdir(base):
        base = "/tmp"  # a Unix socket's name may have 103 bytes
    path = os.path.join(base, f"remora-{os.getpid()}-{os.urandom(6).hex()}")
    os.mkdir(path, 0o700)
    return path
