"""Where a wish for a line without code goes, and what is said about it."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from remora.engine import BreakpointState, Wish


def test_lines_without_code_move_forward_in_the_same_function(debug: Any) -> None:
    program = debug.program('''
        import os

        def f(a):
            """Doc."""  # @doc

            # comment @comment
            x = 1  # @x
            if a:
                y = 2
            else:  # @else
                y = 3  # @y

            return y  # @return
            # the end @end

        def g():
            return 5  # @g

        value = f(1)  # @last
        # after all @after
    ''')
    source = program.source.splitlines()
    lines = {name: program.lines[name] for name in program.lines}
    lines["comment"] = next(i for i, s in enumerate(source, 1) if "@comment" in s)
    lines["end"] = next(i for i, s in enumerate(source, 1) if "@end" in s)
    lines["after"] = next(i for i, s in enumerate(source, 1) if "@after" in s)
    wanted = {
        lines["doc"]: lines["x"],
        lines["comment"]: lines["x"],
        lines["else"]: lines["y"],
        lines["y"] + 1: lines["return"],  # a blank line
        lines["end"]: lines["return"],  # a comment that is still in f, by its indentation
        lines["after"]: lines["last"],
        1000: lines["last"],
    }
    points = program.breakpoints(*wanted)
    assert [point.line for point in points] == list(wanted.values())
    assert all(point.state is BreakpointState.VERIFIED for point in points)
    for point in points:
        assert point.message and str(point.wish.line) in point.message and str(point.line) in point.message
    [exact] = program.breakpoints("x")
    assert exact.message is None


def test_moved_breakpoint_stops_where_it_says(debug: Any) -> None:
    program = debug.program("""
        def f():
            # nothing here @gap

            return 1  # @here
        f()
    """)
    [point] = program.breakpoints(3)
    assert point.line == program.line("here")
    program.start()
    debug.stop_at("here")
    debug.engine.resume()
    program.finish()


def test_a_wish_never_moves_into_another_function(debug: Any) -> None:
    program = debug.program("""
        def f():
            x = 1
            return x
            # trailing

        def g():
            y = 2
            return y
    """)
    [comment, blank] = program.breakpoints(4, 5)
    assert comment.line == 3, "it is indented as f is: the last line of f is the nearest"
    assert blank.line == 6, "the def line of g belongs to the module, not to g"


def test_multi_line_statement(debug: Any) -> None:
    program = debug.program("""
        def f():
            x = dict(  # @start
                a=1,
                b=len("x"),  # @b

            )  # @close
            return x  # @return
    """)
    [start, inner, close] = program.breakpoints("start", "b", "close")
    assert start.line == program.line("start")
    assert inner.line == program.line("b")
    assert close.line == program.line("return")


def test_no_such_file_is_pending_until_code_of_it_runs(debug: Any) -> None:
    path = str(debug.folder / "later.py")
    [point] = debug.engine.set_breakpoints(path, [Wish(2)])
    assert point.state is BreakpointState.PENDING
    assert point.message
    program = debug.program("exec(compile('a = 1\\nb = 2\\nc = 3\\n', path, 'exec'))\n")
    program.namespace["path"] = path
    program.start()
    stop = debug.stopped()
    assert debug.engine.stack(stop.thread_id)[0][0].line == 2
    assert debug.recorder.changes == [(point.id, "verified", 2, None)]
    debug.engine.resume()
    program.finish()


def test_pending_without_code_says_why(debug: Any) -> None:
    broken = debug.program("x = 1\n")
    broken.path.write_text("def f(:\n    pass\n")
    [point] = debug.engine.set_breakpoints(str(broken.path), [Wish(2)])
    assert point.state is BreakpointState.PENDING
    assert "line 1" in point.message


def test_string_filename(debug: Any) -> None:
    [point] = debug.engine.set_breakpoints("<generated 7>", [Wish(1)])
    assert point.state is BreakpointState.PENDING
    program = debug.program("exec(compile('a = 1', '<generated 7>', 'exec'))\n")
    program.start()
    assert debug.stopped().breakpoint_ids == (point.id,)
    debug.engine.resume()
    program.finish()


def test_zip_import(debug: Any) -> None:
    archive = debug.folder / "lib.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("remora_zipped.py", "def f():\n\n    return 1\n")
    path = str(archive / "remora_zipped.py")
    program = debug.program("""
        import sys
        sys.path.insert(0, archive)
        import remora_zipped
        remora_zipped.f()
        sys.path.remove(archive)
        del sys.modules["remora_zipped"]
    """)
    program.namespace["archive"] = str(archive)
    [point] = debug.engine.set_breakpoints(path, [Wish(2)])
    program.start()
    stop = debug.stopped()
    assert stop.breakpoint_ids == (point.id,)
    assert point.state is BreakpointState.VERIFIED
    assert point.line == 3
    debug.engine.resume()
    program.finish()


def test_frozen_module(debug: Any) -> None:
    import os

    frozen = os.path.splitext(os.__file__)[0] + ".py"
    source = Path(frozen).read_text(encoding="utf-8").splitlines()
    line = next(i for i, text in enumerate(source, 1) if text.startswith("def get_exec_path"))
    [point] = debug.engine.set_breakpoints(frozen, [Wish(line + 1)])
    assert point.state is BreakpointState.VERIFIED
    program = debug.program("import os\nos.get_exec_path()\n")
    program.start()
    stop = debug.stopped()
    entry = debug.engine.stack(stop.thread_id)[0][0]
    assert entry.frame.f_code.co_name == "get_exec_path"
    assert not entry.user_code
    debug.engine.resume()
    program.finish()


def test_file_edited_before_it_runs(debug: Any) -> None:
    program = debug.program("a = 1\nb = 2\n")
    [point] = program.breakpoints(2)
    edited = "\n\n\na = 1\nb = 2  # @b\n"
    program.path.write_text(edited)
    program.source = edited
    program.lines = {"b": 5}
    program.start()
    stop = debug.stopped()
    assert debug.engine.stack(stop.thread_id)[0][0].line == 4
    assert point.line == 4
    debug.engine.resume()
    program.finish()


def test_empty_file_and_line_zero(debug: Any) -> None:
    program = debug.program("x = 1\n")
    [zero] = program.breakpoints(0)
    assert zero.line == 1
    comment = debug.program("# only a comment\n", "comment.py")
    [point] = comment.breakpoints(1)
    assert point.state in (BreakpointState.VERIFIED, BreakpointState.FAILED)


def test_live_functions_are_used_when_there_is_no_pyc(debug: Any) -> None:
    """An imported module whose source is gone: its functions tell their lines."""
    import sys
    import types

    program = debug.program("""
        class C:
            @staticmethod
            def s():

                return 1  # @s

        def f():
            return C.s()  # @f
    """)
    module = types.ModuleType("remora_live_snippet")
    module.__file__ = str(program.path)
    sys.modules[module.__name__] = module
    program.namespace = module.__dict__
    try:
        program.load()
        program.path.unlink()
        [s, f] = program.breakpoints(program.line("s") - 1, "f")
        assert (s.line, f.line) == (program.line("s"), program.line("f"))
        program.start("f()")
        debug.stop_at("f")
        debug.engine.resume()
        debug.stop_at("s")
        debug.engine.resume()
        program.finish()
    finally:
        del sys.modules[module.__name__]


def test_code_in_the_head_of_a_definition_does_not_hide_its_body(debug: Any) -> None:
    program = debug.program("""
        def decorated(*a):
            return lambda f: f

        @decorated(lambda: 1,
                   lambda: 2)
        def f(
            x=1,
            key=lambda x: x,  # @lambda
        ):
            y = 1  # @f
            return key(y)

        class K(*(object for _ in range(1)),
                metaclass=(lambda *a: type(*a))):
            a = 1  # @class

        def g[T: (int,
                  str), U: (int, str)](x: T) -> T:
            return x  # @generic

        f()
        g(1)
    """)
    made = program.breakpoints("lambda", "f", "class", "generic")
    assert [(item.line, item.message) for item in made] == [
        (program.line(name), None) for name in ("lambda", "f", "class", "generic")
    ]
    program.start()
    seen: set[str] = set()
    while seen != {"lambda", "f", "class", "generic"}:
        seen.add(debug.at(debug.stopped()))
        debug.engine.resume()
    debug.engine.set_breakpoints(str(program.path), [])
    program.finish()
