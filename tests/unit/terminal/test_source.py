from remora.terminal.source import SourceFile, read_source

TEXT = '''\
"""Module."""
import os
\f
@decorated
def first(a, /, b=1, *rest, c, **more):
    """Doc."""
    x = 1

    def inner(q):
        return q
    return inner

class Order:
    @property
    def total(self): return 5

    async def pay(self):
        """Only a docstring."""
'''


def test_blocks() -> None:
    file = SourceFile(TEXT)
    assert file.block_around(2)[:3] == ("", 1, len(file.lines))
    first = file.block_around(7)
    assert first[:3] == ("first", 4, 11)
    assert first.arguments == ("a", "b", "rest", "c", "more")
    assert file.block_around(10).name == "first.inner"
    assert file.block_around(15).name == "Order.total"


def test_the_first_line_of_a_body() -> None:
    file = SourceFile(TEXT)
    assert file.find("first") == 7
    assert file.find("Order.total") == 15
    assert file.find("Order.pay") == 18
    assert file.find("total") is None
    assert file.names() == ["first", "first.inner", "Order.total", "Order.pay"]


def test_lines_are_counted_as_python_counts_them() -> None:
    file = SourceFile("a = 1\n\x0c\nb = 2\u2028\nc = 3")
    assert [file.line(number) for number in (0, 1, 3, 4, 5)] == ["", "a = 1", "b = 2\u2028", "c = 3", ""]


def test_a_syntax_error_leaves_the_lines() -> None:
    file = SourceFile("def f(:\n    x\n")
    assert file.line(2) == "    x"
    assert file.block_around(1).name == ""
    assert file.find("f") is None


def test_colored_lines_stay_lines() -> None:
    file = SourceFile('x = """a\n\x0c\nb"""\ny = 1')
    assert "a" in file.shown(1, color=True)
    assert file.shown(4, color=False) == "y = 1"
    assert file.shown(4, color=True).count("\n") == 0


def test_the_declared_encoding_is_kept(tmp_path) -> None:
    path = tmp_path / "x.py"
    path.write_bytes("# -*- coding: latin-1 -*-\r\nä = 1\r\n".encode("latin-1"))
    assert read_source(str(path)) == "# -*- coding: latin-1 -*-\nä = 1\n"
    assert read_source(str(tmp_path / "no.py")) is None
    path.write_bytes(b"\xff\xfe\x00")
    assert read_source(str(path)) is None
