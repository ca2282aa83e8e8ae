"""Framing: every way bytes can be cut, and every way they can be wrong."""

import json

import pytest

from remora.dap import framing
from remora.dap.framing import Decoder, FramingError, encode

MESSAGES = [
    {"seq": 1, "type": "request", "command": "initialize", "arguments": {"adapterID": "x"}},
    {"seq": 2, "type": "event", "event": "output", "body": {"output": "grün \U0001f40d \ud800\r\n\r\n"}},
    {"seq": 3, "type": "request", "command": "threads"},
]


def raw(body: bytes, header: bytes = b"Content-Length: %d\r\n\r\n") -> bytes:
    return header % len(body) + body


def test_header_is_exact_and_body_ascii() -> None:
    data = encode({"a": "é\U0001f40d"})
    assert data == b'Content-Length: 26\r\n\r\n{"a":"\\u00e9\\ud83d\\udc0d"}'


@pytest.mark.parametrize("step", [1, 2, 3, 7, 50, 10_000])
def test_any_cut_gives_the_same_messages(step: int) -> None:
    data = b"".join(map(encode, MESSAGES))
    decoder = Decoder()
    got = []
    for start in range(0, len(data), step):
        got += decoder.feed(data[start : start + step])
    assert got == MESSAGES
    assert decoder.pending_bytes == 0


def test_a_cut_off_stream_is_noticed() -> None:
    decoder = Decoder()
    decoder.feed(b"Content-Length: 5\r\n\r\n")
    assert decoder.pending_bytes
    decoder.feed(b"{")
    assert decoder.pending_bytes


@pytest.mark.parametrize(
    "header",
    [
        b"content-length: %d\r\n\r\n",
        b"CONTENT-LENGTH:%d\r\n\r\n",
        b"Content-Length :  %d \r\n\r\n",
        b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: %d\r\n\r\n",
        b"Content-Length: %d\r\nX-Other: y\r\n\r\n",
    ],
)
def test_lenient_headers(header: bytes) -> None:
    assert Decoder().feed(raw(b"{}", header)) == [{}]


@pytest.mark.parametrize(
    ("data", "reason", "says"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", framing.HTTP, "HTTP"),
        (b"POST /", framing.HTTP, "HTTP"),
        (b"\x16\x03\x01\x02\x00\x01\x00", framing.TLS, "TLS"),
        (b"\x00\x01", framing.GARBAGE, "expected 'Content-Length: N'"),
        (b"\xff\xfe\x00", framing.GARBAGE, "expected"),
        (b'{"seq": 1}', framing.GARBAGE, "expected"),
        (b"hello\r\n\r\n", framing.HEADER, "hello"),
        (b"\r\n\r\n", framing.HEADER, "expected"),
        (b"Content-Length: 2\n\n{}", framing.HEADER, "CR LF"),
        (b"Content-Type: x\r\n\r\n", framing.HEADER, "no Content-Length"),
        (b"Content-Length: -1\r\n\r\n", framing.HEADER, "-1"),
        (b"Content-Length: 1e3\r\n\r\n", framing.HEADER, "1e3"),
        (b"Content-Length: \xb2\r\n\r\n", framing.HEADER, "number of bytes"),
        (b"Content-Length: \r\n\r\n", framing.HEADER, "number of bytes"),
        (b"Content-Length: " + b"9" * 3000 + b"\r\n\r\n", framing.HEADER, "number of bytes"),
        (b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n", framing.HEADER, "two different"),
        (b"X: " + b"y" * 5000, framing.HEADER, "longer than 4096"),
        (b"Content-Length: 99999999999\r\n\r\n", framing.TOO_LARGE, "99999999999"),
    ],
)
def test_fatal(data: bytes, reason: str, says: str) -> None:
    decoder = Decoder()
    with pytest.raises(FramingError) as first:
        decoder.feed(encode(MESSAGES[0]) + data)
    assert first.value.reason == reason
    assert says in first.value.text
    assert not first.value.recoverable
    assert first.value.messages == [MESSAGES[0]]
    with pytest.raises(FramingError) as again:
        decoder.feed(encode(MESSAGES[1]))
    assert (again.value.text, again.value.messages) == (first.value.text, [])


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"a": "\xff"}', "byte 7 is not UTF-8"),
        (b"{nope}", "Expecting property name"),
        (b"", "Expecting value"),
        (b"[1]", "a message is a JSON object"),
        (b"null", "a message is a JSON object"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "4300"),
        (b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}", "nested"),
    ],
)
def test_a_bad_body_leaves_the_stream_in_step(body: bytes, says: str) -> None:
    decoder = Decoder()
    with pytest.raises(FramingError) as caught:
        decoder.feed(encode(MESSAGES[0]) + raw(body) + encode(MESSAGES[1]))
    assert caught.value.reason == framing.BODY
    assert says in caught.value.text
    assert caught.value.recoverable
    assert caught.value.messages == [MESSAGES[0]]
    assert decoder.feed(b"") == [MESSAGES[1]]


def test_limits_are_the_callers() -> None:
    assert Decoder(max_body_bytes=2).feed(raw(b"{}")) == [{}]
    with pytest.raises(FramingError, match="limit is 1"):
        Decoder(max_body_bytes=1).feed(raw(b"{}"))
    with pytest.raises(FramingError, match="longer than 10"):
        Decoder(max_header_bytes=10).feed(raw(b"{}"))


def test_a_large_body_in_small_pieces_is_linear() -> None:
    body = json.dumps({"x": "y" * (4 << 20)}).encode()
    data = raw(body)
    decoder = Decoder()
    got = []
    for start in range(0, len(data), 4096):
        got += decoder.feed(data[start : start + 4096])
    assert len(got[0]["x"]) == 4 << 20
