"""The code of a file that is not (or no longer) in memory as a module body: from its .pyc, else compiled.

A module's own code object is thrown away after the import, so of an imported file only its functions are
left. Its .pyc, if it is of the very source on disk, holds the tree and loads a hundred times faster than
compiling. Nothing here writes, imports, or runs a line of the program.
"""

from __future__ import annotations

import _frozen_importlib_external as _external
import _io
import marshal
import os
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

_open = _io.open  # a program may replace builtins.open (Home Assistant does)
_stat = os.stat
_is_plain = stat.S_ISREG
_ZIP_MODULE = "zipimport"


class SourceUnavailable(Exception):
    """There is no code to be had for this path; the text says why."""


class SyntaxProblem(SourceUnavailable):
    """The file is there but is no Python."""


def from_source(path: str) -> CodeType:
    """Compile the source of `path`, from a file or out of a zip archive. Raises SourceUnavailable."""
    try:
        if not _is_plain(_stat(path).st_mode):
            raise SourceUnavailable(f"{path} is no plain file")  # a pipe or a device: reading may never end
        with _open(path, "rb") as file:
            source = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return _from_zip(path)
    except (OSError, ValueError) as error:
        raise SourceUnavailable(f"cannot read {path}: {error}") from None
    return _compiled(source, path)


def stamp(path: str) -> tuple[int, int] | None:
    """What changes when the file does."""
    try:
        status = _stat(path)
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_size


def from_pyc(path: str) -> CodeType | None:
    """The module code of `path` from its .pyc, if that was made of the very source that is there now."""
    try:
        status = _stat(path)
        with _open(_external.cache_from_source(path), "rb") as file:
            data = file.read()
    except (OSError, NotImplementedError, ValueError):
        return None
    if len(data) < 16 or data[:4] != _external.MAGIC_NUMBER or data[4:8] != b"\0\0\0\0":
        return None  # another Python's, or checked by hash: compiling is simpler than hashing
    mtime = int(status.st_mtime) & 0xFFFFFFFF
    if int.from_bytes(data[8:12], "little") != mtime:
        return None
    if int.from_bytes(data[12:16], "little") != status.st_size & 0xFFFFFFFF:
        return None
    try:
        code: CodeType = marshal.loads(memoryview(data)[16:])
    except (EOFError, ValueError, TypeError):
        return None
    return code


class Text:
    """The lines of a file, read when the first is asked for; none where there is no such plain file."""

    __slots__ = ("_lines", "_path")

    def __init__(self, path: str) -> None:
        self._path = path
        self._lines: list[bytes] | None = None

    def indentation(self, line: int) -> int:
        """Bytes of white space before a line."""
        content = self._line(line)
        return len(content) - len(content.lstrip())

    def comment_indentation(self, line: int) -> int:
        """The same of a line that is a comment and nothing else; 0 for any other."""
        return self.indentation(line) if self._line(line).lstrip().startswith(b"#") else 0

    def _line(self, line: int) -> bytes:
        if self._lines is None:
            self._lines = self._read()
        return self._lines[line - 1] if 0 < line <= len(self._lines) else b""

    def _read(self) -> list[bytes]:
        try:
            if not _is_plain(_stat(self._path).st_mode):
                return []
            with _open(self._path, "rb") as file:
                return file.read().split(b"\n")
        except (OSError, ValueError):
            return []


def _from_zip(path: str) -> CodeType:
    archive = path
    while True:
        shorter = os.path.dirname(archive)
        if shorter == archive:
            raise SourceUnavailable(f"no file {path}")
        archive = shorter
        if os.path.isfile(archive):
            break
        if os.path.isdir(archive):
            raise SourceUnavailable(f"no file {path}")
    zipimport = sys.modules.get(_ZIP_MODULE)
    if zipimport is None:
        raise SourceUnavailable(f"no file {path}")
    try:
        source = zipimport.zipimporter(archive).get_data(path)
    except (OSError, ImportError, ValueError):
        raise SourceUnavailable(f"no file {path}") from None
    return _compiled(source, path)


def _compiled(source: bytes, path: str) -> CodeType:
    warnings = sys.modules.get("warnings")
    quiet = ("ignore", None, SyntaxWarning, None, 0)
    if warnings is not None:
        # The program will be warned when it compiles the file itself, not because we looked at it.
        warnings.filters.insert(0, quiet)
    try:
        code: CodeType = compile(source, path, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise SyntaxProblem(f"{error.msg} (line {error.lineno})") from None
    except (ValueError, MemoryError, RecursionError) as error:
        raise SyntaxProblem(str(error) or type(error).__name__) from None
    finally:
        if warnings is not None and quiet in warnings.filters:
            warnings.filters.remove(quiet)
    return code
