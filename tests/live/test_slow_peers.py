"""A peer that does not read: kept for a while, then dropped; one that reads slowly loses nothing."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from remora.dap.framing import Decoder
from remora.hub import connection as module
from remora.hub.connection import Connection


class Owner:
    def __init__(self) -> None:
        self.is_lost = asyncio.Event()
        self.crowded_calls: list[bool] = []

    def received(self, connection: Connection, message: dict[str, Any]) -> None: ...
    def malformed(self, connection: Connection, error: Exception) -> None: ...

    def lost(self, connection: Connection) -> None:
        self.is_lost.set()

    def crowded(self, connection: Connection, *, yes: bool) -> None:
        self.crowded_calls.append(yes)


MESSAGE = {"seq": 1, "type": "event", "event": "output", "body": {"output": "x" * 100_000}}


def with_peer(story: Callable[[Connection, Owner, socket.socket], Any]) -> None:
    async def main() -> None:
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        owner = Owner()
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: Connection(owner), sock=ours)
        async with asyncio.timeout(20):
            await story(connection, owner, theirs)
        theirs.close()
        connection.abort()

    asyncio.run(main())


def test_a_peer_that_reads_nothing_is_dropped() -> None:
    async def story(connection: Connection, owner: Owner, peer: socket.socket) -> None:
        connection.stall_s = 0.1
        for _ in range(50):
            connection.send(MESSAGE)
        await owner.is_lost.wait()
        assert connection.is_closing

    with_peer(story)


def test_a_peer_that_lags_a_little_is_not_watched() -> None:
    async def story(connection: Connection, owner: Owner, peer: socket.socket) -> None:
        connection.stall_s = 0.05
        connection.send(MESSAGE)
        await asyncio.sleep(0.3)
        assert not owner.is_lost.is_set()

    with_peer(story)


def test_a_slow_peer_loses_nothing_and_its_sources_are_held() -> None:
    async def story(connection: Connection, owner: Owner, peer: socket.socket) -> None:
        count = module.CROWDED_BYTES // 100_000 + 50
        for _ in range(count):
            connection.send(MESSAGE)
        assert owner.crowded_calls == [True]
        decoder = Decoder()
        seen = 0
        while seen < count:
            data = await asyncio.get_running_loop().sock_recv(peer, 1 << 20)
            assert data
            seen += len(decoder.feed(data))
        # The rest has left our side when the last byte was read.
        while owner.crowded_calls != [True, False]:
            await asyncio.sleep(0)

    with_peer(story)


def test_a_peer_that_reads_slower_than_its_source_writes_is_not_dropped() -> None:
    """What waits for it grows while it reads; only one that takes nothing at all is gone."""

    async def story(connection: Connection, owner: Owner, peer: socket.socket) -> None:
        connection.stall_s = 0.1
        loop = asyncio.get_running_loop()
        for _ in range(30):
            connection.send(MESSAGE)
        deadline = loop.time() + 8 * connection.stall_s
        while loop.time() < deadline:
            for _ in range(4):
                connection.send(MESSAGE)
            assert await loop.sock_recv(peer, 50_000), "dropped though it reads"
            await asyncio.sleep(0.01)
        assert not owner.is_lost.is_set()

    with_peer(story)


def test_goodbye_to_a_peer_that_does_not_read_ends_too() -> None:
    async def story(connection: Connection, owner: Owner, peer: socket.socket) -> None:
        connection.stall_s = 0.1
        for _ in range(5):
            connection.send(MESSAGE)
        connection.close()
        await owner.is_lost.wait()

    with_peer(story)
