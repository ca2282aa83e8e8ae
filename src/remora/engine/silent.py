"""Silent places: where a LINE event is looked for but never comes, so that it can never be disabled.

CPython puts an INSTRUMENTED_LINE on every target of a jump. Reached from the same line (`a if c else b`,
`and`, a loop on one line) it finds that the line has not changed and calls nobody: nobody can return DISABLE,
and the look costs 10 to 15 ns at each pass, for ever. In `return n if n < 2 else fib(n - 1) + fib(n - 2)`
that is a fifth of the whole. For such code breakpoints begin as tripwires instead (see `arming`).
"""

from __future__ import annotations

from bisect import bisect_right

from .lines import runs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

_NO_FALL_THROUGH = ("JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT", "RETURN_VALUE",
"RETURN_CONST",
                    "RAISE_VARARGS", "RERAISE")  # fmt: skip


class _Opcodes:
    """What of the `opcode` module is needed, looked up at the first breakpoint."""

    def __init__(self) -> None:
        import opcode

        caches = opcode._inline_cache_entries  # type: ignore[attr-defined]
        self.jumps = frozenset(op for op in (*opcode.hasjrel, *opcode.hasjabs) if op < 256)
        names = opcode.opname
        self.backward = frozenset(op for op in self.jumps if "BACKWARD" in names[op])
        self.ends = frozenset(op for op in range(256) if names[op] in _NO_FALL_THROUGH)
        self.caches = [
            (caches.get(names[op], 0) if hasattr(caches, "get") else caches[op]) * 2 for op in range(256)
        ]
        self.extended = opcode.EXTENDED_ARG


_opcodes: _Opcodes | None = None


def has_silent_places(code: CodeType) -> bool:
    """Whether LINE events on `code` leave a cost behind where they have been disabled."""
    global _opcodes
    ops = _opcodes
    if ops is None:
        ops = _opcodes = _Opcodes()
    found = runs(code)
    starts = [offset for offset, _ in found]
    lines = [line for _, line in found]

    def line_at(offset: int) -> int:
        index = bisect_right(starts, offset) - 1
        return lines[index] if index >= 0 else 0

    raw = code.co_code
    jumps, backward, caches = ops.jumps, ops.backward, ops.caches
    entered_from: dict[int, set[int]] = {}
    falls: dict[int, int] = {}  # offset -> the instruction that falls through into it
    offset = argument = 0
    size = len(raw)
    while offset < size:
        op = raw[offset]
        argument |= raw[offset + 1]
        after = offset + 2 + caches[op]
        if op == ops.extended:
            argument <<= 8
        else:
            if op in jumps:
                target = after - argument * 2 if op in backward else after + argument * 2
                entered_from.setdefault(target, set()).add(line_at(offset))
            argument = 0
        if op not in ops.ends:
            falls[after] = offset
        offset = after
    rare = _first_handler(code)
    for target, sources in entered_from.items():
        if target >= rare:
            continue  # only on the way of an exception: a `with` line has such a jump, and most never take it
        line = line_at(target)
        if target in falls:
            sources.add(line_at(falls[target]))
        if sources == {line}:
            return True
    return False


def _first_handler(code: CodeType) -> int:
    """Where the code begins that only exceptions lead to; the compiler puts all of it last.

    Source: CPython, InternalDocs/exception_handling.md (the table), Python/flowgraph.c (cold blocks).
    """
    numbers: list[int] = []
    value = 0
    for byte in code.co_exceptiontable:
        value = value << 6 | byte & 0x3F
        if not byte & 0x40:
            numbers.append(value)
            value = 0
    return min(numbers[2::4], default=len(code.co_code)) * 2  # start, length, target, depth; in units
