"""The file that `envFile` names: NAME=value lines, read as the tools that share such files read them.

    # a comment
    export NAME = value            # a comment too: it comes after a blank
    URL="https://${HOST}:$PORT/"   # earlier lines first, then the environment
    PASSWORD='pa$$word'            # nothing is replaced
    KEY="-----BEGIN-----
    two lines\\tand a tab"

* Without quotes a value ends at the end of the line, or before a blank with `#`.
* `'…'` is taken as it is, but for `\\'` and `\\\\`. `"…"` knows `\\n \\t \\r \\a \\b \\f \\v`, and `\\`
  before quotes, `\\` and `$`. Both may go on over lines.
* `${NAME}` is "" where there is none, `${NAME:-text}` is the text where NAME is missing or empty. `$NAME`
  without such a variable stays as it is: it was no variable. `\\$` is a dollar. Commands are never run.
* A line of one name and no `=` sets nothing. Anything else is an error that names the line.

python-dotenv is the reference; a test compares. Different on purpose: it replaces inside '…' too, does not
know `$NAME` and `\\$`, takes the text of `:-` only where NAME is missing, and skips what it does not
understand.
"""

from __future__ import annotations

import re

from remora.dap.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_BLANKS = re.compile(r"[^\S\n]*")
_BETWEEN = re.compile(r"(?:\s+|#[^\n]*)*")
_EXPORT = re.compile(r"export[^\S\n]+(?!=)")
_NAME = re.compile(r"""'([^'\n=]+)'|([^\s='"#]+)""")
_END = re.compile(r"[^\S\n]*(?:#[^\n]*)?(?:\n|\Z)")
_LINE = re.compile(r"[^\n]*")
_COMMENT = re.compile(r"\s+#.*")
_SINGLE = re.compile(r"'((?:\\.|[^'\\])*)'", re.DOTALL)
_DOUBLE = re.compile(r'"((?:\\.|[^"\\])*)"', re.DOTALL)
# In this order: an escape, ${NAME} with or without a default, $NAME.
_PIECES = re.compile(
    r"(?P<escape>\\.)|\$\{(?P<braced>[A-Za-z_]\w*)(?::-(?P<default>[^}\n]*))?\}|\$(?P<plain>[A-Za-z_]\w*)",
    re.DOTALL | re.ASCII,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


class NotUnderstood(ValueError):
    """A line that says nothing: its number and why."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


def read(path: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Read the file at `path`. Raise FileNotFoundError, and UsageError if it cannot be read or understood."""
    try:
        # Not `newline=None`: a \r inside quotes would be lost; parse() does that.
        with open(path, encoding="utf-8-sig", newline="") as file:
            text = file.read()
    except FileNotFoundError:
        raise
    except UnicodeDecodeError as error:
        raise UsageError(
            f'the launch setting "envFile" names a file that is not UTF-8: {path}: {error}'
        ) from None
    except OSError as error:
        raise UsageError(f'the launch setting "envFile" cannot be read: {path}: {error.strerror}') from None
    try:
        return parse(text, environment)
    except NotUnderstood as error:
        raise UsageError(
            f'the file of the launch setting "envFile" is not understood: {path}, {error}'
        ) from None


def parse(text: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return what the text sets, in order. Raise NotUnderstood."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    values: dict[str, str] = {}
    at = 0
    while True:
        at = _past(_BETWEEN, text, at)
        if at >= len(text):
            return values
        begin = at
        at = _past(_EXPORT, text, at)
        found = _NAME.match(text, at)
        if found is None:
            raise _wrong(text, begin, "expected a name and =")
        name = found[1] or found[2]
        at = _past(_BLANKS, text, found.end())
        if not text.startswith("=", at):
            end = _END.match(text, at)
            if end is None:
                raise _wrong(text, begin, f"expected = after {name!r}")
            at = end.end()
            continue
        after = at + 1
        at = _past(_BLANKS, text, after)
        quote = text[at : at + 1]
        if quote in ("'", '"'):
            whole = (_SINGLE if quote == "'" else _DOUBLE).match(text, at)
            if whole is None:
                raise _wrong(
                    text, begin, f"the quote {quote} that the value of {name!r} begins with is never closed"
                )
            if quote == "'":
                value = re.sub(r"\\([\\'])", r"\1", whole[1])
            else:
                value = _replaced(whole[1], values, environment, quoted=True)
            end = _END.match(text, whole.end())
            if end is None:
                raise _wrong(text, begin, f"only a comment may follow the closing quote of {name!r}")
            at = end.end()
        else:
            line = _LINE.match(text, after)  # with the blanks before: they may begin a comment
            assert line is not None
            value = _replaced(_COMMENT.sub("", line[0]).strip(), values, environment, quoted=False)
            at = line.end()
        if "\0" in name or "\0" in value:
            raise _wrong(text, begin, "no variable can hold a zero byte")
        values[name] = value


def _past(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found is not None else at


def _wrong(text: str, at: int, reason: str) -> NotUnderstood:
    return NotUnderstood(text.count("\n", 0, at) + 1, reason)


def _replaced(text: str, values: Mapping[str, str], environment: Mapping[str, str], *, quoted: bool) -> str:
    def piece(found: re.Match[str]) -> str:
        escape = found["escape"]
        if escape is not None:
            letter = escape[1]
            if letter == "$":
                return "$"
            if not quoted:
                return escape
            return letter if letter in "\\'\"" else _ESCAPES.get(letter, escape)
        name = found["braced"] or found["plain"]
        value = values.get(name, environment.get(name))
        if found["plain"]:
            return value if value is not None else found[0]
        return value or found["default"] or ""

    return _PIECES.sub(piece, text)
