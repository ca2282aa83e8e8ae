"""What the commands for a live program share: the target, the session with it, options, output.

`remora log`, `snapshot`, `stack` and `eval` are DAP clients like an editor, but guests: they never send
`configurationDone`, so a program that waits for a debugger goes on waiting, and a `breakpoint()` in it does
not stop for them. Children of the program are not held for them. Whatever ends the command, -9 included, the
connection ends with it, and the hub takes everything back.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from types import FrameType
from typing import Any, Self

from remora.cli.options import UsageError, take_option, value_of
from remora.cli.targets import Target
from remora.client import ClientError, DebugSession, Disconnected, RequestFailed

PROBLEM_EXIT = 1
FEATURES = {"supportsRemoraEvents": True}
# Children are not told to us, and so not held for us.
ATTACH = {"name": "remora", "redirectOutput": False, "subProcess": False}
# Ending the session waits for the hub, not for long: it cleans up by itself when we are gone.
GOODBYE_S = 3.0


class Problem(Exception):
    """Nothing came of it: one line for stderr, exit code 1."""


class Interrupted(BaseException):
    """Ctrl-C, or a signal that asks us to end."""


class Options:
    """What every one of the commands takes."""

    def __init__(self) -> None:
        self.json = False
        self.redact = True
        self.seconds: float | None = None
        self.mappings: list[dict[str, str]] = []

    def take(self, option: str, rest: list[str]) -> bool:
        """Take an option if it is one of these. UsageError."""
        match option:
            case "--json":
                self.json = True
            case "--no-redact":
                self.redact = False
            case "--for":
                self.seconds = seconds_of(value_of(option, rest), option)
            case "--path-mapping":
                local, equals, remote = value_of(option, rest).partition("=")
                if not equals or not local or not remote:
                    raise UsageError("--path-mapping: write LOCAL=REMOTE, two folders")
                self.mappings.append({"localRoot": os.path.abspath(local), "remoteRoot": remote})
            case _:
                return False
        return True


FLAGS = ["--help", "--json", "--no-redact"]


def parse(
    command: str, arguments: list[str], help: str, flags: list[str], take: Callable[[str, list[str]], bool]
) -> list[str] | None:
    """Read a command line: `take` gets each option; return the other words. None: help was asked for."""
    words: list[str] = []
    rest = list(arguments)
    while rest:
        if not rest[0].startswith("-") or rest[0] == "-":
            words.append(rest.pop(0))
            continue
        option = take_option(rest, [*FLAGS, *flags])
        if option in ("-h", "--help"):
            print(help, end="")
            return None
        if option == "--":
            return words + rest
        if not take(option, rest):
            raise UsageError(f"{command}: there is no option {option}; see remora {command} --help")
    return words


class Live:
    """A session with a target; its events in order. A context manager."""

    def __init__(self, target: Target, options: Options, command: str) -> None:
        self.target = target
        self._features = {**FEATURES, "clientName": f"remora {command}"}
        self.events: queue.SimpleQueue[tuple[str, dict[str, Any]]] = queue.SimpleQueue()
        self._options = options
        self._session: DebugSession | None = None
        self.pid: int | None = None

    def __enter__(self) -> Self:
        """Connect and attach. Problem."""
        try:
            client = self.target.open(
                on_event=self._on_event, on_end=lambda why: self.events.put(("end", {"why": why}))
            )
        except OSError as error:
            raise Problem(str(error)) from error
        session = self._session = DebugSession(
            client, features=self._features, timeout_s=self.target.attach_timeout_s
        )
        arguments: dict[str, Any] = {**ATTACH, **self.target.arguments}
        if self._options.mappings:
            arguments["pathMappings"] = self._options.mappings
        try:
            session.begin("attach", arguments)
        except BaseException as error:
            self.close()
            if isinstance(error, ClientError):
                raise Problem(_reason(error)) from error
            raise
        for body in client.seen("process"):
            self.pid = body.get("systemProcessId")
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the program as it was."""
        session, self._session = self._session, None
        if session is None:
            return
        try:
            with contextlib.suppress(ClientError):
                session.client.request("disconnect", {"terminateDebuggee": False}, timeout_s=GOODBYE_S)
        finally:
            session.client.close()

    def ask(self, command: str, arguments: dict[str, Any], timeout_s: float = 30.0) -> dict[str, Any]:
        """Send a request and return the body of its answer. Problem."""
        assert self._session is not None
        try:
            return self._session.client.request(command, arguments, timeout_s=timeout_s)
        except RequestFailed as error:
            if error.id == 1002:
                raise Problem(f"what runs there is no remora, or an older one: {error.text}") from error
            raise Problem(error.text) from error
        except ClientError as error:
            raise Problem(_reason(error)) from error

    def place(self, places: list[Place], make: Callable[[Place], dict[str, Any]]) -> None:
        """Set breakpoints. Problem if one can never be reached."""
        by_path: dict[str, list[Place]] = {}
        for place in places:
            by_path.setdefault(place.path, []).append(place)
        for path, group in by_path.items():
            wishes = [{**make(place), "line": place.line} for place in group]
            body = self.ask("setBreakpoints", {"source": {"path": path}, "breakpoints": wishes})
            for place, made in zip(group, body.get("breakpoints") or [], strict=False):
                message = made.get("message")
                if not made.get("verified") and made.get("reason") == "failed":
                    raise Problem(f"{place}: {message}")
                if message:
                    note(f"{place}: {message}{place.hint if not made.get('verified') else ''}")

    def until(self, seconds: float | None) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield events for so long. The last is ("end", …) if the program has ended, or the connection."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while True:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return
            try:
                name, body = self.events.get(timeout=left)
            except queue.Empty:
                return
            if name == "terminated":
                name, body = "end", {"why": ""}
            yield name, body
            if name == "end":
                return

    def rest(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield what has come since, once the session is over."""
        with contextlib.suppress(queue.Empty):
            while True:
                yield self.events.get_nowait()

    def _on_event(self, name: str, body: dict[str, Any]) -> None:
        if name != "output":
            self.events.put((name, body))
        elif body.get("category", "console") in ("console", "important"):
            # At once: it may be why attaching takes its time.
            note(str(body.get("output", "")).removeprefix("remora: ").rstrip("\n"))


class Place:
    """FILE:LINE."""

    def __init__(self, text: str) -> None:
        """UsageError if it is none."""
        file, colon, line = text.rpartition(":")
        if not colon or not file or not (line.isascii() and line.isdigit()) or not int(line):
            raise UsageError(f"{text!r} is no place in a program: write FILE:LINE, as in app.py:42")
        self.path = os.path.abspath(file) if os.path.exists(file) else file
        self.line = int(line)
        known = os.path.isabs(self.path)
        self.hint = "" if known else " Give its full path there, as in /srv/app.py:42."
        self._text = text

    def __str__(self) -> str:
        return self._text


def seconds_of(text: str, option: str) -> float:
    """Read a number of seconds: `10`, `1.5`, `10s`, `5m`, `2h`. UsageError."""
    scale = {"s": 1, "m": 60, "h": 3600}.get(text[-1:], 0)
    try:
        seconds = float(text[:-1]) * scale if scale else float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < float("inf"):
        raise UsageError(f"{option}: {text!r} is no time; write seconds, or 5m, or 2h")
    return seconds


def count_of(text: str, option: str, least: int = 1) -> int:
    """Read a whole number. UsageError."""
    if not (text.isascii() and text.isdigit()) or int(text) < least:
        raise UsageError(f"{option}: {text!r} is no whole number from {least}")
    return int(text)


def rate_of(text: str, option: str) -> dict[str, Any] | None:
    """Read `N`, `N/s`, `N/m`, `N/h`, or `none`. UsageError."""
    if text == "none":
        return None
    count, _, unit = text.partition("/")
    seconds = {"": 1, "s": 1, "m": 60, "h": 3600}.get(unit)
    if seconds is None:
        raise UsageError(f"{option}: {text!r} is no rate: write N/s, N/m, N/h or none")
    return {"count": count_of(count, option), "seconds": seconds}


class Output:
    """Text for people or JSON for programs, line by line, each flushed. A closed pipe ends the command."""

    def __init__(self, options: Options) -> None:
        self.json = options.json

    def say(self, text: str) -> None:
        try:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            # Nobody reads any more; the interpreter would try to flush once again at its end.
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115
            raise Interrupted from None

    def object(self, kind: str, **fields: Any) -> None:
        """Write one object of the documented schema."""
        kept = {name: value for name, value in fields.items() if value is not None}
        self.say(json.dumps({"type": kind, **kept}))


def note(text: str) -> None:
    """Say something that is not the answer."""
    print(f"remora: {text}", file=sys.stderr, flush=True)


def shown_path(path: str) -> str:
    """Write a path as short as it is clear here."""
    relative = os.path.relpath(path) if os.path.isabs(path) else path
    return path if relative.startswith("..") else relative


def clock_time(seconds: float) -> str:
    """Write a time of day."""
    return datetime.fromtimestamp(seconds).strftime("%H:%M:%S.%f")[:-3]


def run(action: Callable[[], int]) -> int:
    """Run a command: Ctrl-C and SIGTERM end it as its natural end does, a Problem is told."""

    def ask_to_end(number: int, frame: FrameType | None) -> None:
        raise Interrupted

    before = {number: signal.signal(number, ask_to_end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return action()
    except Interrupted:
        return 0
    except Problem as problem:
        note(str(problem))
        return PROBLEM_EXIT
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _reason(error: ClientError) -> str:
    if isinstance(error, RequestFailed):
        return error.text
    if isinstance(error, Disconnected):
        return str(error)
    return str(error).splitlines()[0]
