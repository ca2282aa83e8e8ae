"""Fixtures of the live tests: programs in a folder of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from live.harness.programs import Program, Shape


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., Program]:
    """Write a program into a fresh folder."""

    def write(text: str, shape: Shape = Shape.FILE, name: str = "app") -> Program:
        return Program(tmp_path, text, shape, name)

    return write
