"""Options as every command reads them, and what is said when they are wrong."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection


class UsageError(Exception):
    """The command line is wrong: one line, exit code 2."""


def take_option(rest: list[str], flags: Collection[str]) -> str:
    """Take the next word off; `--name=value` becomes two, unless `name` takes no value. UsageError."""
    option = rest.pop(0)
    name, equals, value = option.partition("=")
    if not equals or not name.startswith("--"):
        return option
    if name in flags:
        # Or the value would be taken for the program's file.
        raise UsageError(f"{name} takes no value")
    rest.insert(0, value)
    return name


def port_of(text: str, option: str) -> int:
    """Read a port number or raise UsageError."""
    if not (text.isascii() and text.isdigit()) or int(text) > 65535:
        raise UsageError(f"{option}: {text!r} is no port (0 to 65535)")
    return int(text)


def address_of(text: str, option: str) -> tuple[str, int]:
    """Read `[HOST:]PORT`; an IPv6 host stands in brackets. UsageError."""
    host, colon, port = text.rpartition(":")
    if colon and not host:
        raise UsageError(f"{option}: {text!r} has no host before the colon")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif "[" in text or "]" in text:
        raise UsageError(f"{option}: {text!r} is no address: an IPv6 one is written [HOST]:PORT")
    elif ":" in host:
        raise UsageError(f"{option}: write an IPv6 address in brackets, as in [{host}]:{port}")
    return host or "127.0.0.1", port_of(port, option)


def value_of(option: str, rest: list[str]) -> str:
    """Take an option's value off the rest of the command line. UsageError."""
    if not rest:
        raise UsageError(f"{option} needs a value")
    return rest.pop(0)


def shown(host: str, port: int) -> str:
    """Write an address as `address_of` reads it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
