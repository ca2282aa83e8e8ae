import pytest

from remora.terminal.line import parse_command, split_commands

NAMES = {"p", "pp", "n", "c", "b", "l", "list", "u", "d", "s", "help", "unt", "until", "args", "display"}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("b 5 ;; c", ["b 5", "c"]),
        ("b 5; c", ["b 5; c"]),
        ("p 'a;;b' ;; p x[';;']", ["p 'a;;b'", "p x[';;']"]),
        ('p """a;;"b""" ;; c', ['p """a;;"b"""', "c"]),
        ("p f(1 ;; 2) ;; c", ["p f(1 ;; 2)", "c"]),
        ("log 3 don't ;; c", ["log 3 don't", "c"]),
        ("p '\\';;' ;; c", ["p '\\';;'", "c"]),
        (" ;; ;;", []),
        ("", []),
    ],
)
def test_double_semicolons_separate(text: str, parts: list[str]) -> None:
    assert split_commands(text) == parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("b 5; c; p x", ["b 5", "c", "p x"]),
        ("b 5;;c", ["b 5", "c"]),
        ("p {'a;': 1}; p ';'", ["p {'a;': 1}", "p ';'"]),
    ],
)
def test_a_script_may_use_single_ones(text: str, parts: list[str]) -> None:
    assert split_commands(text, single=True) == parts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n", ("n", "")),
        (" n ", ("n", "")),
        ("p x + 1", ("p", "x + 1")),
        ("p(x)", ("p", "(x)")),
        ("p [1][0]", ("p", "[1][0]")),
        ("b shop.py:5, n == 3", ("b", "shop.py:5, n == 3")),
        ("u2", ("", "u2")),
        ("unt 5", ("unt", "5")),
        ("l 3, 7", ("l", "3, 7")),
        ("? list", ("help", "list")),
        ("!n = 5", ("", "n = 5")),
        ("! n", ("", "n")),
        ("x = 1", ("", "x = 1")),
        ("n = 5", ("", "n = 5")),
        ("n=5", ("", "n=5")),
        ("n += 1", ("", "n += 1")),
        ("n, m = 1, 2", ("", "n, m = 1, 2")),
        ("n == 5", ("n", "== 5")),
        ("list(x)", ("", "list(x)")),
        ("c.name", ("", "c.name")),
        ("d['a']", ("", "d['a']")),
        ("n-1", ("", "n-1")),
        ("d/2", ("", "d/2")),
        ("args.x", ("", "args.x")),
        ("nn", ("", "nn")),
        ("1 + 1", ("", "1 + 1")),
        ("", ("", "")),
    ],
)
def test_command_or_python(text: str, expected: tuple[str, str]) -> None:
    assert parse_command(text, NAMES) == expected
