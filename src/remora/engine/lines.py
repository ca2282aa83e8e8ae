"""Lines: where a file has code, which function owns a line, and where a wish for a line without code goes.

Facts about LINE events (Python/instrumentation.c): none before the first RESUME of a code object, and RESUME
itself has none, so the `def` line belongs to the code around the function and not to the function.

A file of 20,000 lines is asked about a handful of them: a code object's lines are read only when it begins
not far before a wish.
"""

from __future__ import annotations

import sys
from bisect import bisect_left, bisect_right
from itertools import pairwise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

_probe: CodeType = compile("def f():\n pass", "", "exec").co_consts[0]
RESUME = _probe.co_code[0]
RESUME_SIZE: int = next(iter(_probe.co_lines()))[1]  # bytes, with its inline cache (3.15 has one)

# Both ways to return: 3.12 and 3.13 have an opcode of its own for a constant.
_RETURNS = frozenset(compile(text, "", "eval").co_code[-2] for text in ("a", "1"))
_NEWLOCALS = 0x2
MAX_HEAD = 8  # definitions looked at before a line; more than one, for bounds of type parameters count too
_LOSES_FIRST_LINE = sys.version_info >= (3, 13)
# BEFORE_ASYNC_WITH and BEFORE_WITH of 3.12. There, what leaves a `with` block spans all of it, as these do.
_BEFORE_WITH = (52, 53) if sys.version_info < (3, 13) else ()


def is_class_body(code: CodeType) -> bool:
    return not code.co_flags & _NEWLOCALS and code.co_name != "<module>"


def is_hidden(code: CodeType) -> bool:
    """Code nobody wrote as such: the scope of type parameters, and 3.14's lazily evaluated annotations."""
    return code.co_name == "__annotate__" or code.co_name.startswith("<generic parameters")


def runs(code: CodeType) -> list[tuple[int, int]]:
    """(offset, line) of every run of instructions of one line, in the order of the code."""
    raw = code.co_code
    traceable = 0
    for offset in range(0, len(raw), 2):
        if raw[offset] == RESUME:
            traceable = offset + RESUME_SIZE
            break
    return [(max(start, traceable), line) for start, end, line in code.co_lines() if line and end > traceable]


def lines_of_start(code: CodeType) -> set[int]:
    """The lines that begin right after a RESUME at which the code starts, on its line (`lambda: x`).

    For those CPython loses LINE events from 3.13 on (`FollowerEvents.keep_start`); before, none are named.
    There is one such RESUME; generator expressions of 3.15 have two, the second where they are first asked.
    """
    found: set[int] = set()
    if not _LOSES_FIRST_LINE:
        return found
    raw = code.co_code
    lines = [(start, end, line) for start, end, line in code.co_lines() if line]
    for offset in range(0, len(raw) - RESUME_SIZE, 2):
        if raw[offset] == RESUME and not raw[offset + 1] & 3:  # 1 to 3: after a yield or an await
            found |= {line for start, end, line in lines if start <= offset and offset + RESUME_SIZE < end}
    return found


def lines_of(code: CodeType) -> set[int]:
    """The lines on which a breakpoint in this very code object makes sense."""
    if is_hidden(code):
        return set()
    found = runs(code)
    lines = {line for _, line in found}
    if found and is_class_body(code):
        # `class X:` is a line of the code around it; the body's prologue on that line is nobody's wish.
        lines.discard(found[0][1])
    return lines


class Statements:
    """Where statements begin in one code object. Made for one arming, then thrown away."""

    __slots__ = ("_code", "_heads", "_places", "_positions", "_runs")

    def __init__(self, code: CodeType) -> None:
        self._code = code
        self._runs = runs(code)
        self._places: dict[int, list[int]] = {}
        for index, (_, line) in enumerate(self._runs):
            self._places.setdefault(line, []).append(index)
        self._positions: list[tuple[int | None, ...]] | None = None
        self._heads: list[tuple[int, int]] | None = None

    def beginnings(self, line: int, skip: frozenset[int]) -> list[int]:
        """The offsets where `line` is entered from another line, but for those in `skip`."""
        offsets = [self._runs[index][0] for index in self._places.get(line, ())]
        return [offset for offset in offsets if offset not in skip]

    def continuations(self, line: int) -> frozenset[int]:
        """Offsets where `line` comes again within one statement: the call after its arguments on later lines.

        A breakpoint stops when the statement begins and not again there. An offset is such a one if
        everything since the run of `line` before it lies on later lines that its own instruction spans; or if
        all of it lies in the head of one decorated function or class, whose lines are visited down and up
        again.
        """
        places = self._places.get(line, ())
        found = self._runs
        result = set()
        for before, here in pairwise(places):
            if self._returns(before):
                continue  # the other branch of `return a if c else b` over lines: it has not been there
            between = [at for _, at in found[before + 1 : here]]
            if not between:
                continue
            low, high = min(between), max(between)
            if (line < low and high <= self._end(found[here][0])) or self._is_in_a_head(
                min(line, low), max(line, high)
            ):
                result.add(found[here][0])
        return frozenset(result)

    def _returns(self, run: int) -> bool:
        start = self._runs[run][0]
        end = next((high for low, high, _ in self._code.co_lines() if low <= start < high), start)
        return self._code.co_code[end - 2] in _RETURNS

    def _end(self, offset: int) -> int:
        """The last line that the instruction at `offset` spans; 0 if it leaves a `with` block.

        Only this one is asked: others of the run may do what has nothing to do with it (the store of a
        comprehension after its element).
        """
        positions = self._positions
        if positions is None:
            positions = self._positions = list(self._code.co_positions())
        position = positions[offset // 2]
        if _BEFORE_WITH:
            raw = self._code.co_code
            for index, other in enumerate(positions):
                if other == position and raw[2 * index] in _BEFORE_WITH:
                    return 0
        return position[1] or 0

    def _is_in_a_head(self, first: int, last: int) -> bool:
        """Whether these lines lie between the first decorator and the body of one definition."""
        heads = self._heads
        if heads is None:
            kind = type(self._code)
            heads = self._heads = sorted(
                _head(const)
                for const in self._code.co_consts
                if type(const) is kind and (not const.co_name.startswith("<") or is_hidden(const))
            )
        index = bisect_right(heads, (first, last + 1 << 30))
        return any(head[0] <= first and last <= head[1] for head in heads[max(0, index - 3) : index])


def _head(code: CodeType) -> tuple[int, int]:
    """The lines of a definition before its body: decorators and the `def` or `class` line."""
    first = code.co_firstlineno
    body = next((line for _, _, line in code.co_lines() if line and line > first), first)
    return first, body


class Unit:
    """One code object in the tree of a file. Children and lines are worked out when asked for."""

    __slots__ = ("_children", "_extent", "_lines", "code", "first")

    def __init__(self, code: CodeType) -> None:
        self.code = code
        self.first = code.co_firstlineno
        self._children: list[Unit] | None = None
        self._lines: list[int] | None = None
        self._extent: int | None = None

    @property
    def lines(self) -> list[int]:
        if self._lines is None:
            self._lines = sorted(lines_of(self.code))
        return self._lines

    @property
    def children(self) -> list[Unit]:
        if self._children is None:
            found: list[Unit] = []
            kind = type(self.code)
            for const in self.code.co_consts:
                if type(const) is kind:
                    child = Unit(const)
                    if is_hidden(const):
                        found.extend(child.children)
                    else:
                        found.append(child)
            found.sort(key=_first)
            self._children = found
        return self._children

    @property
    def extent(self) -> int:
        """The last line of this code or anything in it."""
        if self._extent is None:
            last = self.lines[-1] if self.lines else self.first
            for child in self.children:
                last = max(last, child.extent)
            self._extent = last
        return self._extent

    def children_at(self, line: int) -> list[Unit]:
        """Those whose extent holds `line`, in the order of their first lines.

        Definitions follow one another, so it is the last one that begins at or before `line`; but what stands
        in its head (`def f(key=lambda x: x):`, the bound of a type parameter) begins later and ends earlier.
        """
        children = self.children
        found = []
        definitions = 0
        for index in range(bisect_right(children, line, key=_first) - 1, -1, -1):
            child = children[index]
            if line <= child.extent:
                found.append(child)
            definitions += not child.code.co_name.startswith("<")
            if definitions >= MAX_HEAD:
                break
        found.reverse()
        return found


def _first(unit: Unit) -> int:
    return unit.first


class LineTable:
    """The lines of one file, from the tree of its module's code."""

    __slots__ = ("root",)

    def __init__(self, module: CodeType) -> None:
        self.root = Unit(module)

    def place(self, line: int) -> int | None:
        """Where a wish for `line` goes: the line itself, the next of the same function, else the nearest
        before; None if the file has no code at all.
        """
        owners = self._owners(line)
        if any(_contains(owner.lines, line) for owner in owners):
            return line
        for owner in reversed(owners):
            lines = owner.lines
            if lines:
                index = bisect_left(lines, line)
                return lines[index] if index < len(lines) else lines[-1]
        return None

    def _owners(self, line: int) -> list[Unit]:
        """The units whose extent holds `line`, outermost first, innermost last."""
        owners = [self.root]
        level = [self.root]
        while level:
            level = [child for unit in level for child in unit.children_at(line)]
            owners.extend(level)
        return owners


def _contains(lines: list[int], line: int) -> bool:
    index = bisect_left(lines, line)
    return index < len(lines) and lines[index] == line
