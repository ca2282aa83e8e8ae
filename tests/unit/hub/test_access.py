"""Who is let in."""

from __future__ import annotations

import pytest

from remora.dap.errors import UsageError
from remora.hub import access
from remora.hub.access import Peer

ELSEWHERE = Peer("tcp", ("192.0.2.1", 5678), ("192.0.2.9", 40000))
PRIVATE = Peer("private")


def test_the_token_decides_when_there_is_one() -> None:
    for peer in (ELSEWHERE, PRIVATE):
        access.check("token", "token", peer)
        for wrong in (None, "", "Token", "tokentoken", "tökén"):
            with pytest.raises(UsageError) as caught:
                access.check(wrong, "token", peer)
            assert "tökén" not in caught.value.text


def test_without_one_only_this_machine_gets_in() -> None:
    access.check(None, None, PRIVATE)
    with pytest.raises(UsageError, match="at other addresses"):
        access.check("any", None, ELSEWHERE)


def test_loopback_is_more_than_one_address() -> None:
    for host in ("127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"):
        assert Peer("tcp", (host, 1), (host, 2)).is_loopback
    for host in ("10.0.0.1", "::", "2001:db8::127.0.0.1"):
        assert not Peer("tcp", (host, 1), (host, 2)).is_loopback


def test_a_loopback_socket_of_nobody_known_is_not_trusted() -> None:
    # Port 1 of the machine has no established connection to port 2.
    assert not Peer("tcp", ("127.0.0.1", 2), ("127.0.0.1", 1)).trusted()
