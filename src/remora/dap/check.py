"""Does a message say what DAP allows? Problems come back as sentences with the place, the wish and the fact.

`check_arguments` is what stands between a peer and the handlers: after it, a handler may trust types.
It is lenient where clients differ and nothing is lost: unknown properties pass, and null counts as
missing where a property is optional. `check_message` is strict, for the tests of what we send.

The tables are strings, taken apart on first use: importing this costs next to nothing.
"""

from __future__ import annotations

from remora.dap import tables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

# More than a person reads; a list of a million wrong items must not make a million sentences.
MAX_PROBLEMS = 5

_NAMES = {
    "s": "a string",
    "i": "an integer",
    "n": "a number",
    "b": "true or false",
    "o": "an object",
    "[": "a list",
    "{": "an object",
    "~": "null",
}


def check_arguments(command: str, arguments: object) -> list[str]:
    """Return what is wrong with the arguments of a request, at most MAX_PROBLEMS; [] for nothing.

    A command that DAP does not know has no rules: [] as well. None counts as `{}`.
    """
    spec = tables.ARGUMENTS.get(command, "").removesuffix("!")
    if arguments is None:
        arguments = {}
    check = _Check(strict=False)
    check.value(spec or "o", arguments, "")
    return check.problems


def check_message(message: object) -> list[str]:
    """Return what is wrong with any message, properties that DAP does not know included."""
    if not isinstance(message, dict):
        return [f"a message is an object, got {_got(message)}"]
    check = _Check(strict=True)
    check.value("i0", message.get("seq"), "seq")
    kind = message.get("type")
    if kind == "request":
        command = message.get("command")
        check.part(tables.ARGUMENTS, command, message, "arguments", {"seq", "type", "command", "arguments"})
    elif kind == "event":
        if not isinstance(message.get("body"), dict):
            check.say("body", "an object (some clients fail without)", message.get("body"))
        check.part(tables.EVENTS, message.get("event"), message, "body", {"seq", "type", "event", "body"})
    elif kind == "response":
        check.response(message)
    else:
        check.say("type", "'request', 'response' or 'event'", kind)
    return check.problems


class _Check:
    __slots__ = ("problems", "strict")

    def __init__(self, *, strict: bool) -> None:
        self.problems: list[str] = []
        self.strict = strict

    def say(self, path: str, expected: str, value: object) -> None:
        self.problems.append(f"{path or 'arguments'}: expected {expected}, got {_got(value)}")

    def response(self, message: Mapping[str, Any]) -> None:
        self.value("i0", message.get("request_seq"), "request_seq")
        self.value("s", message.get("command"), "command")
        known = {"seq", "type", "request_seq", "success", "command", "message", "body"}
        success = message.get("success")
        if success is True:
            self.part(tables.RESPONSES, message.get("command"), message, "body", known)
        elif success is False:
            self.value("s", message.get("message"), "message")
            self.value("ErrorResponseBody", message.get("body"), "body")
        else:
            self.say("success", "true or false", success)

    def part(
        self, table: dict[str, str], name: object, message: Mapping[str, Any], key: str, known: set[str]
    ) -> None:
        """Check `message[key]` by the row of the table that `name` selects."""
        for other in message.keys() - known:
            self.problems.append(f"{other}: DAP has no such property here")
        if not isinstance(name, str) or name not in table:
            self.problems.append(f"{name!r:.60} is no {message['type']} of DAP")
            return
        row = table[name]
        spec = row.removesuffix("!")
        if key not in message:
            if row.endswith("!"):
                self.problems.append(f"{key} is missing")
            return
        self.value(spec or "o", message[key], key if self.strict else "")

    def value(self, spec: str, value: object, path: str) -> None:
        if len(self.problems) >= MAX_PROBLEMS or spec == "*":
            return
        if "|" in spec and spec[0] not in "[{":
            self.union(spec, value, path)
            return
        kind = spec[0]
        if kind == "[":
            if not isinstance(value, list):
                self.say(path, "a list", value)
                return
            for index, item in enumerate(value):
                self.value(spec[1:], item, f"{path}[{index}]")
                if len(self.problems) >= MAX_PROBLEMS:
                    return
        elif kind == "{":
            if not isinstance(value, dict):
                self.say(path, "an object", value)
                return
            for name, item in value.items():
                self.value(spec[1:], item, _join(path, name))
        elif kind.isupper():
            self.named(spec, value, path)
        elif not _is_scalar(kind, value):
            self.say(path, _NAMES[kind], value)
        elif len(spec) > 1 and value < int(spec[1:]):  # type: ignore[operator]
            self.say(path, f"an integer of {spec[1:]} or more", value)

    def union(self, spec: str, value: object, path: str) -> None:
        options = spec.split("|")
        trials = []
        for option in options:
            trial = _Check(strict=self.strict)
            trial.value(option, value, path)
            if not trial.problems:
                return
            trials.append(trial)
        self.say(path, " or ".join(_NAMES.get(option[0], "an object") for option in options), value)

    def named(self, name: str, value: object, path: str) -> None:
        row = tables.TYPES[name]
        if row == "s":
            self.value("s", value, path)
            return
        if row[:1] == "=":
            allowed = row[1:].split(" ")
            if value not in allowed:
                self.say(path, "one of " + ", ".join(allowed), value)
            return
        if not isinstance(value, dict):
            self.say(path, "an object", value)
            return
        required, optional = _properties(name)
        for key, spec in required.items():
            if key in value:
                self.value(spec, value[key], _join(path, key))
            else:
                self.problems.append(f"{_join(path, key)} is missing: expected {_wish(spec)}")
        if len(value) > len(required):
            for key, spec in optional.items():
                if key in value and (self.strict or value[key] is not None):
                    self.value(spec, value[key], _join(path, key))
            if self.strict and name not in _OPEN:
                for key in value.keys() - required.keys() - optional.keys():
                    self.problems.append(f"{_join(path, key)}: DAP has no such property here")


# Additional properties are the adapter's own business there, says DAP.
_OPEN = {"LaunchRequestArguments", "AttachRequestArguments", "Module"}

_parsed: dict[str, tuple[dict[str, str], dict[str, str]]] = {}


def _properties(name: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the required and the optional properties of a type, with their specs."""
    try:
        return _parsed[name]
    except KeyError:
        pass
    required: dict[str, str] = {}
    optional: dict[str, str] = {}
    for field in tables.TYPES[name].split():
        key, _, spec = field.partition(":")
        if key[-1] == "!":
            required[key[:-1]] = spec
        else:
            optional[key] = spec
    _parsed[name] = required, optional
    return required, optional


def _is_scalar(kind: str, value: object) -> bool:
    match kind:
        case "s":
            return isinstance(value, str)
        case "i":
            return type(value) is int  # bool is a subclass of int, but not an integer of JSON
        case "n":
            return type(value) in (int, float)
        case "b":
            return isinstance(value, bool)
        case "o":
            return isinstance(value, dict)
        case _:
            return value is None


def _join(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)


def _wish(spec: str) -> str:
    if "|" in spec:
        return " or ".join(_wish(option) for option in spec.split("|"))
    row = tables.TYPES.get(spec, "")
    if row[:1] == "=":
        return "one of " + ", ".join(row[1:].split(" "))
    return _NAMES.get(row if row == "s" else spec[0], "an object")


def _got(value: object) -> str:
    """Name a JSON value: its kind, and the value where it is short enough to help."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            return f"the string {value!r}" if len(value) <= 40 else f"a string of {len(value)} characters"
        case int():
            return str(value) if -(10**20) < value < 10**20 else "a huge number"
        case float():
            return repr(value)
        case list():
            return f"a list of {len(value)}"
        case dict():
            return "an object"
        case _:
            return f"a Python {type(value).__name__}"
