"""Looking at real frames of the tests through an Inspector."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from remora.engine import StackEntry
from remora.values import EvaluationFailed, Inspector, Result, Variable


def entry_of(frame: FrameType) -> StackEntry:
    return StackEntry(frame, frame.f_lineno or 0, None, None, None, True)


class Place:
    """One frame on display."""

    def __init__(self, frame: FrameType, inspector: Inspector | None = None, **stop: Any) -> None:
        self.inspector = inspector or Inspector()
        self.inspector.stopped(1, **stop)
        self.entry = entry_of(frame)
        self.id = self.inspector.frame_handle(1, 0, self.entry)

    def scope(self, kind: str) -> int:
        return next(s.handle for s in self.inspector.scopes(self.id) if s.kind == kind)

    def scope_kinds(self) -> list[str]:
        return [s.kind for s in self.inspector.scopes(self.id)]

    def named(self, kind: str = "locals") -> dict[str, Variable]:
        return {v.name: v for v in self.inspector.variables(self.scope(kind))}

    def value(self, expression: str, context: str = "watch", **options: Any) -> Result:
        return self.inspector.evaluate(expression, self.id, context, **options)

    def text(self, expression: str, context: str = "watch", **options: Any) -> str:
        return self.value(expression, context, **options).text

    def error(self, expression: str, context: str = "repl") -> EvaluationFailed:
        with pytest.raises(EvaluationFailed) as caught:
            self.inspector.evaluate(expression, self.id, context)
        return caught.value

    def children(self, expression: str, **page: Any) -> list[Variable]:
        result = self.value(expression)
        assert result.handle, f"{expression} has no children"
        return self.inspector.variables(result.handle, **page)

    def child(self, expression: str, name: str) -> Variable:
        return next(v for v in self.children(expression) if v.name == name)


def of_object(obj: Any) -> Place:
    """A place where `x` is the object."""
    x = obj
    place = Place(sys._getframe())
    assert x is obj
    return place


@pytest.fixture
def at() -> Callable[..., Place]:
    """Look at the frame that calls it: `place = at()`; or at a frame given."""

    def here(frame: FrameType | None = None, inspector: Inspector | None = None, **stop: Any) -> Place:
        return Place(frame or sys._getframe(1), inspector, **stop)

    return here


@pytest.fixture
def showing() -> Callable[[Any], Place]:
    """Look at an object, as `x`."""
    return of_object
