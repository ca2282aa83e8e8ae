"""Addresses as people write them, and sockets made of them: to listen on, or to a hub.

`_socket` instead of `socket`, for the reasons in transport.py. Descriptors are not inherited by children.
"""

from __future__ import annotations

import _socket
import errno
import os
from time import monotonic as _monotonic
from time import sleep as _sleep  # a program may replace time.sleep

from remora.agent.log import log
from remora.agent.loop import out_of_the_way

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from remora.dap.hello import Address

BACKLOG = 64
# The hub of a program that has just ended still has to notice; it takes the port along (0.1 s under load).
PORT_PATIENCE_S = 1.0
CONNECT_TIMEOUT_S = 10.0


def read_address(address: object) -> tuple[str, int]:
    """Read `port` or `(host, port)`; TypeError or ValueError for anything else."""
    if isinstance(address, int) and not isinstance(address, bool):
        host, port = "127.0.0.1", address
    elif (
        isinstance(address, (tuple, list))
        and len(address) == 2
        and (address[0] is None or isinstance(address[0], str))
        and isinstance(address[1], int)
    ):
        host, port = address[0] or "127.0.0.1", address[1]
    else:
        raise TypeError(f"expected a port or (host, port), not {address!r}")
    if not 0 <= port <= 65535:
        raise ValueError(f"a port is a number from 0 to 65535, not {port}")
    return host, port


def bind(host: str, port: int) -> list[_socket.socket]:
    """Bind and listen; on both loopback addresses where the host is loopback. OSError names the address."""
    try:
        family, where = _resolve("127.0.0.1" if host == "localhost" else host, port)
        first = _bind_patiently(family, where)
    except OSError as error:
        hint = "; another program, or an earlier run of this one, has that port"
        reason = error.strerror or str(error)
        text = (
            f"cannot listen on {shown(host, port)}: {reason}{hint if error.errno == errno.EADDRINUSE else ''}"
        )
        raise OSError(error.errno, text) from None
    listeners = [first]
    if host in ("127.0.0.1", "localhost"):
        # Clients that are told `localhost` may try ::1 only.
        try:
            listeners.append(_bind_one(_socket.AF_INET6, ("::1", first.getsockname()[1])))
        except OSError as error:
            log(f"not listening on ::1: {error}")
    return listeners


def _resolve(host: str, port: int) -> tuple[int, Any]:
    """Look up a host; return its address family and socket address. OSError."""
    # As bytes: a str would load the codec for international names, three modules with large tables.
    name: Any = host.encode() if host.isascii() else host
    try:
        family, _, _, _, where = _socket.getaddrinfo(name, port, 0, _socket.SOCK_STREAM)[0]
    except UnicodeError as error:
        raise OSError(errno.EINVAL, f"no name of a host ({error})") from None
    return family, where


def _bind_patiently(family: int, where: Any) -> _socket.socket:
    deadline = _monotonic() + PORT_PATIENCE_S
    while True:
        try:
            return _bind_one(family, where)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or _monotonic() > deadline:
                raise
        _sleep(0.02)


def _bind_one(family: int, where: Any) -> _socket.socket:
    sock = _socket.socket(family, _socket.SOCK_STREAM)
    try:
        if family == _socket.AF_INET6:
            sock.setsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_V6ONLY, 1)
        sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
        sock.bind(where)
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def dial(address: Address, timeout_s: float = CONNECT_TIMEOUT_S) -> _socket.socket:
    """Connect to a hub. OSError names the address."""
    if "fd" in address:
        os.set_inheritable(address["fd"], False)
        return _socket.socket(fileno=address["fd"])
    if "unix" in address:
        sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        where: Any = address["unix"]
        name = address["unix"]
    else:
        name = shown(address["host"], address["port"])
        try:
            family, where = _resolve(address["host"], address["port"])
        except OSError as error:
            raise OSError(error.errno, f"cannot connect to {name}: {error.strerror or error}") from None
        sock = _socket.socket(family, _socket.SOCK_STREAM)
        sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
    try:
        sock.settimeout(timeout_s)
        sock.connect(where)
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"cannot connect to {name}: {error.strerror or error}") from None
    return _socket.socket(fileno=out_of_the_way(sock.detach()))


def shown(host: str, port: int) -> str:
    """Write an address as the command line takes it: an IPv6 host stands in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
