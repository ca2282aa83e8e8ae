"""A process that may be attached to: what /proc tells about it.

Everything is read once, when the object is made, and without the process's help. Its own view of the file
system may differ from ours (container, chroot): `path` turns one of its paths into one we can open.
Source: proc(5), namespaces(7).
"""

from __future__ import annotations

import os
import re

from remora.dap.errors import DapError
from remora.inject.elf import Image, NotElf
from remora.inject.failures import cannot, not_python
from remora.inject.permissions import why_not_readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

OLDEST = (3, 12)
_LIBRARY = re.compile(r"/libpython3[0-9.]*t?d?\.so|/Python$")


class Mapped:
    """A file that a process has mapped."""

    __slots__ = ("address", "area", "inode", "path")

    def __init__(self, path: str, address: int, area: str, inode: int) -> None:
        self.path = path  # as the kernel shows it to us: neither quite ours nor quite the process's
        self.address = address  # the lowest
        self.area = area  # "begin-end" of the part with code
        self.inode = inode


class Target:
    """A Python process."""

    def __init__(self, pid: int) -> None:
        """Look at it. DapError (CANNOT_ATTACH) if it is not there, not ours to look at, or not Python."""
        self.pid = pid
        status = _status(pid)
        self.state = status["State"][:1]
        if self.state in "ZX":
            raise cannot(pid, "it has ended, and waits for its parent to take notice (a zombie)")
        self.uid = int(status["Uid"].split()[1])
        self.gid = int(status["Gid"].split()[1])
        self.parent = int(status["PPid"])
        self.tracer = int(status.get("TracerPid", "0"))
        # Its id as it knows it itself: another one in a container.
        self.own_pid = int(status.get("NSpid", str(pid)).split()[-1])
        self.born = born(pid)
        try:
            self.executable = os.readlink(f"/proc/{pid}/exe")
            self._shares_view = _same_view(pid)
            self.mapped = _mapped(pid)
        except FileNotFoundError:
            raise gone(pid) if not os.path.exists(f"/proc/{pid}/stat") else _no_program(pid) from None
        except ProcessLookupError:
            raise gone(pid) from None
        except PermissionError:
            raise cannot(pid, why_not_readable(pid, self.uid)) from None
        if not self.mapped and not self.executable:
            raise _no_program(pid)
        self.python, self.version = self._find_python()

    @property
    def shares_view(self) -> bool:
        """Whether its paths are ours."""
        return self._shares_view

    def path(self, path: str) -> str:
        """Return the path by which we can open what it knows as `path`."""
        return path if self._shares_view else f"/proc/{self.pid}/root{path}"

    def file_of(self, mapped: Mapped) -> str:
        """Return a path by which we can open a file it has mapped; the file may have been replaced since."""
        candidates = [mapped.path, f"/proc/{self.pid}/root{mapped.path}"]
        if not self._shares_view:
            candidates.reverse()
        if mapped.path == self.executable:
            candidates.insert(0, f"/proc/{self.pid}/exe")
        for path in candidates:
            try:
                if os.stat(path).st_ino == mapped.inode:
                    return path
            except OSError:
                continue
        return f"/proc/{self.pid}/map_files/{mapped.area}"  # for root only

    def is_same(self) -> bool:
        """Whether the process of this id is still the one that was looked at, and lives."""
        return born(self.pid) == self.born and state(self.pid) not in ("", "Z", "X")

    @property
    def version_text(self) -> str:
        """Return its version as people write it: 3.14.0rc2."""
        level = {0xA: "a", 0xB: "b", 0xC: "rc"}.get(self.version >> 4 & 0xF, "")
        serial = f"{level}{self.version & 0xF}" if level else ""
        return f"{self.version >> 24}.{self.version >> 16 & 0xFF}.{self.version >> 8 & 0xFF}{serial}"

    def interpreter(self) -> str:
        """Return the path of its interpreter, to be run by us: the very file, even if it was replaced."""
        if self._shares_view and not self.executable.endswith(" (deleted)"):
            return self.executable
        return f"/proc/{self.pid}/exe"

    def _find_python(self) -> tuple[Mapped, int]:
        """Return the file that holds the interpreter, and its version as `sys.hexversion` writes it."""
        candidates = [mapped for mapped in self.mapped if _LIBRARY.search(mapped.path)]
        candidates += [mapped for mapped in self.mapped if mapped.path == self.executable]
        name = os.path.basename(self.executable)
        if any("libpypy" in mapped.path for mapped in self.mapped) or name.startswith("pypy"):
            raise cannot(self.pid, f"it is PyPy ({self.executable}), and remora debugs CPython")
        for mapped in candidates:
            version = self._version_in(mapped)
            if version is None:
                continue
            if (version >> 24, version >> 16 & 0xFF) < OLDEST:
                raise self._too_old(f"{version >> 24}.{version >> 16 & 0xFF}.{version >> 8 & 0xFF}")
            return mapped, version
        old = re.search(r"python(2(?:\.\d+)?|3\.(?:\d|10)(?!\d))", " ".join(m.path for m in candidates))
        if old:
            raise self._too_old(old[1])
        if "python" in name:
            reason = (
                f"{self.executable} looks like Python, but its version cannot be read: a static build "
                "without symbols; start it with `python -m remora --listen` instead"
            )
            raise cannot(self.pid, reason)
        raise not_python(self.pid, f"it is not a Python program ({self.executable})")

    def _too_old(self, version: str) -> DapError:
        return cannot(self.pid, f"it runs Python {version}, and remora needs 3.12 or newer")

    def _version_in(self, mapped: Mapped) -> int | None:
        try:
            with Image(self.file_of(mapped)) as image:
                # `const unsigned long Py_Version`, since 3.11.
                offset = image.offset_of("Py_Version")
                return None if offset is None else int.from_bytes(image.read(offset, 4), "little")
        except (OSError, NotElf):
            return None


def born(pid: int) -> int | None:
    """Return when the process began, in ticks since boot; None if there is none. Tells a reused id."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name, in parentheses, may hold anything.
            return int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return None


def state(pid: int) -> str:
    """Return the kernel's letter for its state, "" if there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0].decode()
    except (OSError, IndexError):
        return ""


def command_line(pid: int) -> list[str]:
    """Return the words of its command line; [] if there is none, or it is not ours to read."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().decode(errors="replace").rstrip("\0").split("\0")
    except OSError:
        return []


def gone(pid: int) -> DapError:
    return cannot(pid, "it has ended meanwhile")


def _no_program(pid: int) -> DapError:
    return not_python(pid, "it is a thread of the kernel, or is ending: it has no program")


def _status(pid: int) -> dict[str, str]:
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            fields = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    except (FileNotFoundError, ProcessLookupError):
        if not os.path.exists("/proc/self/status"):
            raise cannot(pid, "attaching by process id needs Linux with /proc mounted") from None
        raise cannot(
            pid, "there is no such process here (in a container ids differ: `remora ps` lists them)"
        ) from None
    except PermissionError:
        raise cannot(pid, "/proc hides it (hidepid): run the debugger as its user or as root") from None
    if fields.get("Tgid") not in (None, str(pid)):
        raise cannot(pid, f"that is the id of a thread; its process is {fields['Tgid']}")
    return fields


def _same_view(pid: int) -> bool:
    """Whether the process has our mounts and our root folder."""
    own, its = os.stat("/"), os.stat(f"/proc/{pid}/root/")
    if (own.st_dev, own.st_ino) != (its.st_dev, its.st_ino):
        return False
    return os.readlink("/proc/self/ns/mnt") == os.readlink(f"/proc/{pid}/ns/mnt")


def _mapped(pid: int) -> list[Mapped]:
    """List the files it has mapped that hold code."""
    lowest: dict[str, int] = {}
    found: dict[str, Mapped] = {}
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            fields = line.rstrip("\n").split(None, 5)
            if len(fields) < 6 or not fields[5].startswith("/"):
                continue
            area, mode, _, _, inode, path = fields
            address = lowest.setdefault(path, int(area.partition("-")[0], 16))
            if "x" in mode and path not in found:
                found[path] = Mapped(path, address, area, int(inode))
    return list(found.values())


def all_pids() -> Iterator[int]:
    """Yield the ids of all processes we can see."""
    for name in os.listdir("/proc"):
        if name.isdecimal():
            yield int(name)
