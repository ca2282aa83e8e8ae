"""autoReload: watch the files of the program's modules, and take over what changes in them.

A thread of its own looks at the files; it is told to the engine, so it is never listed or stopped. What is
taken over, and how, is `renewal`'s. Loaded only when an attach asks for it.
"""

from __future__ import annotations

import _thread
import os
import sys
import time

from remora.agent import renewal
from remora.agent.log import log, log_exception
from remora.engine.files import OWN_DIRECTORY, STDLIB
from remora.engine.usercode import Glob

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from remora.agent.agent import Agent
    from remora.agent.session import Session

    type Stamp = tuple[int, int, int, int]  # the last is when it was written, whatever the first says

INTERVAL_S = 1.0
SLACK_NS = 100_000_000  # the clock of a file system ticks in steps of a few milliseconds
INCLUDE = ("**/*.py", "**/*.pyw")
EXCLUDE = (
    "**/.git/**",
    "**/.metadata/**",
    "**/__pycache__/**",
    "**/node_modules/**",
    "**/site-packages/**",
)
_STDLIB = STDLIB + os.sep
_INSTALLED = os.path.join(STDLIB, "site-packages")
_time_ns = time.time_ns
_stat, _open, _realpath = os.stat, open, os.path.realpath  # kept: a program may patch them
_start_thread, _allocate_lock, _get_ident = (
    _thread.start_new_thread,
    _thread.allocate_lock,
    _thread.get_ident,
)


class Reloader:
    """Watches for one session, from `start` to `stop`."""

    def __init__(self, agent: Agent, session: Session, wish: dict[str, Any]) -> None:
        self._agent = agent
        self._session = session
        self._interval_s: float = wish.get("pollingInterval") or INTERVAL_S
        self._include = [Glob(one) for one in wish.get("include") or INCLUDE]
        self._exclude = [Glob(one) for one in wish.get("exclude") or EXCLUDE]
        self._files: dict[str, str | None] = {}  # `__file__` of a module -> resolved, None: not to be watched
        self._stamps: dict[str, Stamp] = {}
        self._texts: dict[str, bytes] = {}  # as the program runs them
        self._looked_ns = 0
        self._ended = _allocate_lock()
        self._ended.acquire()

    def start(self) -> None:
        """Learn what there is now, and watch from here on."""
        self._look(is_first=True)
        _start_thread(self._run, ())

    def stop(self) -> None:
        """End soon; what is under way is finished. Any thread, once."""
        self._ended.release()

    def _run(self) -> None:
        engine = self._agent.engine
        ident = _get_ident()
        engine.own_thread(ident)
        try:
            while not self._ended.acquire(timeout=self._interval_s):
                self._look()
        except Exception as error:  # boundary: of a thread nobody else looks at
            log_exception("reload", error)
        finally:
            engine.own_thread(ident, False)

    def _look(self, *, is_first: bool = False) -> None:
        looked_ns, self._looked_ns = self._looked_ns, _time_ns()
        namespaces: dict[str, list[dict[str, Any]]] = {}
        for module in list(sys.modules.values()):
            namespace: Any = getattr(module, "__dict__", None)
            name = namespace.get("__file__") if type(namespace) is dict else None
            if type(name) is str and (path := self._watched(name)) is not None:
                namespaces.setdefault(path, []).append(namespace)
        for path, made in namespaces.items():
            stamp = _stamp(path)
            known = self._stamps.get(path)
            if stamp is None or stamp == known:
                continue
            self._stamps[path] = stamp
            try:
                with _open(path, "rb") as file:
                    text = file.read()
            except OSError as error:
                log(f"{path}: {error}")
                continue
            old = self._texts.get(path)
            if known is None:
                # Imported since the last look. A file that has changed since, too, may have been read before.
                self._texts[path] = text
                if not is_first and stamp[-1] >= looked_ns - SLACK_NS:
                    self._renew(path, None, text, made)
            elif text != old and text.strip():  # an editor may empty a file before it writes it
                self._renew(path, old, text, made)

    def _renew(self, path: str, old: bytes | None, text: bytes, namespaces: list[dict[str, Any]]) -> None:
        is_same: dict[str, bool] = {}

        def is_file(name: str) -> bool:
            if name not in is_same:
                is_same[name] = not name.startswith("<") and _realpath(name) == path
            return is_same[name]

        result = renewal.renew(path, old, text, namespaces, is_file)
        if result.module is not None:
            self._texts[path] = text
        is_news = old is not None or result.changed or result.added or result.problems

        def tell() -> None:
            # Breakpoints first: when the user reads of it, they are where they belong.
            if result.module is not None:
                self._agent.engine.code_replaced(path, result.module)
            session = self._session
            if is_news and session.agent.session is session:
                session.say(renewal.summary(path, result))

        self._agent.loop.soon(tell)

    def _watched(self, name: str) -> str | None:
        if name not in self._files:
            path = _realpath(name)
            self._files[name] = path if self._is_wanted(path) else None
        return self._files[name]

    def _is_wanted(self, path: str) -> bool:
        if path.startswith(OWN_DIRECTORY) or (path.startswith(_STDLIB) and not path.startswith(_INSTALLED)):
            return False
        if any(one.matches(path) for one in self._exclude):
            return False
        return any(one.matches(path) for one in self._include)


def _stamp(path: str) -> Stamp | None:
    try:
        status = _stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino, status.st_ctime_ns
