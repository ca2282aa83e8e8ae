"""Import our modules against a `_thread`, a `time` and a `select` that nobody has patched.

What gevent has replaced is kept by it under names of its own, eventlet has others. A second instance of the C
module is the same for all of them: its functions are CPython's, on the very same threads.
"""

from __future__ import annotations

import _frozen_importlib
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

_PATCHED = ("_thread", "select", "time")
_PACKAGES = ("engine", "values", "dap", "agent", "agent.handlers")
# What is run and not imported.
_PROGRAMS = frozenset(("__init__", "boot", "guest", "unpatched"))


def import_all() -> None:
    """Import what a debuggee may need, now. What the program sees is as before when this returns."""
    fresh = {name: _second(name) for name in _PATCHED}
    before = {name: sys.modules.get(name) for name in _PATCHED}
    sys.modules.update(fresh)
    try:
        root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        for package in _PACKAGES:
            for name in sorted(os.listdir(os.path.join(root, *package.split(".")))):
                stem, suffix = os.path.splitext(name)
                if suffix == ".py" and stem not in _PROGRAMS:
                    _import(f"remora.{package}.{stem}")
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def _import(name: str) -> None:
    try:
        __import__(name)
    except Exception as error:  # boundary: it may never be needed, and the program goes on
        from remora.agent.log import log_exception

        log_exception(f"import {name}", error)


def _second(name: str) -> ModuleType:
    """Make another instance of a module written in C."""
    spec = __import__(name).__spec__
    assert spec is not None and spec.loader is not None
    module = _frozen_importlib.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
