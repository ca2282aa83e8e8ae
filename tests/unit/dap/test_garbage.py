"""Whatever a stranger sends, the layer answers with an error of its own kind. Seeded: the same every time."""

import random

import pytest

from remora.dap.check import check_arguments, check_message
from remora.dap.errors import ProtocolError
from remora.dap.framing import Decoder, FramingError, encode
from remora.dap.messages import error_response, read_request
from remora.dap.paths import TO_CLIENT, TO_DEBUGGEE, WINDOWS, PathMapping, translate
from remora.dap.tables import ARGUMENTS

PIECES = [
    b"Content-Length: ",
    b"5",
    b"\r\n",
    b"\r\n\r\n",
    b"{}",
    b'{"seq":1}',
    b"GET / ",
    b"\x16\x03",
    b"\xff",
    b":",
]
VALUES = [None, True, 0, -1, 10**30, 1.5, "", "x", "\ud800", [], {}, [None], {"path": 1}, {"": {}}, [[]] * 3]


@pytest.mark.parametrize("seed", range(20))
def test_bytes(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(200):
        decoder = Decoder(max_body_bytes=1000)
        try:
            for _ in range(rng.randrange(1, 12)):
                piece = rng.choice(PIECES) if rng.random() < 0.9 else rng.randbytes(rng.randrange(20))
                for message in decoder.feed(piece):
                    assert isinstance(message, dict)
        except FramingError as error:
            assert error.text


@pytest.mark.parametrize("seed", range(20))
def test_messages(seed: int) -> None:
    rng = random.Random(seed)
    mapping = PathMapping([("C:\\x", "/app"), ("/y", ".")], WINDOWS)
    keys = [
        "seq",
        "type",
        "command",
        "event",
        "arguments",
        "body",
        "success",
        "request_seq",
        "source",
        "path",
    ]

    def value(depth: int = 0) -> object:
        if depth < 4 and rng.random() < 0.4:
            return {
                rng.choice([*keys, "breakpoints", "stackFrames", "line"]): value(depth + 1) for _ in range(3)
            }
        if depth < 4 and rng.random() < 0.2:
            return [value(depth + 1) for _ in range(2)]
        return rng.choice([*VALUES, "request", "response", "event", *ARGUMENTS])

    for _ in range(300):
        message = {key: value() for key in rng.sample(keys, rng.randrange(len(keys)))}
        assert isinstance(check_message(message), list)
        assert isinstance(check_arguments(rng.choice(list(ARGUMENTS)), message.get("arguments")), list)
        for direction in (TO_DEBUGGEE, TO_CLIENT):
            translate(message, mapping, direction)
        try:
            read_request(message)
        except ProtocolError as error:
            assert Decoder().feed(encode(error_response(1, message, error)))


@pytest.mark.parametrize("seed", range(10))
def test_paths(seed: int) -> None:
    rng = random.Random(seed)
    parts = [
        "/",
        "\\",
        "c:",
        "C:\\",
        "\\\\",
        "\\\\?\\",
        "UNC\\",
        "..",
        ".",
        "a",
        "ä",
        "%",
        "%2",
        "%zz",
        "%41",
    ]
    parts += ["file://", "vscode-remote://", "\ud800", " ", "", "//h/s"]
    for _ in range(500):
        roots = ["".join(rng.choices(parts, k=rng.randrange(5))) for _ in range(4)]
        mapping = PathMapping(
            [(roots[0], roots[1])],
            rng.choice([None, WINDOWS]),
            debuggee_cwd=roots[2],
            client_uris=rng.random() < 0.5,
        )
        path = "".join(rng.choices(parts, k=rng.randrange(8)))
        assert isinstance(mapping.to_debuggee(path), str)
        assert isinstance(mapping.to_client(path), str)
