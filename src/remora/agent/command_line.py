"""Command lines of Python: what `-I`, `-E` and `-S` would keep from joining is started through boot.py.

Values only. `through_boot` makes the line that is started instead; `as_given` is how boot.py finds the one
that was meant. Source: CPython, Python/getopt.c, Python/initconfig.c.
"""

from __future__ import annotations

import os
import sys

# Letters that stand alone. Missing: h, ?, V (no program is run), and i, x (it is run as we could not).
_PLAIN = frozenset("bBdEIOPqsSuvt")
_WITH_VALUE = frozenset("cmWX")
# These keep Python from looking at PYTHONPATH, or from importing sitecustomize.
_DEAF = frozenset("EIS")
_NO_PROGRAM = frozenset("h?V")


class NotUnderstood(Exception):
    """A Python that will not join, started in a way that we cannot take the place of."""


class Line:
    """A command line of Python, taken apart.

    `at` is where the first word of the program stands (its -c, -m or file), once options are words of their
    own; the others say how -c or -m were written: in one word with options before it, or with its value.
    """

    __slots__ = ("at", "has_letters_before", "has_value_behind", "words")

    def __init__(self, words: list[str], at: int, *, letters: bool = False, value: bool = False) -> None:
        self.words = words
        self.at = at
        self.has_letters_before = letters
        self.has_value_behind = value

    def note(self) -> str:
        """Return what boot.py has to know (the environment carries it)."""
        return f"{self.at} {self.has_letters_before:d} {self.has_value_behind:d}"


def is_deaf(words: list[str]) -> Line | None:
    """Take apart the line of a Python that would not join by itself; None for one that would.

    NotUnderstood if it would not, and cannot be started otherwise.
    """
    deaf = False
    at = 1
    while at < len(words):
        word = words[at]
        if word == "--check-hash-based-pycs":
            at += 2
            continue
        if word == "--":
            at += 1  # options end here; what follows is a file
            break
        if not word.startswith("-") or word == "-":
            break
        if word.startswith("--"):
            return None  # --help, --version; or an error that Python reports itself
        for index, letter in enumerate(word[1:], 1):
            if letter in _NO_PROGRAM:
                return None
            if letter in _DEAF:
                deaf = True
            if letter in _WITH_VALUE:
                if letter in "cm":
                    return _program_in_word(words, at, index) if deaf else None
                at += index + 1 == len(word)  # -X dev or -Xdev: the rest of this word, or the next
                break
            if letter not in _PLAIN:
                if deaf or _DEAF.intersection(word):
                    raise NotUnderstood(f"option -{letter}")
                return None
        at += 1
    if not deaf:
        return None
    if at >= len(words) or words[at] == "-":
        raise NotUnderstood("a program on stdin")
    return Line(list(words), at)


def _program_in_word(words: list[str], at: int, index: int) -> Line | None:
    word = words[at]
    before, value = word[1:index], word[index + 1 :]
    rest = words[at + 1 :]
    if not value and not rest:
        return None  # "Argument expected": Python says so itself
    made = words[:at] + ([f"-{before}"] if before else []) + [f"-{word[index]}"]
    program = len(made) - 1
    return Line(made + ([value] if value else []) + rest, program, letters=bool(before), value=bool(value))


def through_boot(line: Line, boot: str) -> list[str]:
    """Return the line that runs the same program from boot.py."""
    return [*line.words[: line.at], boot, *line.words[line.at :]]


def as_given(words: list[str], note: str) -> tuple[str, str, list[str], list[str]]:
    """Return what boot.py is to run (kind, value, arguments), and the line as it was given."""
    at, letters, glued = (int(part) for part in note.split())
    before, behind = words[:at], words[at + 1 :]
    kind = {"-c": "code", "-m": "module"}.get(behind[0], "program")
    if kind == "program":
        return kind, behind[0], behind[1:], before + behind
    option, value, args = behind[0], behind[1], behind[2:]
    if letters:
        option = before.pop() + option[1:]
    given = [*before, option + value, *args] if glued else [*before, option, value, *args]
    return kind, value, args, given


def is_ours(executable: str) -> bool | None:
    """Say whether a file is a Python that we can run in; None: a Python that we know nothing about."""
    real = os.path.realpath(executable)
    if real == os.path.realpath(sys.executable):
        return True
    name = os.path.basename(real)
    if not name.startswith("python"):
        return False
    major, dot, minor = name[len("python") :].partition(".")
    digits = minor.rstrip("t")
    if major == "3" and dot and digits.isdecimal():
        return int(digits) >= 12
    return None
