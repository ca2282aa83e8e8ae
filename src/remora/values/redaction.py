"""Secrets that are not to be shown: told by their names, and by what they look like.

Best effort: a secret under a harmless name is shown. Names are taken apart into words (`apiKey`, `API_KEY`,
`db-password`), because `token` is secret and `tokenizer` and `max_tokens` are not. No `re`: the debuggee has
not loaded it.
"""

from __future__ import annotations

from remora.engine.expressions import HIDDEN, reads
from remora.values.static import class_attribute, is_lazy_import
from remora.values.text import Texts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from remora.values.budget import Budget, Clock

# One of these words anywhere in a name.
_WORDS = frozenset(
    {
        "password",
        "passwords",
        "passwd",
        "passphrase",
        "passcode",
        "pwd",
        "secret",
        "secrets",
        "token",
        "authorization",
        "cookie",
        "cookies",
        "credential",
        "credentials",
        "apikey",
        "privatekey",
        "secretkey",
        "accesskey",
        "authtoken",
        "accesstoken",
        "refreshtoken",
        "sessionid",
        "csrftoken",
        "jwt",
        "otp",
        "pin",
        "cvv",
        "cvc",
        "ssn",
    }
)
# `key` or `tokens` right after one of these.
_BEFORE_KEY = frozenset(
    {"api", "private", "secret", "access", "signing", "encryption", "auth", "master", "account", "shared"}
)
_BEFORE_TOKENS = frozenset({"auth", "access", "refresh", "api", "session", "csrf", "bearer", "id", "secret"})
# A name that ends in one of these tells about a secret, not the secret.
_ABOUT = frozenset(
    {
        "count",
        "counts",
        "type",
        "kind",
        "length",
        "len",
        "size",
        "limit",
        "expires",
        "expiry",
        "expiration",
        "ttl",
        "age",
    }
)
# Schemes of the Authorization header: what follows is the secret.
_SCHEMES = ("bearer ", "basic ", "digest ", "negotiate ")
_MIN_CREDENTIAL = 6  # "Basic idea" is no header
_STARTS = ("eyJ", "-----BEGIN ", "ghp_", "gho_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "sk-", "AKIA")
_MIN_KEY = 16
# Where none of these is in a text there is nothing to look for.
_STEMS = (
    "pass", "pwd", "secret", "token", "authoriz", "cookie", "credential", "key", "jwt", "otp", "pin", "cvv",
    "cvc", "ssn", "session", "bearer", "basic", "digest", "negotiate", "eyj", "-----begin", "ghp_", "gho_",
    "github_pat", "glpat", "xoxb", "xoxp", "sk-", "akia",
)  # fmt: skip
_TO_LOWER = {number: number + 32 for number in range(ord("A"), ord("Z") + 1)}
# Names that were looked at: a program has some thousands.
_MAX_KNOWN = 10_000
_known: dict[str, bool] = {}
# Longer texts are not searched any further; what is shown is shorter.
_MAX_SCAN = 64 << 10


def is_secret(name: str) -> bool:
    """Say whether a name (of a variable, attribute, key or header) is that of a secret."""
    if len(name) > 200:
        return False
    known = _known.get(name)
    if known is None:
        if len(_known) >= _MAX_KNOWN:
            _known.clear()
        known = _known[name] = _is_secret(name)
    return known


def _is_secret(name: str) -> bool:
    words = _words(name)
    if not words or words[-1] in _ABOUT:
        return False
    before = ""
    for word in words:
        if word in _WORDS:
            return True
        if word in ("key", "keys") and before in _BEFORE_KEY:
            return True
        if word == "tokens" and before in _BEFORE_TOKENS:
            return True
        before = word
    return False


def _words(name: str) -> list[str]:
    words: list[str] = []
    word = ""
    before = ""
    for letter in name:
        if not (letter.isalpha() or letter.isdigit()):
            if word:
                words.append(word.lower())
            word = ""
        elif letter.isupper() and before.islower():
            words.append(word.lower())
            word = letter
        elif letter.isdigit():
            pass  # password2 is one too
        else:
            word += letter
        before = letter
    if word:
        words.append(word.lower())
    return words


def expression_is_secret(expression: str) -> bool:
    """Say whether an expression reads a secret by its name. What is no expression: look at its words."""
    try:
        return reads(expression, is_secret)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return any(is_secret(word) for word in expression.replace("(", " ").replace("=", " ").split())


def redacted(expression: str, text: str) -> str:
    """Return the text of an expression's value without secrets."""
    return HIDDEN if expression_is_secret(expression) else scrub(text)


def looks_secret(text: str) -> bool:
    """Say whether a value is, as a whole, a credential by its looks."""
    if text.startswith(_STARTS):
        return len(text) >= _MIN_KEY
    start = text[:12].lstrip().lower()
    return any(
        start.startswith(scheme) and len(text.strip()) >= len(scheme) + _MIN_CREDENTIAL for scheme in _SCHEMES
    )


def scrub(text: str) -> str:
    """Blot secrets out of a text: credentials by their looks, and what follows `password=` or `'token':`."""
    if len(text) > _MAX_SCAN:
        text = text[:_MAX_SCAN] + "…"
    lowered = text.lower()
    if len(lowered) != len(text):  # `İ` has two letters then
        lowered = text.translate(_TO_LOWER)
    places = sorted({at for stem in _STEMS for at in _places(lowered, stem)})
    result: list[str] = []
    done = 0
    seen = 0  # end of the last word looked at
    for place in places:
        if place < seen:
            continue
        begin, end = _word_round(text, place, done)
        seen = end
        found = _secret_at(text, begin, end)
        if found is not None:
            result.append(text[done : found[0]] + HIDDEN)
            done = seen = found[1]
    return "".join(result) + text[done:] if result else text


def _places(text: str, stem: str) -> Iterator[int]:
    at = text.find(stem)
    while at >= 0:
        yield at
        at = text.find(stem, at + len(stem))


def _word_round(text: str, place: int, least: int) -> tuple[int, int]:
    begin = end = place
    while begin > least and (text[begin - 1].isalnum() or text[begin - 1] in "_-"):
        begin -= 1
    while end < len(text) and (text[end].isalnum() or text[end] in "_-"):
        end += 1
    return begin, max(end, place + 1)


def _secret_at(text: str, begin: int, end: int) -> tuple[int, int] | None:
    """Say where the secret stands that this word is, or announces."""
    word = text[begin:end]
    if word == "-----BEGIN":
        last = text.find("-----END", end)
        return begin, len(text) if last < 0 else _end_of_word(text, last)
    if len(word) >= _MIN_KEY and word.startswith(_STARTS):
        return begin, end
    return _value_after(text, word, end) if end < len(text) else None


def _value_after(text: str, word: str, at: int) -> tuple[int, int] | None:
    """Say where the secret that this word announces stands: `Bearer x`, `password=x`, `'token': 'x'`."""
    lowered = word.lower() + " "
    if text[at] == " " and lowered in _SCHEMES:
        end = _end_of_word(text, at + 1)
        return (at + 1, end) if end - at - 1 >= _MIN_CREDENTIAL else None
    if not is_secret(word):
        return None
    place = at
    if text[place] in "'\"":
        place += 1
    while text[place : place + 1] == " ":
        place += 1
    if text[place : place + 1] not in ("=", ":"):
        return None
    if text[place : place + 2] in ("==", "::"):
        return None
    place += 1
    while text[place : place + 1] == " ":
        place += 1
    if text[place : place + 1] == "b" and text[place + 1 : place + 2] in ("'", '"'):
        place += 1
    quote = text[place : place + 1]
    if not quote:
        return None
    if quote in "'\"":
        end = place + 1
        while end < len(text) and text[end] != quote:
            end += 2 if text[end] == "\\" else 1
        return place, min(end + 1, len(text))
    if quote in "([{<":
        return None  # a container or an object: what is in it is looked at by itself
    end = _end_of_value(text, place)
    lowered = text[place:end].lower() + " "
    if lowered in _SCHEMES:
        end = _end_of_word(text, end + 1)
    return (place, end) if end > place else None


def _end_of_word(text: str, at: int) -> int:
    while at < len(text) and not text[at].isspace() and text[at] not in "'\",;)]}":
        at += 1
    return at


def _end_of_value(text: str, at: int) -> int:
    while at < len(text) and not text[at].isspace() and text[at] not in "'\",;&)]}>":
        at += 1
    return at


class _Hidden:
    __slots__ = ()


_HIDDEN: Any = _Hidden()


class DisplayTexts(Texts):
    """Writes values that nobody can expand: objects with what is in them, without secrets if so wished."""

    __slots__ = ("redact",)

    def __init__(
        self, budget: Budget, clock: Clock | None = None, *, run_user_code: bool = False, redact: bool = True
    ) -> None:
        super().__init__(budget, clock, run_user_code=run_user_code)
        self.redact = redact

    def _write(self, obj: object, depth: int, room: int) -> str:
        if obj is _HIDDEN:
            return HIDDEN
        cls: Any = type(obj)
        if self.redact and (cls is str or cls is bytes or cls is tuple):
            obj = _replaced(obj)
            if obj is _HIDDEN:
                return HIDDEN
        elif class_attribute(cls, "__repr__") is object.__repr__ and not is_lazy_import(obj):
            return self._summary(obj, cls, depth, room)
        return super()._write(obj, depth, room)

    def _call_repr(self, obj: Any, cls: type, depth: int, room: int) -> str:
        text = super()._call_repr(obj, cls, depth, room)
        # A summary is free of secrets already; what the program has written is not.
        return scrub(text) if self.redact and self.run_user_code else text

    def _mapping(self, obj: object, pairs: Iterable[tuple[Any, Any]], depth: int, room: int) -> str:
        return super()._mapping(obj, self._without_secrets(pairs), depth, room)

    def _fields(
        self,
        obj: object,
        title: str,
        pairs: Iterable[tuple[str, Any]],
        depth: int,
        room: int,
        *,
        brackets: str = "()",
    ) -> str:
        return super()._fields(obj, title, self._without_secrets(pairs), depth, room, brackets=brackets)

    def _without_secrets(self, pairs: Iterable[tuple[Any, Any]]) -> Iterator[tuple[Any, Any]]:
        if not self.redact:
            yield from pairs
            return
        for key, value in pairs:
            yield key, (_HIDDEN if _is_secret_key(key) else value)


def _replaced(obj: Any) -> Any:
    """Return the object, or what is to be shown for it: of `("token", "x")` the second is hidden."""
    if type(obj) is tuple:
        return (obj[0], _HIDDEN) if len(obj) == 2 and _is_secret_key(obj[0]) else obj
    start = obj[:4096]
    return _HIDDEN if looks_secret(start if type(obj) is str else _text_of(start)) else obj


def _is_secret_key(key: object) -> bool:
    if type(key) is str:
        return is_secret(key)
    return type(key) is bytes and len(key) <= 200 and is_secret(_text_of(key))


def _text_of(data: bytes) -> str:
    return data.decode("latin-1")
