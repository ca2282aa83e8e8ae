"""The sockets a hub listens on."""

from __future__ import annotations

import errno
import os
import socket

from remora.dap.errors import UsageError

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
BACKLOG = 128


class CannotListen(UsageError):
    """The address cannot be had; the text says why and what to do."""

    is_in_use = False  # somebody listens there already


def listen(host: str, port: int) -> list[socket.socket]:
    """Bind `host`:`port` (0: any free one) and listen. Raise CannotListen if that fails.

    A loopback name binds both families where both exist: clients that dial `localhost` try either first.
    """
    if host not in LOOPBACK_NAMES:
        return [_listen(*_resolve(host, port))]
    last: OSError | None = None
    for _ in range(20 if port == 0 else 1):
        v4 = _listen(socket.AF_INET, ("127.0.0.1", port))
        try:
            v6 = _listen(socket.AF_INET6, ("::1", v4.getsockname()[1]), raw=True)
        except OSError as error:
            if port == 0 and error.errno == errno.EADDRINUSE:
                v4.close()
                last = error
                continue
            return [v4]  # no IPv6 here, or its loopback port is someone else's: IPv4 is what was asked for
        return [v4, v6]
    raise CannotListen(f"found no port that is free on both loopback addresses: {last}")


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    if host in ("", "*", "0.0.0.0"):
        return socket.AF_INET, ("0.0.0.0", port)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise CannotListen(f"cannot listen on {host}: {error.strerror or error}") from None
    except ValueError as error:  # what cannot be a name: a part longer than 63 characters, for one
        raise CannotListen(f"cannot listen on {host}: {error}".splitlines()[0]) from None
    family, _, _, _, address = found[0]
    return family, (str(address[0]), int(address[1]))


def _listen(family: socket.AddressFamily, address: tuple[str, int], *, raw: bool = False) -> socket.socket:
    try:
        made = socket.socket(family, socket.SOCK_STREAM)
    except OSError:
        if raw:
            raise
        raise CannotListen(
            f"cannot listen on {address[0]}: this machine has no such address family"
        ) from None
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        if raw:
            raise
        failure = CannotListen(why_not(address[0], address[1], error))
        failure.is_in_use = error.errno == errno.EADDRINUSE
        raise failure from None
    made.setblocking(False)
    return made


def why_not(host: str, port: int, error: OSError) -> str:
    """Return why binding failed and what to do, in one line."""
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use: choose another one, or 0 for any that is free"
    if error.errno == errno.EACCES:
        return f"port {port} on {host} needs more rights: choose one above 1023, or 0 for any that is free"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine: use 127.0.0.1, or 0.0.0.0 for all addresses"
    return f"cannot listen on {host}:{port}: {os.strerror(error.errno) if error.errno else error}"
