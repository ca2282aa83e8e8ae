"""What the program starts while a family is alive joins it, even with an environment or options against it.

The functions that start processes are wrapped, from `install` to `remove`; each calls the original with what
the program gave, plus the two variables of the family where they are missing, and through boot.py where a
Python would not look at them (command_line.py). Exec and `os._exit`, which end this process without a word,
get out what is still to be said.

Not a difference a program can see, but for the wrappers' names on the way of an exception.
"""

from __future__ import annotations

import _posixsubprocess
import _thread
import os
import posix
import sys

from remora.agent import family, fork
from remora.agent.log import log, log_exception
from remora.agent.wrapping import Wrappers
from remora.dap.hello import CHILD_VARIABLE, FAMILY_VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

BOOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "boot.py")
# Of _posixsubprocess.fork_exec, in 3.12 to 3.15.
ARGS, EXECUTABLES, ENVIRONMENT, PREEXEC = 0, 1, 5, 21

# Set by join: what is to be done before the process is another program, or no more.
on_exec: Callable[[], None] = lambda: None  # noqa: E731
on_exit: Callable[[int], None] = lambda status: None  # noqa: E731
on_over: Callable[[], None] = lambda: None  # noqa: E731  the hub is gone: leave the family
say: Callable[[str], None] = log

_get_ident = _thread.get_ident
_plain_execve = posix.execve
# Threads that fork only to exec: their children do not join before that.
exec_follows: set[int] = set()
_wrappers = Wrappers()
_said: set[str] = set()


def install() -> None:
    """Wrap the functions; idempotent."""
    if _wrappers:
        return
    before = _posixsubprocess.fork_exec
    _wrappers.wrap(_fork_exec, "fork_exec", _posixsubprocess)
    subprocess = sys.modules.get("subprocess")
    if getattr(subprocess, "_fork_exec", None) is before:
        _wrappers.alias(subprocess, "_fork_exec", _posixsubprocess.fork_exec)
    for name in ("posix_spawn", "posix_spawnp"):
        if hasattr(posix, name):
            _wrappers.wrap(_posix_spawn, name, posix, os)
    _wrappers.wrap(_execv, "execv", posix, os)
    _wrappers.wrap(_execve, "execve", posix, os)
    _wrappers.wrap(_exit, "_exit", posix, os)
    _wrappers.wrap(_spawnvef, "_spawnvef", os)


def remove() -> None:
    """Let everything be the original again."""
    ours = _posixsubprocess.fork_exec
    _wrappers.remove()
    subprocess = sys.modules.get("subprocess")
    if subprocess is not None and getattr(subprocess, "_fork_exec", None) is ours:
        setattr(subprocess, "_fork_exec", _posixsubprocess.fork_exec)  # noqa: B010  it was loaded meanwhile


# --- the wrappers; on the thread that starts something


def _is_alive() -> bool:
    if family.is_over:
        on_over()
    family.note_start()
    return family.current is not None


def _fork_exec(original: Callable[..., int], *args: Any) -> int:
    if not _is_alive() or len(args) <= PREEXEC:
        return original(*args)
    given = args
    try:
        args = _completed_fork_exec(args)
    except Exception as error:  # boundary: the program starts what it starts, whatever we make of it
        log_exception("fork_exec", error)
        args = given
    if args[PREEXEC] is None:
        return original(*args)
    with _ExecFollows():
        return original(*args)


def _completed_fork_exec(args: tuple[Any, ...]) -> tuple[Any, ...]:
    environment: dict[bytes, bytes] = dict(os.environ._data)  # type: ignore[attr-defined]
    if args[ENVIRONMENT] is not None:
        environment = {}
        for entry in args[ENVIRONMENT]:
            name, _, value = entry.partition(b"=")
            environment[name] = value
    changed = dict(environment)
    words = _words(args[ARGS], next(_existing(args[EXECUTABLES]), None), changed)
    is_changed = _complete(changed)
    made = list(args)
    if words is not None:
        made[ARGS] = words
    if is_changed or words is not None:
        made[ENVIRONMENT] = [name + b"=" + value for name, value in changed.items()]
    return tuple(made)


def _posix_spawn(original: Callable[..., int], *args: Any, **kwargs: Any) -> int:
    if _is_alive() and len(args) >= 3:
        path, words, environment, *rest = args
        words, environment = _completed(path, words, environment)
        args = (path, words, environment, *rest)
    return original(*args, **kwargs)


def _execv(original: Callable[..., Any], *args: Any) -> Any:
    if not _is_alive() or len(args) != 2:
        return original(*args)
    on_exec()
    path, words = args
    words, environment = _completed(path, words, None)
    if environment is None and words is args[1]:
        return original(*args)
    # With what is in os.environ, which is what execv takes.
    return _plain_execve(path, words, environment)


def _execve(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    if not _is_alive() or len(args) != 3 or kwargs:
        return original(*args, **kwargs)
    on_exec()
    path, words, environment = args
    return original(path, *_completed(path, words, environment))


def _exit(original: Callable[[int], Any], *args: Any, **kwargs: Any) -> Any:
    status = args[0] if args else kwargs.get("status")
    if isinstance(status, int):
        try:
            on_exit(status)
        except Exception as error:  # boundary: the program ends
            log_exception("_exit", error)
    return original(*args, **kwargs)


def _spawnvef(original: Callable[..., Any], *args: Any) -> Any:
    with _ExecFollows():
        return original(*args)


class _ExecFollows:
    """While this thread forks, for a child that will exec."""

    __slots__ = ()

    def __enter__(self) -> None:
        exec_follows.add(_get_ident())
        fork.begin()

    def __exit__(self, *exc_info: object) -> None:
        exec_follows.discard(_get_ident())
        fork.end()


# --- what is started


def _completed(path: Any, words: Any, environment: Any) -> tuple[Any, Any]:
    """Return words and environment to start with; the very objects where nothing is to be changed."""
    try:
        source = os.environ if environment is None else environment
        entries = {os.fsencode(name): os.fsencode(value) for name, value in source.items()}
        executable = os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else None
        made = _words(words, executable, entries)
        if _complete(entries) or made is not None:
            return words if made is None else made, entries
    except Exception as error:  # boundary: what is wrong with them the original says
        log_exception("starting a process", error)
    return words, environment


def _complete(environment: dict[bytes, bytes]) -> bool:
    """Add what a member needs; say whether something was missing."""
    name = FAMILY_VARIABLE.encode()
    before = environment.get(name), environment.get(b"PYTHONPATH")
    environment[name] = family.text.encode()
    path = os.fsdecode(environment.get(b"PYTHONPATH", b""))
    environment[b"PYTHONPATH"] = os.fsencode(family.with_us(path))
    return before != (environment[name], environment[b"PYTHONPATH"])


def _words(words: Any, executable: str | None, environment: dict[bytes, bytes]) -> list[Any] | None:
    """Return the words that start a Python through boot.py, which would not join else; None: as they are."""
    if executable is None or "python" not in os.path.basename(executable) or len(words) < 2:
        return None
    from remora.agent import command_line

    texts = [os.fsdecode(word) for word in words]
    try:
        line = command_line.is_deaf(texts)
        if line is None:
            return None
        known = command_line.is_ours(executable)
        if known is None:
            raise command_line.NotUnderstood(f"the interpreter {executable}, whose version cannot be told")
    except command_line.NotUnderstood as error:
        _say_once(f"not debugged, because of {error}: {' '.join(texts)[:200]}")
        return None
    if not known:
        return None
    environment[CHILD_VARIABLE.encode()] = line.note().encode()
    return [os.fsencode(word) for word in command_line.through_boot(line, BOOT)]


def _existing(executables: Iterable[bytes]) -> Iterator[str]:
    for name in executables:
        path = os.fsdecode(name)
        if os.access(path, os.X_OK) and os.path.isfile(path):
            yield path


def _say_once(text: str) -> None:
    if text not in _said and len(_said) < 100:
        _said.add(text)
        say(text)
