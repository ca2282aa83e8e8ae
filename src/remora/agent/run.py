"""Run a file, a module or a piece of code as `python FILE`, `python -m MODULE` and `python -c CODE` would.

The program gets a fresh `__main__` (what it pickles and what multiprocessing imports is its own), its own
sys.argv and sys.path[0], and the exit code and tracebacks it would have had: an exception leaves through us
to the interpreter, with an excepthook in between that takes our frames off and then calls the program's.
So everything after it (sys.last_exc, an error in the hook, death by SIGINT after Ctrl-C) is CPython's own.

Main thread only. Source: CPython, Modules/main.c, Python/pythonrun.c, Lib/runpy.py.
"""

from __future__ import annotations

import _frozen_importlib_external as importers
import builtins
import io
import os
import sys
import types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, TracebackType
    from typing import Any

    from remora.agent.agent import Agent

_OURS = os.path.dirname(os.path.abspath(__file__))
# Functions of the program we replaced may look into the module they were made in.
_replaced_main = sys.modules.get("__main__")


class CannotRun(Exception):
    """There is nothing to run; the text is what Python would print before it exits with `code`."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


def run(
    kind: str, value: str, args: list[str], *, agent: Agent | None, ready: Callable[[CodeType], None]
) -> None:
    """Run a `program` (file, folder or zip), a `module` or `code`; returns when it does.

    sys.path[0] is taken to be that of whatever started us, and is replaced. `ready` is called with the
    code object just before it runs. What the program raises comes out, SystemExit included.
    """
    if agent is not None:
        agent.wait_until_loaded()  # from the standard library, not from what lies beside the program
    find = {"program": _program, "module": _module, "code": _code}[kind]
    try:
        try:
            code, main = find(value, args)
        except CannotRun as problem:
            sys.stderr.write(f"{sys.executable}: {problem}\n")
            raise SystemExit(problem.code) from None
        ready(code)
        exec(code, main.__dict__)
    except SystemExit as exit:
        if agent is not None:
            agent.exit_code = exit_code_of(exit.code)
        raise
    except BaseException as error:
        if agent is not None:
            # Ctrl-C ends the process by the signal itself, which a shell shows as 128 + 2.
            agent.exit_code = 130 if isinstance(error, KeyboardInterrupt) else 1
            whole = error.__traceback__
            error.__traceback__ = strip(whole)
            agent.uncaught(error)
            error.__traceback__ = whole
        _hide_ourselves()
        raise
    if agent is not None:
        agent.exit_code = 0


def exit_code_of(code: object) -> int:
    """Return the exit code that `sys.exit(code)` gives a process."""
    if code is None:
        return 0
    if isinstance(code, int):
        return int(code) & 0xFF
    return 1


def strip(traceback: TracebackType | None) -> TracebackType | None:
    """Return the traceback from the program's first frame on."""
    while traceback is not None and _is_ours(traceback.tb_frame.f_code):
        traceback = traceback.tb_next
    return traceback


def _is_ours(code: CodeType) -> bool:
    return code.co_filename.startswith(_OURS) or code.co_filename.startswith("<frozen importlib")


def _hide_ourselves() -> None:
    """Take our frames off the traceback that the interpreter is about to print."""
    programs = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> Any:
        sys.excepthook = programs
        error.__traceback__ = sys.last_traceback = strip(_after_run(traceback))
        return programs(kind, error, error.__traceback__)

    sys.excepthook = hook


def _after_run(traceback: TracebackType | None) -> TracebackType | None:
    """Skip what led to `run`: boot, the command line, or whatever else called it."""
    at = traceback
    while at is not None:
        if at.tb_frame.f_code is run.__code__:
            return at
        at = at.tb_next
    return traceback


# --- the three kinds


def _program(path: str, args: list[str]) -> tuple[CodeType, types.ModuleType]:
    sys.argv[:] = [path, *args]
    # As Python does: absolute, but not normalised.
    full = path if os.path.isabs(path) else os.path.join(os.getcwd(), path)
    importer = _importer_of(full)
    if importer is not None:
        _set_path_0(full)
        spec = importer.find_spec("__main__")
        code = spec.loader.get_code("__main__") if spec is not None else None
        if code is None:
            raise CannotRun(f"can't find '__main__' module in {os.path.abspath(path)!r}", 1)
        return code, _new_main(spec=spec, package="")
    _set_path_0(os.path.dirname(os.path.realpath(path)))
    if path.endswith(".pyc"):
        sourceless = importers.SourcelessFileLoader("__main__", full)
        bytecode = sourceless.get_code("__main__")
        if bytecode is None:
            raise CannotRun(f"can't run {full!r}", 1)
        return bytecode, _new_main(file=full, loader=sourceless)
    try:
        with io.open_code(full) as file:
            source = file.read()
    except OSError as error:
        raise CannotRun(f"can't open file {full!r}: [Errno {error.errno}] {error.strerror}", 2) from None
    loader = importers.SourceFileLoader("__main__", full)
    main = _new_main(file=full, loader=loader)
    return compile(source, full, "exec", dont_inherit=True), main


def _module(name: str, args: list[str]) -> tuple[CodeType, types.ModuleType]:
    from importlib.util import find_spec

    sys.argv[:] = ["-m", *args]
    _set_path_0(os.getcwd())
    spec = _find(find_spec, name)
    if spec.submodule_search_locations is not None:
        package = name
        name = f"{name}.__main__"
        try:
            spec = _find(find_spec, name)
        except CannotRun as problem:
            raise CannotRun(
                f"{problem}; {package!r} is a package and cannot be directly executed", 1
            ) from None
    code = spec.loader.get_code(name) if hasattr(spec.loader, "get_code") else None
    if code is None:
        raise CannotRun(f"No code object available for {name}", 1)
    sys.argv[0] = spec.origin or name
    return code, _new_main(spec=spec, package=spec.parent)


def _find(find_spec: Callable[[str], Any], name: str) -> Any:
    parent = name.rpartition(".")[0]
    if parent:
        try:
            __import__(parent)
        except ImportError as error:
            # An error of the package's own must be seen as what it is; a missing package is told below.
            if error.name is None or not f"{parent}.".startswith(f"{error.name}."):
                raise
    try:
        spec = find_spec(name)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        text = f"Error while finding module specification for {name!r} ({type(error).__name__}: {error})"
        raise CannotRun(text, 1) from None
    if spec is None:
        raise CannotRun(f"No module named {name}", 1)
    return spec


def _code(text: str, args: list[str]) -> tuple[CodeType, types.ModuleType]:
    sys.argv[:] = ["-c", *args]
    _set_path_0("")
    if sys.version_info >= (3, 14):
        from textwrap import dedent  # since 3.14 Python takes the common indentation off

        text = dedent(text)
    if sys.version_info >= (3, 13):
        # Since 3.13 tracebacks show the lines of such code.
        import linecache

        linecache.cache["<string>"] = (len(text), None, text.splitlines(keepends=True), "<string>")
    main = _new_main(loader=sys.meta_path[0] if sys.meta_path else None)
    return compile(text + "\n", "<string>", "exec", dont_inherit=True), main


# --- what they share


def _importer_of(path: str) -> Any:
    """Return the finder of a folder or a zip, None for a file."""
    for hook in sys.path_hooks:
        try:
            return hook(path)
        except ImportError:
            continue
    return None


def _set_path_0(entry: str) -> None:
    if not sys.flags.safe_path:
        sys.path[0:1] = [entry]


def _new_main(
    *, file: str | None = None, loader: Any = None, spec: Any = None, package: str | None = None
) -> types.ModuleType:
    """Make the `__main__` of the program, with the names Python gives it, and install it."""
    main = types.ModuleType("__main__")
    names = main.__dict__
    names["__builtins__"] = builtins
    names["__package__"] = package
    names["__spec__"] = spec
    if spec is not None:
        file, loader = spec.origin, spec.loader
    names["__loader__"] = loader
    if sys.version_info < (3, 14):
        names["__annotations__"] = {}
    if file is not None:
        names["__file__"] = file
        if sys.version_info < (3, 15):
            names["__cached__"] = spec.cached if spec is not None else None
    sys.modules["__main__"] = main
    return main
