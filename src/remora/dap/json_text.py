"""JSON texts without the module `json`, whose import costs each child of a debugged program 10 ms.

`json` is a skin of Python (with `re`, `enum`, `collections`) over the C module `_json`; we use that alone,
and `json` where it is not as we know it. ASCII only, nothing NaN, no white space, no look at circular
references. What is no JSON is a ValueError.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_SPACE = " \t\n\r"


class _Context:
    """What the scanner in C wants to know; in 3.12 to 3.15."""

    strict = True
    object_hook = object_pairs_hook = array_hook = None
    parse_float = float
    parse_int = int
    memo: dict[str, str] = {}  # noqa: RUF012  unused in C

    @staticmethod
    def parse_constant(name: str) -> Any:
        raise ValueError(f"{name} is not JSON")


def _refuse(value: object) -> Any:
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _small() -> tuple[Callable[[Any], str], Callable[[str], Any]]:
    import _json

    chunks = _json.make_encoder(
        None, _refuse, _json.encode_basestring_ascii, None, ":", ",", False, False, False
    )
    scan = _json.make_scanner(_Context)  # type: ignore[arg-type]
    length = len

    def encode(value: Any) -> str:
        return "".join(chunks(value, 0))

    def decode(text: str) -> Any:
        start = length(text) - length(text.lstrip(_SPACE))
        try:
            value, end = scan(text, start)
        except StopIteration as stop:
            raise ValueError(f"Expecting value: character {stop.value}") from None
        if text[end:].strip(_SPACE):
            raise ValueError(f"Extra data: character {end}")
        return value

    sample = '{"a":[1,2.5,"\\u00e9\\"",true,null,{}]}'
    if encode(decode(f" {sample} ")) != sample:
        raise ImportError("_json is another one")
    return encode, decode


def _large() -> tuple[Callable[[Any], str], Callable[[str], Any]]:
    import json

    # Made once: json.dumps() and json.loads() with options build a new codec on every call.
    encoder = json.JSONEncoder(check_circular=False, allow_nan=False, separators=(",", ":"))
    return encoder.encode, json.JSONDecoder(parse_constant=_Context.parse_constant).decode


try:
    encode, decode = _small()
except (ImportError, AttributeError, TypeError, ValueError):
    encode, decode = _large()
