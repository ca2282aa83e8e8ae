"""One line of input: cut into commands, and each into a name and an argument.

`;;` separates commands as in pdb; in `-c` a single `;` does as well. Both are left alone inside quotes
and brackets. A line that begins like a command but can only be Python (`n = 5`, `list(x)`,
`c.name`) is Python: people name their variables with one letter, too.
"""

from __future__ import annotations

import re

_CLOSING = {"(": ")", "[": "]", "{": "}"}
_WORD = re.compile(r"[^\W\d]\w*")
# An assignment, but no comparison: `n = 5`, `n += 5`, `n: int = 5` is rare enough to need `!`.
_ASSIGNS = re.compile(r"\s*(=(?!=)|[-+*/%&|^@]=|//=|\*\*=|>>=|<<=|:=|,\s*\w+(\s*,\s*\w+)*\s*=(?!=))")
# What makes a word the beginning of an expression, standing right behind it.
_CONTINUES = re.compile(r"[.(\[]")
# Commands that take an expression: `p(x)` means the same either way, and people type it.
_TAKES_EXPRESSION = {"p", "pp", "whatis", "display"}


def split_commands(text: str, *, single: bool = False) -> list[str]:
    """Cut `text` at `;;`, or with `single` at `;` too; parts are stripped, empty ones left out."""
    parts: list[str] = []
    start = index = 0
    open_: list[str] = []
    while index < len(text):
        char = text[index]
        if char in "\"'":
            index = _end_of_string(text, index)
            continue
        if char in _CLOSING:
            open_.append(_CLOSING[char])
        elif open_ and char == open_[-1]:
            open_.pop()
        elif char == ";" and not open_:
            double = text.startswith(";;", index)
            if double or single:
                parts.append(text[start:index])
                index += 2 if double else 1
                start = index
                continue
        index += 1
    parts.append(text[start:])
    return [part.strip() for part in parts if part.strip()]


def _end_of_string(text: str, start: int) -> int:
    quote = text[start] * 3 if text.startswith(text[start] * 3, start) else text[start]
    index = start + len(quote)
    while index < len(text):
        if text[index] == "\\":
            index += 2
        elif text.startswith(quote, index):
            return index + len(quote)
        else:
            index += 1
    # No closing quote: an apostrophe in a log message. Take it for an ordinary character.
    return start + 1


def parse_command(text: str, names: frozenset[str] | set[str]) -> tuple[str, str]:
    """Return (command, argument); command is "" for Python, and the argument then the code."""
    text = text.strip()
    if text.startswith("!"):
        return "", text[1:].strip()
    if text.startswith("?"):
        return "help", text[1:].strip()
    word = _WORD.match(text)
    if word is None or word.group() not in names:
        return "", text
    name, rest = word.group(), text[word.end() :]
    if _ASSIGNS.match(rest) or (_CONTINUES.match(rest) and name not in _TAKES_EXPRESSION):
        return "", text
    if rest and not rest[0].isspace() and name not in _TAKES_EXPRESSION and not rest[0].isdigit():
        # `d/2`, `n-1`, `a==b`: arithmetic with a variable of that name. `p-1` is not worth the doubt.
        return "", text
    return name, rest.strip()
