"""What can be set: by `remora.configure()` or `--configure-NAME` for the process, by attach for a session.

Names of options are snake_case in Python; the camelCase of launch configurations
(`subProcess`) is taken as well.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Settings:
    """The options in force. Read by any thread, written by `configure`."""

    __slots__ = (
        "evaluate_timeout_s",
        "evaluate_warning_s",
        "just_my_code",
        "python",
        "sub_process",
        "variables_timeout_s",
        "watch_timeout_s",
    )

    def __init__(self) -> None:
        # The console may run something long on purpose: it is warned about, and can be cancelled.
        self.evaluate_timeout_s: float | None = None
        self.evaluate_warning_s: float | None = 3.0
        # Hover, watch and the variables view are asked for by the client on its own.
        self.watch_timeout_s: float | None = 10.0
        # Longer than the page's own budget (values/budget.py), which ends it between two pieces of user code.
        self.variables_timeout_s: float | None = 4.0
        self.just_my_code = True
        # The interpreter that runs the hub, where sys.executable is not one (embedded Python).
        self.python: str | None = None
        self.sub_process = True

    def configure(self, options: dict[str, Any]) -> None:
        """Set options by name. TypeError names an unknown one or a wrong value; then none is set."""
        checked: dict[str, Any] = {}
        for given, value in options.items():
            name = _snake(given)
            if name not in self.__slots__:
                raise TypeError(f"unknown option {given!r}; there are {', '.join(self.__slots__)}")
            problem = _problem(name, value)
            if problem:
                raise TypeError(f"option {given!r} must be {problem}, not {value!r}")
            checked[name] = value
        for name, value in checked.items():
            setattr(self, name, value)


class AttachOptions:
    """What an attach request asks for, checked."""

    __slots__ = (
        "auto_reload",
        "just_my_code",
        "max_exception_frames",
        "redirect_output",
        "rules",
        "show_return_value",
        "steps_resume_all",
        "stop_on_entry",
    )

    def __init__(self) -> None:
        self.auto_reload: dict[str, Any] | None = None
        self.just_my_code = True
        self.max_exception_frames = 200
        self.steps_resume_all = True
        self.redirect_output = True
        self.rules: list[Any] = []
        self.show_return_value = True
        self.stop_on_entry = False


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _problem(name: str, value: object) -> str | None:
    if name.endswith("_s"):
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if value is None or (number and value > 0):  # type: ignore[operator]
            return None
        return "a number of seconds above 0, or None for no limit"
    if name == "python":
        if value is None or (isinstance(value, str) and os.access(value, os.X_OK)):
            return None
        return "the path of a Python interpreter, or None"
    return None if isinstance(value, bool) else "True or False"
