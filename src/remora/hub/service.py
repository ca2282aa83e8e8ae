"""The hub as a process of its own: beside a program that listens, on stdio, or on a port.

`serve` is the one `remora.listen()` starts; `adapter_on_stdio` and `adapter_on_port` are `remora adapter`.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat

from remora.hub.loop import asyncio  # isort: skip  # first, so that it stays light

from remora.hub.connection import Valve
from remora.hub.hub import Hub
from remora.hub.journal import Journal
from remora.hub.mode import Mode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from remora.dap.hello import HubStart


# Time for the first answer; a client takes longer to its next question.
READY_S = 0.01


def serve(start: HubStart) -> None:
    """Serve the listening sockets and the agent of one program, until that and its clients are gone."""
    _leave_the_terminal()
    hub = Hub(Mode.LISTEN, token=start["token"], journal=Journal(start.get("log")))

    async def begin() -> None:
        await hub.adopt_agent(_inherited(start["agent"]))
        await hub.serve([_inherited(fd) for fd in start["listeners"]])
        if "family" in start:
            await hub.serve_family(_inherited(start["family"]), start["familySecret"])

    _run(hub, begin)


def adapter_on_port(sockets: list[socket.socket], *, token: str | None, log: str | None = None) -> None:
    """Serve clients that launch programs, and programs that dial in, until a signal."""
    hub = Hub(Mode.SERVER, token=token, journal=Journal(log))

    async def begin() -> None:
        await hub.serve(sockets)
        _get_ready()

    _run(hub, begin)


def adapter_on_stdio(*, log: str | None = None) -> None:
    """Serve the one client on stdin and stdout, until it leaves."""
    # What anybody prints must not get between two messages.
    stdin, stdout = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    hub = Hub(Mode.STDIO, journal=Journal(log))

    async def begin() -> None:
        await _connect_stdio(hub, stdin, stdout)
        _get_ready()

    _run(hub, begin)


def _get_ready() -> None:
    """Import what a launch needs, so that it is there when one is asked for."""

    def load() -> None:
        import remora.hub.launcher  # noqa: F401

    asyncio.get_running_loop().call_later(READY_S, load)


def _run(hub: Hub, begin: Any) -> None:
    async def main() -> None:
        try:
            await hub.run(begin)
        except BaseException as error:
            hub.bug("that ends the hub", error)
            raise

    asyncio.run(main())


def _inherited(fd: int) -> socket.socket:
    sock = socket.socket(fileno=fd)
    sock.setblocking(False)
    sock.set_inheritable(False)
    return sock


def _leave_the_terminal() -> None:
    """Be nobody's background job: Ctrl-C and the terminal's end are for the program, not for its hub."""
    with contextlib.suppress(OSError):  # whoever started us may have done it
        os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    # A hub that held these would keep pipes open that wait for the program's end.
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)
    os.chdir("/")


async def _connect_stdio(hub: Hub, stdin: int, stdout: int) -> None:
    loop = asyncio.get_running_loop()
    connection = hub.make_connection()
    reader = os.fdopen(stdin, "rb", buffering=0)
    writer = os.fdopen(stdout, "wb", buffering=0)
    if _is_pollable(stdout):
        transport, _ = await loop.connect_write_pipe(lambda: Valve(connection), writer)
        connection.write_to(transport)
    else:
        connection.write_to(_PlainFile(writer))
    hub.adopt_client(connection)
    if _is_pollable(stdin):
        await loop.connect_read_pipe(lambda: connection, reader)
    else:
        # A file of requests: no event loop can wait for those, and nobody has to.
        connection.connection_made(_NoTransport())
        connection.data_received(reader.read())
        connection.connection_lost(None)


def _is_pollable(fd: int) -> bool:
    mode = os.fstat(fd).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        return True
    # A terminal is; /dev/null is not, and an event loop that is asked to wait for it never says so.
    return stat.S_ISCHR(mode) and os.isatty(fd)


class _NoTransport(asyncio.BaseTransport):
    """The read side of a file that has been read."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...


class _PlainFile:
    """The write side where stdout is a file: written at once."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, data: bytes) -> None:
        self._stream.write(data)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0

    def can_write_eof(self) -> bool:
        return False

    def close(self) -> None:
        self._stream.close()

    def abort(self) -> None:
        self._stream.close()


__all__ = ["adapter_on_port", "adapter_on_stdio", "serve"]
