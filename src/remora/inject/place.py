"""The folder where we and the target meet: the script, what it leaves behind, the socket it dials.

Only the target's user may enter it (and root), so the secret in the script is safe. It lies where both can
see it: a target in a container or a chroot has a root folder of its own, which we reach through
/proc/PID/root. The names in it:

* `go.py`, `inside.py`: the script, and what the thread it starts runs;
* `package`: the modules of the debuggee, for loading them at once (see `bundle`);
* `armed`, which the script renames to `begun` as the first thing it does: see go.py;
* `failed`: a link whose text says why the script could not even be read;
* `said`: how it went, where nobody listens on a socket (JSON);
* `hub`: the socket, made by the caller;
"""

from __future__ import annotations

import contextlib
import json
import os
import stat

from remora.inject.bundle import bundle
from remora.inject.failures import cannot
from remora.inject.native import FAILED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from remora.inject.processes import Target

# The folder that holds the package we belong to.
_OWN = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# How often to look again whether the folder is empty.
_REMOVALS = 5
# A Unix socket's name may have 107 bytes.
MAX_BASE_CHARS = 60


class Place:
    """One folder, from the first file to the last."""

    def __init__(self, target: Target) -> None:
        """Make it. DapError if no folder can be written that both can see."""
        self._target = target
        # None of the process's own: the name may not be guessed by who could put something there before.
        name = f"remora-{target.pid}-{os.urandom(6).hex()}"
        for base in _bases(target):
            path = os.path.join(target.path(base), name)
            with contextlib.suppress(OSError):
                # A container's /tmp might be a link that leads out of it.
                if not stat.S_ISDIR(os.lstat(target.path(base)).st_mode):
                    continue
                os.mkdir(path, 0o700)
                self.folder, self.inside = path, os.path.join(base, name)
                return
        raise cannot(target.pid, "there is no folder that both it and this process can write to (tried "
                     + ", ".join(_bases(target)) + "); mount a writable /tmp there")  # fmt: skip

    def socket_path(self) -> str:
        return os.path.join(self.folder, "hub")

    def socket_made(self) -> None:
        """Let the target dial the socket that the caller has bound."""
        os.chmod(self.socket_path(), 0o600)
        self._give(self.socket_path())

    def arm(self, start: dict[str, Any]) -> str:
        """Write the script; return its path as the target sees it."""
        target = self._target
        source = os.path.join(_OWN, "remora")
        carried = not (target.shares_view and _may_read(source, target.uid))
        start = {
            **start,
            "folder": self.inside,
            "package": self.inside if carried else _OWN,
            "carried": carried,
        }
        tag = f"cpython-{target.version >> 24}{target.version >> 16 & 0xFF}"
        self._write("package", bundle(source, tag, with_sources=carried))
        self._write("inside.py", _text("inside.py").encode())
        self._write("armed", b"")
        self._write("go.py", f"{_text('go.py')}\n\narrive({start!r})\n".encode())
        # Last: until here nobody else could put anything into it.
        self._give(self.folder)
        return os.path.join(self.inside, "go.py")

    def disarm(self) -> bool:
        """Make the script do nothing when it runs after all; False if it has begun already."""
        try:
            os.unlink(os.path.join(self.folder, "armed"))
        except OSError:
            return False
        return True

    @property
    def begun(self) -> bool:
        """Whether the script runs; or never will, and has left word why."""
        return os.path.exists(os.path.join(self.folder, "begun")) or self._failed() is not None

    def said(self) -> dict[str, Any] | None:
        """Return what the script has left for us, if it has."""
        try:
            with open(os.path.join(self.folder, "said"), encoding="utf-8") as file:
                found = json.load(file)
        except (OSError, ValueError):
            return self._failed()
        return found if isinstance(found, dict) else None

    def _failed(self) -> dict[str, Any] | None:
        try:
            return {"failed": os.readlink(os.path.join(self.folder, FAILED))}
        except OSError:
            return None

    def remove(self) -> None:
        """Remove it and what is in it."""
        for _ in range(_REMOVALS):
            try:
                for name in os.listdir(self.folder):
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(os.path.join(self.folder, name))
                os.rmdir(self.folder)
                return
            except FileNotFoundError:
                return
            except OSError:
                continue  # a script that was given up as it began has just left its word

    def _write(self, name: str, content: bytes) -> None:
        path = os.path.join(self.folder, name)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(fd, "wb") as file:
            file.write(content)
        self._give(path)

    def _give(self, path: str) -> None:
        if self._target.uid != os.geteuid():
            os.chown(path, self._target.uid, self._target.gid, follow_symlinks=False)


def _bases(target: Target) -> list[str]:
    """Return folders that may do, as the target sees them, the best first."""
    bases = []
    if target.shares_view and target.uid == os.geteuid():
        bases = [os.environ.get("XDG_RUNTIME_DIR", ""), os.environ.get("TMPDIR", "")]
    return [
        base for base in (*bases, "/tmp", "/var/tmp", "/dev/shm", "/run") if 0 < len(base) <= MAX_BASE_CHARS
    ]


def _may_read(path: str, uid: int) -> bool:
    """Whether a user may read a folder: by its mode bits, groups left aside."""
    if uid in (0, os.geteuid()):
        return True
    while True:
        status = os.stat(path)
        wanted = stat.S_IRUSR | stat.S_IXUSR if status.st_uid == uid else stat.S_IROTH | stat.S_IXOTH
        if path == "/":
            wanted &= stat.S_IXUSR | stat.S_IXOTH
        if status.st_mode & wanted != wanted:
            return False
        if path == os.path.dirname(path):
            return True
        path = os.path.dirname(path)


def _text(name: str) -> str:
    with open(os.path.join(os.path.dirname(__file__), name), encoding="utf-8") as file:
        return file.read()
