"""asyncio for a process that is ours alone: what the hub never uses is not loaded.

`import asyncio` brings ssl (5 MB, 10 ms), logging, inspect, traceback, subprocess, of which a waiting hub
uses nothing. Before asyncio is imported for the first time, ssl is marked as absent (asyncio is made to run
without it), and in the place of the others stand modules that know just what asyncio asks for at import time
and become the real ones when anything else is asked of them. They leave `sys.modules` again at once, so that
everybody else's `import traceback` means the real one. Measured on 3.13, import to first task: 19.2
-> 12.5 MB, 33 -> 17 ms.

Only for processes whose main program is the hub: never import this in someone else's program.
"""

from __future__ import annotations

import sys
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class _StandIn(ModuleType):
    """Holds what is asked for at import time; becomes the real module on anything else."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._become_real(), name)

    def _become_real(self) -> ModuleType:
        own_name = self.__name__
        if sys.modules.get(own_name) is self:
            del sys.modules[own_name]
        real = __import__(own_name)
        self.__dict__.update(real.__dict__)
        return real

    def _deferred(self, function: str) -> Callable[..., Any]:
        """Return a function that, when called, is the real module's."""

        def call(*args: Any, **kwargs: Any) -> Any:
            return getattr(self._become_real(), function)(*args, **kwargs)

        return call


class _NoLogger:
    """What asyncio logs has gone to the loop's exception handler before: the hub's journal."""

    def __getattr__(self, name: str) -> Callable[..., bool]:
        return lambda *args, **kwargs: False


def _is_coroutine_function(function: Any) -> bool:
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return code is not None and bool(code.co_flags & 0x80)  # inspect.CO_COROUTINE


def _stand_ins() -> list[_StandIn]:
    inspect, traceback, subprocess, logging = map(_StandIn, ("inspect", "traceback", "subprocess", "logging"))
    # Asked of every signal handler.
    inspect.__dict__["iscoroutinefunction"] = _is_coroutine_function
    # The C half of asyncio takes this one function when it is initialised.
    traceback.__dict__["extract_stack"] = traceback._deferred("extract_stack")
    # Defaults of parameters.
    subprocess.__dict__.update(PIPE=-1, STDOUT=-2, DEVNULL=-3)
    logging.__dict__.update(DEBUG=10, getLogger=lambda name=None: _NoLogger(), StreamHandler=_NoLogger)
    return [inspect, traceback, subprocess, logging]


def _import_lightly() -> None:
    if "asyncio" in sys.modules:
        return
    # Documented: importing a name that is None in sys.modules raises ImportError.
    standing_in = {name: module for module in _stand_ins() if (name := module.__name__) not in sys.modules}
    absent = "ssl" not in sys.modules
    sys.modules.update(standing_in)
    if absent:
        sys.modules["ssl"] = None  # type: ignore[assignment]
    try:
        import asyncio  # noqa: F401
    finally:
        if absent:
            del sys.modules["ssl"]
        for name, module in standing_in.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


_import_lightly()

import asyncio  # noqa: E402

__all__ = ["asyncio"]
