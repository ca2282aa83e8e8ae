"""remora's own log in the debuggee: nothing until `open_log()`, then one line per entry in one file.

For whoever debugs the debugger; no user sees it, and no secret goes in. Not `logging`: that module is
the program's, and costs memory. Any thread; each entry is one `os.write` to a file opened for append,
so entries never mix.
"""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

_fd = -1
_path = ""
_identity = (0, 0)  # of the file: its number may be the program's own by now
_write = os.write  # kept, as the next: a program may patch it
_fstat = os.fstat
_clock = time.time  # programs patch `time.time` in tests


def open_log(name: str) -> None:
    """Append the log to a file from now on; "" closes it. OSError if it cannot be opened."""
    global _fd, _identity, _path
    new = os.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600) if name else -1
    old, _fd = _fd, new
    _path = os.path.abspath(name) if name else ""
    _identity = _identify(new) if name else (0, 0)
    if old >= 0:
        os.close(old)


def log_path() -> str:
    """Return where the log is, for children; "" if there is none."""
    return _path


def _identify(fd: int) -> tuple[int, int]:
    status = _fstat(fd)
    return status.st_dev, status.st_ino


def is_on() -> bool:
    """Say whether there is a log, before making a text for it."""
    return _fd >= 0


def log(text: str) -> None:
    global _fd
    if _fd < 0:
        return
    line = f"{_clock():.6f} [{os.getpid()}] {text}\n"
    try:
        if _identify(_fd) != _identity:
            _fd = -1  # the program has closed it
            return
        _write(_fd, line.encode("utf-8", "backslashreplace"))
    except OSError:
        _fd = -1
        open_log("")  # a full disk or a closed descriptor must not come back on every entry


def log_exception(what: str, error: BaseException) -> None:
    """Log an exception of ours with its traceback (`traceback` itself would cost a dozen modules)."""
    if _fd >= 0:
        log(f"{what}: {describe(error)}\n{_frames(error.__traceback__)}")


def describe(error: BaseException) -> str:
    """Return type and text of an exception whose `__str__` may be broken."""
    try:
        text = str(error)
    except Exception:
        text = "(its text cannot be had)"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _frames(traceback: TracebackType | None) -> str:
    lines = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        lines.append(f"    {code.co_filename}:{traceback.tb_lineno} in {code.co_qualname}")
        traceback = traceback.tb_next
    return "\n".join(lines)
