"""What the value of a configuration's property must be: the kinds of `properties`, each with its check.

A check returns None for a good value, and otherwise how the sentence `"name" …` goes on.
"""

from __future__ import annotations

import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

CONSOLES = ("internalConsole", "integratedTerminal", "externalTerminal")
# Variables of VS Code. What they stand for only a client knows: one that arrives here was not replaced.
_CLIENTS_VARIABLE = (
    "${command:", "${input:", "${config:", "${workspaceFolder", "${workspaceRoot}", "${file",
    "${relativeFile", "${fileWorkspaceFolder", "${userHome}", "${cwd}", "${execPath}",
    "${pathSeparator}", "${env:",
)  # fmt: skip


class Kind:
    """One kind of value; `label` is its name in docs/configuration.md."""

    __slots__ = ("check", "label")

    def __init__(self, label: str, check: Callable[[Any], str | None]) -> None:
        self.label = label
        self.check = check


def shown(value: object) -> str:
    """Return the value as people wrote it, cut short."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def _is_passable(text: str) -> bool:
    """Say whether a process can be given this text: no zero byte, no half of a surrogate pair."""
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def _bool(value: Any) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def _any(value: Any) -> str | None:
    return None


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) and _is_passable(value) else "must be a text"


def _path(value: Any) -> str | None:
    problem = _text(value)
    if problem is None and any(start in value for start in _CLIENTS_VARIABLE):
        return "has a variable that the editor should have replaced; write out what it stands for"
    return problem


def _number(value: Any) -> str | None:
    return None if type(value) in (int, float) else "must be a number"


def _seconds(value: Any) -> str | None:
    return None if type(value) in (int, float) and value >= 0 else "must be a number of seconds, 0 or more"


def _count(value: Any) -> str | None:
    return None if type(value) is int and value >= 0 else "must be a whole number, 0 or more"


def _lines(value: Any) -> str | None:
    lines = value if isinstance(value, list) else [value]
    if all(isinstance(line, str) and _is_passable(line) for line in lines):
        return None
    return "must be a text or a list of lines"


def _words(value: Any) -> str | None:
    if isinstance(value, str):
        if "${command:" in value:
            return "has a variable that the editor should have replaced; write out what it stands for"
        import shlex

        try:
            shlex.split(value)
        except ValueError as error:
            return f"cannot be split into words ({error})"
        return _text(value)
    if isinstance(value, list) and all(
        type(word) in (int, float) or (isinstance(word, str) and _is_passable(word)) for word in value
    ):
        return None
    return "must be a text or a list of texts"


def _python(value: Any) -> str | None:
    words = value if isinstance(value, list) else [value]
    if not words or words[0] == "":
        return "is empty"
    if not all(isinstance(word, str) and _is_passable(word) for word in words):
        return "must be a text or a list of texts"
    return _path(words[0])


def _console(value: Any) -> str | None:
    return None if value in CONSOLES else "must be one of " + ", ".join(f'"{name}"' for name in CONSOLES)


def _environment(value: Any) -> str | None:
    if not isinstance(value, dict):
        return "must be an object of names and texts"
    for name, text in value.items():
        if not name or "=" in name or not _is_passable(name):
            return f"has a name no variable can have ({shown(name)})"
        if not (text is None or (isinstance(text, str) and _is_passable(text))):
            return f'must give a text, or null to unset, for "{name}"'
    return None


def _port(value: Any) -> str | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    return None if type(value) is int and 0 <= value <= 65535 else "must be a port number, 0 to 65535"


def _address(value: Any) -> str | None:
    if not isinstance(value, dict) or "port" not in value:
        return 'must be an object {"host": …, "port": …}'
    host = value.get("host")
    if host is not None and not isinstance(host, str):
        return "must have a text as its host"
    problem = _port(value["port"])
    return problem and problem.replace("must be", "must have as its port")


def _process(value: Any) -> str | None:
    if isinstance(value, str) and value.startswith("${"):
        return "is a question the editor should have asked; give the id of a process (`remora ps` lists them)"
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    return None if type(value) is int and value > 0 else "must be a process id"


def _mappings(value: Any) -> str | None:
    shape = 'must be a list of objects {"localRoot": …, "remoteRoot": …}'
    if not isinstance(value, list):
        return shape
    for rule in value:
        if not isinstance(rule, dict):
            return shape
        for name in ("localRoot", "remoteRoot"):
            if not isinstance(rule.get(name), str):
                return shape
    return None


def _rules(value: Any) -> str | None:
    shape = 'must be a list of objects {"path" or "module": …, "include": true or false}'
    if not isinstance(value, list):
        return shape
    for rule in value:
        if not isinstance(rule, dict) or not isinstance(rule.get("include"), bool):
            return shape
        given = [rule[name] for name in ("path", "module") if rule.get(name) is not None]
        if len(given) != 1 or not isinstance(given[0], str):
            return shape
    return None


RELOAD_FIELDS = ("enable", "exclude", "include", "pollingInterval", "watchDirectories")


def _reload(value: Any) -> str | None:
    if not isinstance(value, dict):
        return 'must be an object {"enable": …, "include": …, "exclude": …, "pollingInterval": …}'
    for name, given in value.items():
        if given is None:
            continue
        if name == "enable":
            problem = _bool(given)
        elif name == "pollingInterval":
            problem = None if _seconds(given) is None and given > 0 else "must be a number of seconds above 0"
        elif name in RELOAD_FIELDS:
            is_texts = isinstance(given, list) and all(_text(one) is None for one in given)
            problem = None if is_texts else "must be a list of texts"
        else:
            problem = "is not one of " + ", ".join(f'"{known}"' for known in RELOAD_FIELDS)
        if problem:
            return f'has "{name}", which {problem}; the value is wrong'
    return None


_PRESENTED = ("all", "class", "function", "protected", "special")
_PRESENTATIONS = ("group", "hide", "inline")


def _presentation(value: Any) -> str | None:
    if isinstance(value, dict) and all(
        name in _PRESENTED and how in _PRESENTATIONS for name, how in value.items()
    ):
        return None
    return f"must give {', '.join(_PRESENTATIONS)} for any of {', '.join(_PRESENTED)}"


def _exits(value: Any) -> str | None:
    ok = isinstance(value, list) and all(
        type(one) is int
        or (isinstance(one, dict) and all(type(one.get(end)) in (int, type(None)) for end in ("from", "to")))
        for one in value
    )
    return None if ok else 'must be a list of exit codes and ranges {"from": …, "to": …}'


def _on_terminate(value: Any) -> str | None:
    return None if value == "KeyboardInterrupt" else 'must be "KeyboardInterrupt"'


ANY = Kind("any", _any)
BOOL = Kind("true or false", _bool)
TEXT = Kind("text", _text)
PATH = Kind("text", _path)
NUMBER = Kind("number", _number)
SECONDS = Kind("seconds", _seconds)
COUNT = Kind("number", _count)
LINES = Kind("text or list", _lines)
WORDS = Kind("text or list", _words)
PYTHON = Kind("text or list", _python)
CONSOLE = Kind("one of three", _console)
ENVIRONMENT = Kind("object", _environment)
PORT = Kind("port", _port)
ADDRESS = Kind("host and port", _address)
PROCESS = Kind("process id", _process)
MAPPINGS = Kind("list of objects", _mappings)
RULES = Kind("list of objects", _rules)
RELOAD = Kind("object", _reload)
PRESENTATION = Kind("object", _presentation)
EXITS = Kind("list", _exits)
ON_TERMINATE = Kind("text", _on_terminate)
