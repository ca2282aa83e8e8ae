"""Paths of just-my-code rules."""

from __future__ import annotations

import pytest

from remora.engine.usercode import Glob


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("/a/b.py", "/a/b.py", True),
        ("/a/b.py", "/x/a/b.py", False),
        ("/a", "/a/b/c.py", True),  # a folder stands for all in it
        ("/a/", "/a/b/c.py", True),
        ("/a", "/ab/c.py", False),
        ("/a/*", "/a/b/c.py", True),
        ("/a/*.py", "/a/b/c.py", False),  # a star stays within a folder
        ("/a/**/c.py", "/a/b/b/c.py", True),
        ("/a/**/c.py", "/a/c.py", True),
        ("/a/**", "/a/b/c.py", True),
        ("/a/**", "/a", False),
        ("b/c.py", "/a/b/c.py", True),  # a relative one may lie anywhere
        ("b/c.py", "/a/bb/c.py", False),
        ("*/c.py", "/a/c.py", False),  # nothing stands before a leading slash
        ("**/c?.py", "/a/b/c1.py", True),
        ("**/c?.py", "/a/b/c.py", False),
        ("/a/x*y*z.py", "/a/x1yy2z3z.py", True),
        ("/a/x*y*z.py", "/a/x1z.py", False),
        ("<frozen *", "<frozen runpy>", True),
        ("/a/[b].py", "/a/[b].py", True),  # brackets are letters
    ],
)
def test_glob(pattern: str, path: str, fits: bool) -> None:
    assert Glob(pattern).matches(path) is fits
