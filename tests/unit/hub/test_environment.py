"""The file of `envFile`: what is understood, what is an error, what python-dotenv makes of it."""

from __future__ import annotations

import io

import pytest

from remora.hub.environment import NotUnderstood, parse

OWN = {"HOME": "/home/me", "EMPTY": ""}

# What both read alike.
COMMON = {
    "A=1": {"A": "1"},
    " A = 1 ": {"A": "1"},
    "A=": {"A": ""},
    "": {},
    "# only\n\n  # comments": {},
    "export A=1\nexport  B=2": {"A": "1", "B": "2"},
    "export=3": {"export": "3"},
    "'A'=1\nB.c-d=2": {"A": "1", "B.c-d": "2"},
    "A=x=y": {"A": "x=y"},
    "A=b #c": {"A": "b"},
    "A=b#c": {"A": "b#c"},
    "A=#fff\nB= # nothing": {"A": "#fff", "B": ""},
    "A='x # y' # z": {"A": "x # y"},
    'A="x # y"\t# z': {"A": "x # y"},
    "A='it\\'s'\nB=\"it's\"": {"A": "it's", "B": "it's"},
    'A="say \\"hi\\"\\n\\tnow\\\\"': {"A": 'say "hi"\n\tnow\\'},
    'A="a\\qb"\nB=a\\nb': {"A": "a\\qb", "B": "a\\nb"},
    'A="-----BEGIN\nmiddle\nEND-----"\nB=2': {"A": "-----BEGIN\nmiddle\nEND-----", "B": "2"},
    "A='one\ntwo'\nB=2": {"A": "one\ntwo", "B": "2"},
    "A=1\r\nB='2'\r\n": {"A": "1", "B": "2"},
    "A=x\nB=${A}y\nA=z": {"A": "z", "B": "xy"},
    "A=${HOME}/x\nB=\"${HOME}\"": {"A": "/home/me/x", "B": "/home/me"},
    "A=${NOPE}!\nB=${NOPE:-d}\nC=${HOME:-d}": {"A": "!", "B": "d", "C": "/home/me"},
    "A=pa$word\nB=5$\nC=$(rm -rf /)\nD=`x`": {"A": "pa$word", "B": "5$", "C": "$(rm -rf /)", "D": "`x`"},
    "A=ünï\nB=\tx\t": {"A": "ünï", "B": "x"},
}  # fmt: skip

# What is read otherwise, on purpose: ours, theirs.
OTHERWISE: dict[str, tuple[dict[str, str], dict[str, str | None]]] = {
    "A='${HOME}'": ({"A": "${HOME}"}, {"A": "/home/me"}),
    "A=$HOME": ({"A": "/home/me"}, {"A": "$HOME"}),
    "A=\\${HOME}": ({"A": "${HOME}"}, {"A": "\\/home/me"}),
    "A=${EMPTY:-d}": ({"A": "d"}, {"A": ""}),
    "A\nexport B": ({}, {"A": None, "B": None}),
}


@pytest.mark.parametrize("text", COMMON)
def test_what_is_understood(text: str) -> None:
    assert parse(text, OWN) == COMMON[text]


@pytest.mark.parametrize("text", OTHERWISE)
def test_what_is_read_in_a_way_of_its_own(text: str) -> None:
    assert parse(text, OWN) == OTHERWISE[text][0]


@pytest.mark.parametrize("text", [*COMMON, *OTHERWISE])
def test_as_dotenv_reads_it(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    dotenv = pytest.importorskip("dotenv", reason="python-dotenv is not installed")
    for name, value in OWN.items():
        monkeypatch.setenv(name, value)
    for name in ("NOPE", "word", "A", "B"):
        monkeypatch.delenv(name, raising=False)
    expected = OTHERWISE[text][1] if text in OTHERWISE else COMMON[text]
    assert dict(dotenv.dotenv_values(stream=io.StringIO(text, newline=""))) == expected


def test_a_mark_of_the_byte_order() -> None:
    assert parse("\ufeffA=1", {}) == {"A": "1"}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("A=1\nB C", 2, ["=", "'B'"]),
        ("=1", 1, ["name"]),
        ("A=1\n\nB='x\nC=2", 3, ["'B'", "never closed"]),
        ('A="x" y', 1, ["closing quote"]),
        ("A='x'y", 1, ["closing quote"]),
        ("A=1\r\nB=\0", 2, ["zero"]),
        ('A="one\ntwo"\n\'B', 3, ["name"]),
    ],
)
def test_what_is_wrong_says_in_which_line(text: str, line: int, words: list[str]) -> None:
    with pytest.raises(NotUnderstood) as caught:
        parse(text, {})
    assert caught.value.line == line
    assert all(word in caught.value.reason for word in words), caught.value.reason


def test_a_long_file_is_read_in_no_time() -> None:
    """Nothing looks further than it must: a quote that is not closed is not searched from every line."""
    text = "".join(f"NAME_{n}='value {n}' # {'#' * 50}\n" for n in range(20_000))
    assert len(parse(text, {})) == 20_000
