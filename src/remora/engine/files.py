"""Files: which file a code object comes from, by resolved path and never by basename.

`co_filename` is what somebody passed to `compile`: relative, through a symlink, inside a zip, `<frozen os>`.
It is resolved once per distinct string. A `File` is one resolved path; what is known about it hangs on it.

Any thread; a File is made under no lock, so two threads may make it at once: `setdefault` decides.
"""

from __future__ import annotations

import os
import sys

from .codes import CodeRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .breakpoints import FileBreakpoints
    from .lines import LineTable

_join, _dirname, _basename = os.path.join, os.path.dirname, os.path.basename
_isabs, _realpath, _normcase, _exists = os.path.isabs, os.path.realpath, os.path.normcase, os.path.exists
_readlink, _getcwd = os.readlink, os.getcwd

OWN_DIRECTORY = _dirname(_dirname(os.path.abspath(__file__))) + os.sep
STDLIB = _dirname(_realpath(os.__file__))


class File:
    """One resolved path, and the code of it that has been seen."""

    __slots__ = ("breakpoints", "codes", "is_own", "is_recorded", "is_user", "path", "table", "table_stamp")

    def __init__(self, path: str, *, is_own: bool, is_user: bool) -> None:
        self.path = path
        self.is_own = is_own  # remora's own code: never stopped in, never shown
        self.is_user = is_user
        self.is_recorded = is_user and not is_own  # whether `codes` holds all that has run since attach
        self.codes = CodeRecord()
        self.breakpoints: FileBreakpoints | None = None
        self.table: LineTable | None = None  # its lines, as of `table_stamp`
        self.table_stamp: tuple[int, int] | None = None

    def __repr__(self) -> str:
        return f"<File {self.path}>"


class Paths:
    """Resolve file names; directories are resolved once and remembered."""

    def __init__(self) -> None:
        self._start = _getcwd_or_root()
        self._directories: dict[str, str] = {}

    def resolve(self, name: str) -> str:
        if name.startswith("<"):
            return _frozen(name) if name.startswith("<frozen ") else name
        if not _isabs(name):
            early = _join(self._start, name)
            name = early if _exists(early) else _join(_getcwd_or_root(), name)
        directory = _dirname(name)
        real = self._directories.get(directory)
        if real is None:
            real = self._directories[directory] = _realpath(directory)
        path = _join(real, _basename(name))
        try:
            _readlink(path)
        except (OSError, ValueError):
            return _normcase(path)
        return _normcase(_realpath(path))


def _getcwd_or_root() -> str:
    try:
        return _getcwd()
    except OSError:  # the directory is gone
        return os.sep


def _frozen(name: str) -> str:
    """`<frozen os>` -> the file of the standard library it was made from; the name itself if there is
    none.
    """
    module = name[len("<frozen ") : -1]
    loaded = sys.modules.get(module)
    candidates = []
    origin = getattr(loaded, "__file__", None) if loaded is not None else None
    if isinstance(origin, str):
        candidates.append(origin)
    stem = _join(STDLIB, *module.split("."))
    candidates += [stem + ".py", _join(stem, "__init__.py")]
    for candidate in candidates:
        if _exists(candidate):
            return _normcase(_realpath(candidate))
    return name
