"""Client paths and debuggee paths: two machines, two file systems, one source file.

A rule says that one folder on the client is one folder at the debuggee. The longest matching root
wins, matching is by whole components (`/app` is no part of `/app2`), and a path no rule knows goes
through unchanged. Nothing here looks at a file system: neither side need be this machine.

Windows paths compare without case and with either separator; POSIX paths compare exactly, and a
backslash in one is an ordinary character. What kind a path is shows in the path itself (drive letter,
`\\\\server`, leading `/`); the sides' operating systems only decide for the rest. So a debuggee path
that the client got unmapped and sends back is taken for what it is.

`..` in a root or a path is resolved by its text, as editors do. Not idempotent by design where the
two roots of a rule overlap (`/app` -> `/app/src`): only the direction says which is meant.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

TO_DEBUGGEE = "to_debuggee"
TO_CLIENT = "to_client"

POSIX = "posix"
WINDOWS = "windows"

# A stack trace asks for the same few files again and again; a program has some thousands at most.
_MAX_CACHED = 4096

# URIs whose path names a file on the machine the client works on. Others (untitled:, git:) are no files.
_FILE_SCHEMES = ("file", "vscode-remote")


class _Path:
    """A path taken apart: anchor (`/`, `c:\\`, `\\\\server\\share\\` or empty), then names."""

    __slots__ = ("anchor", "flavour", "key", "names")

    def __init__(self, anchor: str, names: list[str], flavour: str) -> None:
        self.anchor = anchor
        self.names = names
        self.flavour = flavour
        #: what is compared
        self.key = [anchor, *names]
        if flavour == WINDOWS:
            self.key = [part.casefold() for part in self.key]

    def text(self) -> str:
        return (self.anchor + ("\\" if self.flavour == WINDOWS else "/").join(self.names)) or "."

    def below(self, root: _Path) -> list[str] | None:
        """Return the names that lead from `root` to this path, or None if it is not below it."""
        size = len(root.key)
        if self.flavour != root.flavour or self.key[:size] != root.key:
            return None
        return self.names[size - 1 :]


class PathMapping:
    """The rules of one client for one debuggee."""

    __slots__ = ("_cache", "_client_os", "_client_uris", "_debuggee_os", "_rules")

    def __init__(
        self,
        rules: Iterable[tuple[str, str]] = (),
        client_os: str | None = None,
        debuggee_os: str | None = None,
        *,
        debuggee_cwd: str | None = None,
        client_uris: bool = False,
    ) -> None:
        """Take `(client root, debuggee root)` pairs; where two roots are equal the first rule wins.

        A relative debuggee root (`.`) is relative to `debuggee_cwd`. The sides' systems are POSIX or
        WINDOWS, None for unknown. With `client_uris` the client is given `file://` URIs
        (`pathFormat: uri`); it may send them in any case.
        """
        self._client_os = client_os or POSIX
        self._debuggee_os = debuggee_os or POSIX
        self._client_uris = client_uris
        self._rules: list[tuple[_Path, _Path]] = []
        self._cache: dict[tuple[str, str], str] = {}
        for client_root, debuggee_root in rules:
            client = _parse(_from_uri(client_root), self._client_os)
            debuggee = _parse(debuggee_root, self._debuggee_os)
            if not debuggee.anchor and debuggee_cwd:
                base = _parse(debuggee_cwd, self._debuggee_os)
                debuggee = _Path(base.anchor, _resolve([*base.names, *debuggee.names]), base.flavour)
            self._rules.append((client, debuggee))

    def __bool__(self) -> bool:
        return bool(self._rules)

    def to_debuggee(self, path: str) -> str:
        """Return the debuggee's name for a client path (or `file:` URI)."""
        return self._cached(path, TO_DEBUGGEE)

    def to_client(self, path: str) -> str:
        """Return the client's name for a debuggee path."""
        return self._cached(path, TO_CLIENT)

    def _cached(self, path: str, direction: str) -> str:
        key = (path, direction)
        result = self._cache.get(key)
        if result is None:
            if len(self._cache) >= _MAX_CACHED:
                self._cache.clear()
            result = self._cache[key] = self._translate(path, direction)
        return result

    def _translate(self, path: str, direction: str) -> str:
        outward = direction == TO_CLIENT
        if not outward:
            path = _from_uri(path)
        if self._rules:
            parsed = _parse(path, self._debuggee_os if outward else self._client_os)
            best: tuple[list[str], _Path] | None = None
            best_size = -1
            for client, debuggee in self._rules:
                source, target = (debuggee, client) if outward else (client, debuggee)
                if len(source.key) > best_size and (names := parsed.below(source)) is not None:
                    best, best_size = (names, target), len(source.key)
            if best is not None:
                names, target = best
                path = _Path(target.anchor, [*target.names, *names], target.flavour).text()
        return _to_uri(path) if outward and self._client_uris else path


def mapping_from(
    arguments: Mapping[str, Any],
    *,
    debuggee_os: str | None = None,
    debuggee_cwd: str | None = None,
    client_uris: bool = False,
) -> tuple[PathMapping, list[str]]:
    """Read the mapping of an `attach` or `launch` configuration; return it and what is wrong with it.

    Both spellings: `pathMappings: [{localRoot, remoteRoot}]`, and the older `localRoot` with
    `remoteRoot`. Entries with a problem are left out.
    """
    problems: list[str] = []
    entries = arguments.get("pathMappings")
    if entries is None:
        entries = []
    elif not isinstance(entries, list):
        problems.append("pathMappings: expected a list of objects with localRoot and remoteRoot")
        entries = []
    named = [(f"pathMappings[{index}]", entry) for index, entry in enumerate(entries)]
    if isinstance(arguments.get("remoteRoot"), str) and isinstance(arguments.get("localRoot"), str):
        named.append(("localRoot, remoteRoot", arguments))
    rules = []
    for place, entry in named:
        local = entry.get("localRoot") if isinstance(entry, dict) else None
        remote = entry.get("remoteRoot") if isinstance(entry, dict) else None
        if not isinstance(local, str) or not isinstance(remote, str) or not local or not remote:
            problems.append(f"{place}: expected an object with localRoot and remoteRoot, two strings")
        elif "${" in local or "${" in remote:
            problems.append(f"{place}: the client left a variable unresolved: {local!r}, {remote!r}")
        else:
            rules.append((local, remote))
    mapping = PathMapping(
        rules, _client_os(arguments), debuggee_os, debuggee_cwd=debuggee_cwd, client_uris=client_uris
    )
    return mapping, problems


def _client_os(arguments: Mapping[str, Any]) -> str | None:
    named = arguments.get("clientOS")
    if isinstance(named, str):
        return WINDOWS if named.lower().startswith("win") else POSIX
    options = arguments.get("debugOptions")
    if isinstance(options, list) and "WindowsClient" in options:
        return WINDOWS
    return None


# Where sources stand in messages; `*` is each item of a list. Only a Source's own `path` and a Module's
# are translated: program, cwd and the like belong to whoever launches.
_IN_REQUESTS: dict[str, tuple[str, ...]] = {
    "setBreakpoints": ("source",),
    "breakpointLocations": ("source",),
    "gotoTargets": ("source",),
    "source": ("source",),
    "evaluate": ("source",),
}
_IN_RESPONSES: dict[str, tuple[str, ...]] = {
    "setBreakpoints": ("breakpoints", "*", "source"),
    "setFunctionBreakpoints": ("breakpoints", "*", "source"),
    "setExceptionBreakpoints": ("breakpoints", "*", "source"),
    "setDataBreakpoints": ("breakpoints", "*", "source"),
    "setInstructionBreakpoints": ("breakpoints", "*", "source"),
    "stackTrace": ("stackFrames", "*", "source"),
    "scopes": ("scopes", "*", "source"),
    "loadedSources": ("sources", "*"),
    "modules": ("modules", "*"),
    "disassemble": ("instructions", "*", "location"),
    "locations": ("source",),
    "remoraStacks": ("stacks", "*", "frames", "*", "source"),
}
_IN_EVENTS: dict[str, tuple[str, ...]] = {
    "output": ("source",),
    "breakpoint": ("breakpoint", "source"),
    "loadedSource": ("source",),
    "module": ("module",),
    "remoraLog": ("source",),
    "remoraLeftOut": ("source",),
    "remoraSnapshot": ("frames", "*", "source"),
}


def translate(message: dict[str, Any], mapping: PathMapping, direction: str) -> dict[str, Any]:
    """Return the message with every source path in the terms of the other side.

    `direction` is TO_DEBUGGEE or TO_CLIENT. The message itself is left alone, so that one answer can
    be told to several clients; what need not change is shared with it. Ill-formed parts pass as they are.
    """
    convert = mapping.to_debuggee if direction == TO_DEBUGGEE else mapping.to_client
    kind = message.get("type")
    if kind == "request":
        table, name, part = _IN_REQUESTS, message.get("command"), "arguments"
    elif kind == "event":
        table, name, part = _IN_EVENTS, message.get("event"), "body"
    else:
        table, name, part = _IN_RESPONSES, message.get("command"), "body"
    steps = table.get(name) if isinstance(name, str) else None
    if steps is None or part not in message:
        return message
    result: dict[str, Any] = _rewrite(message, (part, *steps), 0, convert)
    return result


def _rewrite(value: Any, steps: tuple[str, ...], at: int, convert: Callable[[str], str]) -> Any:
    if at == len(steps):
        return _rewrite_source(value, convert)
    step = steps[at]
    if step == "*":
        if not isinstance(value, list):
            return value
        return [_rewrite(item, steps, at + 1, convert) for item in value]
    if not isinstance(value, dict) or step not in value:
        return value
    old = value[step]
    new = _rewrite(old, steps, at + 1, convert)
    return value if new is old else {**value, step: new}


def _rewrite_source(source: Any, convert: Callable[[str], str], depth: int = 0) -> Any:
    """Rewrite a Source or a Module: both have the path under `path`; a Source may be made of `sources`."""
    if not isinstance(source, dict):
        return source
    changes: dict[str, Any] = {}
    path = source.get("path")
    if isinstance(path, str) and path:
        new = convert(path)
        if new != path:
            changes["path"] = new
    parts = source.get("sources")
    if isinstance(parts, list) and depth < 8:  # made of parts made of parts: nobody does, a stranger may
        changes["sources"] = [_rewrite_source(part, convert, depth + 1) for part in parts]
    return {**source, **changes} if changes else source


def _parse(path: str, side_os: str) -> _Path:
    """Take a path apart; its own looks decide its flavour, `side_os` where they don't."""
    if path.startswith(("\\\\?\\UNC\\", "\\\\?\\unc\\")):
        path = "\\\\" + path[8:]
    elif path.startswith("\\\\?\\"):
        path = path[4:]
    is_unc = path.startswith("\\\\") or (side_os == WINDOWS and path.startswith("//"))
    if is_unc or _has_drive(path) or (side_os == WINDOWS and not path.startswith("/")):
        parts = path.replace("/", "\\").split("\\")
        if is_unc:
            names = [part for part in parts if part]
            return _Path("\\\\" + "".join(part + "\\" for part in names[:2]), _resolve(names[2:]), WINDOWS)
        if _has_drive(path):
            return _Path(parts[0] + "\\", _resolve(parts[1:]), WINDOWS)
        anchor = "\\" if path.startswith("\\") else ""
        return _Path(anchor, _resolve(parts), WINDOWS)
    return _Path("/" if path.startswith("/") else "", _resolve(path.split("/")), POSIX)


def _has_drive(path: str) -> bool:
    return path[1:2] == ":" and path[:1].isascii() and path[:1].isalpha() and path[2:3] in ("", "\\", "/")


def _resolve(names: list[str]) -> list[str]:
    result: list[str] = []
    for name in names:
        if name == ".." and result and result[-1] != "..":
            result.pop()
        elif name not in ("", "."):
            result.append(name)
    return result


def _from_uri(text: str) -> str:
    """Return the path of a `file:` or `vscode-remote:` URI; anything else as it is."""
    scheme, separator, rest = text.partition("://")
    if not separator or scheme.lower() not in _FILE_SCHEMES:
        return text
    authority, slash, path = rest.partition("/")
    path = _unquote(slash + path)
    if path[:1] == "/" and _has_drive(path[1:]):
        return path[1:].replace("/", "\\")
    if scheme.lower() == "file" and authority and authority.lower() != "localhost":
        return "\\\\" + authority + path.replace("/", "\\")
    return path


def _to_uri(path: str) -> str:
    """Return the `file:` URI of an absolute path; `<string>` and the like as they are."""
    if path.startswith("\\\\"):
        return "file:" + _quote(path.replace("\\", "/"))
    if _has_drive(path):
        return "file:///" + _quote(path.replace("\\", "/"))
    return "file://" + _quote(path) if path.startswith("/") else path


# urllib.parse would do these two, and cost the debuggee more modules than all of dap.
_UNQUOTED = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/")


def _quote(path: str) -> str:
    data = _bytes(path)
    return "".join(chr(byte) if byte in _UNQUOTED else f"%{byte:02X}" for byte in data)


def _bytes(text: str) -> bytes:
    try:
        # A POSIX name that is no UTF-8 is such a string in Python, and goes back to its bytes.
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _unquote(text: str) -> str:
    head, *parts = text.split("%")
    data = _bytes(head)
    for part in parts:
        digits, rest = part[:2], part[2:]
        if len(digits) == 2 and all(digit in "0123456789abcdefABCDEF" for digit in digits):
            data += bytes((int(digits, 16),)) + _bytes(rest)
        else:
            data += b"%" + _bytes(part)
    return data.decode("utf-8", "surrogateescape")
