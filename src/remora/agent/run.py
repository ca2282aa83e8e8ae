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

    type Ready = Callable[[CodeType], None]

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep  # the package
# Functions of the program we replaced may look into the module they were made in.
_replaced_main = sys.modules.get("__main__")


def run(kind: str, value: str, args: list[str], *, agent: Agent | None, ready: Ready) -> None:
    """Run a `program` (file, folder or zip), a `module` or `code`; returns when it does.

    sys.path[0] is taken to be that of whatever started us, and is replaced. `ready` is called with the
    code object just before it runs. What the program raises comes out, SystemExit included.
    """
    if agent is not None:
        agent.prepare()

    def begin(code: CodeType) -> None:
        _give_back(agent)
        ready(code)

    start = {"program": _program, "module": _module, "code": _code}[kind]
    try:
        start(value, args, begin)
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
    """Return the traceback without what led to `run`, and without our frames behind it."""
    at = traceback
    while at is not None:
        if at.tb_frame.f_code is run.__code__:
            traceback = at
            break
        at = at.tb_next
    while traceback is not None and _is_ours(traceback.tb_frame.f_code):
        traceback = traceback.tb_next
    at = traceback
    while at is not None:
        while at.tb_next is not None and _is_ours(at.tb_next.tb_frame.f_code):
            at.tb_next = at.tb_next.tb_next
        at = at.tb_next
    return traceback


def _is_ours(code: CodeType) -> bool:
    return code.co_filename.startswith(_OURS)


def _hide_ourselves() -> None:
    """Take our frames off the traceback that the interpreter is about to print."""
    missing = object()
    programs: Any = getattr(sys, "excepthook", missing)  # a program may delete it

    def hook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> Any:
        error.__traceback__ = sys.last_traceback = strip(traceback)
        if programs is missing:
            del sys.excepthook
            _write_error("sys.excepthook is missing\n")
            return sys.__excepthook__(kind, error, error.__traceback__)
        sys.excepthook = programs
        try:
            return programs(kind, error, error.__traceback__)
        except SystemExit:
            raise
        except BaseException as failure:
            # What CPython does, which would show this frame among the program's (Python/pythonrun.c).
            failure.__traceback__ = strip(failure.__traceback__)
            _write_error("Error in sys.excepthook:\n")
            sys.__excepthook__(type(failure), failure, failure.__traceback__)
            _write_error("\nOriginal exception was:\n")
            failure.__context__ = None
        return sys.__excepthook__(kind, error, error.__traceback__)

    sys.excepthook = hook


def _write_error(text: str) -> None:
    """Write as PySys_WriteStderr does: where there is no sys.stderr, to the descriptor."""
    if sys.stderr is not None:
        sys.stderr.write(text)
    else:
        os.write(2, text.encode())


# --- the three kinds


def _program(path: str, args: list[str], ready: Ready) -> None:
    sys.argv[:] = [path, *args]
    # As Python does: absolute, but not normalised.
    full = path if os.path.isabs(path) else os.path.join(os.getcwd(), path)
    if _is_importable(full):
        if sys.flags.safe_path:
            sys.path.insert(0, full)  # this one Python puts there whatever the options say
        _set_path_0(full)
        _run_module("__main__", "_get_main_module_details", ready, alter_argv=False)
        return
    _set_path_0(os.path.dirname(os.path.realpath(path)))
    if path.endswith(".pyc"):
        sourceless = importers.SourcelessFileLoader("__main__", full)
        bytecode = sourceless.get_code("__main__")
        assert bytecode is not None
        main = _new_main(file=full, loader=sourceless)
        ready(bytecode)
        exec(bytecode, main.__dict__)
        return
    try:
        with io.open_code(full) as file:
            source = file.read()
    except OSError as error:
        reason = f"can't open file {full!r}: [Errno {error.errno}] {error.strerror}"
        sys.stderr.write(f"{sys.executable}: {reason}\n")
        raise SystemExit(2) from None
    main = _new_main(file=full, loader=importers.SourceFileLoader("__main__", full))
    code = compile(source, full, "exec", dont_inherit=True)
    ready(code)
    exec(code, main.__dict__)


def _module(name: str, args: list[str], ready: Ready) -> None:
    sys.argv[:] = ["-m", *args]
    _set_path_0(os.getcwd())
    _run_module(name, "_get_module_details", ready, alter_argv=True)


def _run_module(name: str, finder: str, ready: Ready, *, alter_argv: bool) -> None:
    """Let `runpy` do it, by the very function that CPython's main program calls for -m, folders and zips.

    What it runs is learnt from the one function in it that finds the code.
    """
    import runpy

    find = getattr(runpy, finder)

    def found(*args: Any) -> Any:
        setattr(runpy, finder, find)
        details = find(*args)
        ready(details[2])
        return details

    setattr(runpy, finder, found)
    _new_main(loader=_builtin_importer())
    runpy._run_module_as_main(name, alter_argv)  # type: ignore[attr-defined]


def _code(text: str, args: list[str], ready: Ready) -> None:
    sys.argv[:] = ["-c", *args]
    _set_path_0("")
    if sys.version_info >= (3, 14):
        from textwrap import dedent  # since 3.14 Python takes the common indentation off

        text = dedent(text)
    if sys.version_info >= (3, 13):
        # Since 3.13 tracebacks show the lines of such code.
        import linecache

        linecache.cache["<string>"] = (len(text), None, text.splitlines(keepends=True), "<string>")
    main = _new_main(loader=_builtin_importer())
    code = compile(text + "\n", "<string>", "exec", dont_inherit=True)
    ready(code)
    exec(code, main.__dict__)


# --- what they share


def _is_importable(path: str) -> bool:
    """Say whether modules can be in `path`: a folder or a zip, no plain file."""
    for hook in sys.path_hooks:
        try:
            hook(path)
        except ImportError:
            continue
        return True
    return False


def _builtin_importer() -> Any:
    return sys.meta_path[0] if sys.meta_path else None


def _set_path_0(entry: str) -> None:
    if not sys.flags.safe_path:
        sys.path[0:1] = [entry]


def _give_back(agent: Agent | None) -> None:
    """Forget the modules that we have imported and the program has its own of, in its folder.

    With a json.py beside it `import json` means that file, as it does without us. What we hold stays ours.
    """
    if sys.flags.safe_path or not sys.path:
        return
    try:
        beside = {name.partition(".")[0] for name in os.listdir(sys.path[0] or ".")}
    except OSError:
        return  # a zip; or no folder at all
    taken = [name for name in beside if _is_replaceable(sys.modules.get(name), name)]
    if not taken:
        return
    if agent is not None:
        # Now, while `import json` in a module of ours still means the standard library's.
        agent.load()
        agent.inspector.warm_up()
    for name in taken:
        for loaded in list(sys.modules):
            if loaded == name or loaded.startswith(name + "."):
                del sys.modules[loaded]


def _is_replaceable(module: types.ModuleType | None, name: str) -> bool:
    """Say whether a file may stand in for this standard module: not for a built-in or frozen one."""
    if module is None or name not in sys.stdlib_module_names or name == "encodings":
        return False
    origin = getattr(getattr(module, "__spec__", None), "origin", None)
    return origin not in (None, "built-in", "frozen")


def _new_main(*, file: str | None = None, loader: Any = None) -> types.ModuleType:
    """Make the `__main__` of the program, with the names Python gives it, and install it."""
    main = types.ModuleType("__main__")
    names = main.__dict__
    names["__builtins__"] = builtins
    names["__loader__"] = loader
    if sys.version_info < (3, 14):
        names["__annotations__"] = {}
    if file is not None:
        names["__file__"] = file
        if sys.version_info < (3, 15):
            names["__cached__"] = None
    sys.modules["__main__"] = main
    return main
