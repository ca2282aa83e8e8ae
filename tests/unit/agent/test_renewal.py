"""A changed text taken over by functions that live: a module, its new text, and what is so then."""

from __future__ import annotations

import textwrap
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from remora.agent.renewal import Renewal, renew, summary


class Module:
    """A module made from a text, and renewed."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = str(path)
        self.text = textwrap.dedent(text).encode()
        self.names = types.ModuleType("subject")
        exec(compile(self.text, self.path, "exec", dont_inherit=True), self.names.__dict__)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.names, name)

    def renew(self, text: str, *, knows_old: bool = True) -> Renewal:
        old = self.text if knows_old else None
        self.text = textwrap.dedent(text).encode()
        return renew(self.path, old, self.text, [self.names.__dict__], self.path.__eq__)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Any]:
    yield lambda text: Module(tmp_path / "subject.py", text)


def test_whoever_holds_a_function_has_the_new_one(make: Any) -> None:
    module = make("def f():\n    return 1\nheld = [f]\n")
    function = module.f
    result = module.renew("def f():\n    return 2\nheld = [f]\n")
    assert module.held[0]() == 2 and module.f is function
    assert result.changed == ["f"] and result.added == [] and result.problems == []


def test_nothing_of_the_module_is_run_again(make: Any) -> None:
    module = make("count = []\ncount.append(1)\ndef f(): return 1\n")
    result = module.renew("count = []\ncount.append(1)\ncount.append(2)\ndef f(): return 2\n")
    assert module.count == [1] and module.f() == 2 and result.problems == []


def test_data_is_left_alone_and_that_is_said(make: Any) -> None:
    module = make("LIMIT = 1\nOTHER = 1\ndef f(): return LIMIT\n")
    result = module.renew("LIMIT = 2\nOTHER = 1\ndef f(): return LIMIT\n")
    assert module.f() == 1
    assert result.problems == ["left as it is: the data LIMIT"] and result.changed == []


def test_new_names(make: Any) -> None:
    module = make("def f(): return 1\n")
    result = module.renew(
        """\
        import os.path as p, json
        from math import pi
        LIMIT: int = 3
        class C:
            x = LIMIT
        def g(n=LIMIT): return n
        def f(): return g() + C.x
        """
    )
    assert module.f() == 6 and module.pi > 3 and module.p is not None
    assert result.added == ["p", "json", "pi", "LIMIT", "C", "g"] and result.changed == ["f"]


def test_a_new_name_that_fails_is_told_and_the_others_come(make: Any) -> None:
    module = make("def f(): return 1\n")
    result = module.renew("import no_such_module\ndef g(): return 2\ndef f(): return g()\n")
    assert module.f() == 2
    (problem,) = result.problems
    assert "subject.py:1" in problem and "no_such_module" in problem


def test_a_name_that_was_deleted_does_not_come_back(make: Any) -> None:
    module = make("once = print\ndel once\ndef f(): return 1\n")
    module.renew("once = print\ndel once\ndef f(): return 2\n")
    assert not hasattr(module.names, "once") and module.f() == 2


CLASS = """\
class Base:
    def hi(self): return "base"
class C(Base):
    def __init__(self): self.n = 1
    def get(self): return self.n
    @property
    def p(self): return self.n
    @p.setter
    def p(self, value): self.n = value
    @staticmethod
    def s(): return 1
    @classmethod
    def c(cls): return 1
    def hi(self): return "c"
"""


def test_methods_of_objects_that_exist(make: Any) -> None:
    module = make(CLASS)
    old = module.C()
    bound = old.get
    result = module.renew(
        CLASS.replace("def get(self): return self.n", "def get(self): return self.n + 10")
        .replace("self.n = value", "self.n = value * 2")
        .replace("def s(): return 1", "def s(): return 2")
        .replace("def c(cls): return 1", "def c(cls): return cls.__name__")
    )
    old.p = 4
    assert (bound(), old.p, old.s(), old.c()) == (18, 8, 2, "C")
    assert result.changed == ["C.get", "C.p", "C.s", "C.c"]


def test_new_methods(make: Any) -> None:
    module = make(CLASS)
    old = module.C()
    result = module.renew(
        CLASS
        + """\
    def up(self): return super().hi() + self.__private()
    def __private(self): return "!"
    @property
    def q(self): return super().hi()
    LIMIT = 3
"""
    )
    assert old.up() == "base!" and old.q == "base" and old.LIMIT == 3
    assert result.added == ["C.up", "C._C__private", "C.q", "C.LIMIT"]
    assert result.problems == [] and result.changed == []
    module.renew(CLASS + "    def up(self): return super().hi() + '?'\n")
    assert old.up() == "base?"


def test_a_method_that_begins_to_call_super(make: Any) -> None:
    module = make(CLASS)
    old = module.C()
    result = module.renew(CLASS.replace('return "c"', "return super().hi()"))
    assert old.hi() == "base" and result.problems == []
    module.renew(CLASS)
    assert old.hi() == "c"


CLOSURE = """\
def outer(n):
    k = 2
    def inner(x):
        return n + x
    return inner
held = outer(10)
"""


def test_closures_with_the_same_variables(make: Any) -> None:
    module = make(CLOSURE)
    result = module.renew(CLOSURE.replace("n + x", "n * x"))
    assert module.held(3) == 30 and module.outer(2)(3) == 6
    assert result.problems == []


def test_a_closure_with_other_variables_is_told(make: Any) -> None:
    module = make(CLOSURE)
    result = module.renew(CLOSURE.replace("n + x", "n * x * k"))
    assert module.held(3) == 13, "the old one goes on as it was"
    assert module.outer(2)(3) == 12, "a new one is new"
    assert any("outer.<locals>.inner" in problem for problem in result.problems)


def test_what_a_decorator_has_wrapped(make: Any) -> None:
    text = """\
    import functools
    def twice(f):
        @functools.wraps(f)
        def wrapper(*args): return 2 * f(*args)
        return wrapper
    @twice
    def f(): return 1
    """
    module = make(text)
    result = module.renew(text.replace("return 1", "return 5"))
    assert module.f() == 10 and result.changed == ["f"]


def test_lines_that_only_moved(make: Any) -> None:
    module = make("def f(): return 1\ndef g(): return 1\n")
    result = module.renew("# one\n# two\ndef f(): return 1\ndef g(): return 2\n")
    assert module.f.__code__.co_firstlineno == 3
    assert result.changed == ["g"]


def test_defaults(make: Any) -> None:
    module = make("def f(a, b=[], *, c=1): return b, c\ndef g(x=[]): return x\n")
    module.f(0)[0].append(1)
    module.g().append(1)
    result = module.renew("def f(a=0, b=[7], *, c=2): return b, c\ndef g(x=[]): return x, 2\n")
    assert module.f() == ([7], 2) and module.g() == ([1], 2), (
        "a default whose text is the same keeps its value"
    )
    assert result.problems == []
    result = module.renew("def f(a=nope): return a\ndef g(x=[]): return x\n")
    assert "nope" in result.problems[0]


def test_generators_and_coroutines_finish_as_they_began(make: Any) -> None:
    module = make("def f():\n    yield 1\n    yield 2\n")
    running = module.f()
    assert next(running) == 1
    module.renew("def f():\n    yield 10\n    yield 20\n")
    assert list(running) == [2] and list(module.f()) == [10, 20]


def test_several_of_one_name(make: Any) -> None:
    text = "fs = [lambda: 1, lambda: 2]\n"
    module = make(text)
    result = module.renew("fs = [lambda: 10, lambda: 20]\n")
    assert [f() for f in module.fs] == [10, 20]
    result = module.renew("fs = [lambda: 1, lambda: 2, lambda: 3]\n")
    assert [f() for f in module.fs] == [10, 20]
    assert any("<lambda>" in problem for problem in result.problems)


def test_a_mistake_in_the_text(make: Any) -> None:
    module = make("def f(): return 1\n")
    result = module.renew("def f(: return 2\n")
    assert module.f() == 1 and result.module is None
    assert "subject.py:1" in result.problems[0] and "nothing is taken over" in summary("subject.py", result)
    module.renew("def f(): return 3\n")
    assert module.f() == 3


def test_without_the_old_text(make: Any) -> None:
    module = make("def f(a=1): return a\n")
    module.renew("def f(a=1): return a + 1\n", knows_old=False)
    assert module.f() == 2


def test_annotations_of_the_future(make: Any) -> None:
    module = make("from __future__ import annotations\ndef f(): return 1\n")
    result = module.renew(
        "from __future__ import annotations\ndef g(x: Nope): return x\ndef f(): return g(2)\n"
    )
    assert module.f() == 2 and result.problems == []


def test_the_summary() -> None:
    result = Renewal()
    assert summary("/a/b.py", result) == "remora: b.py has changed\n"
    result.changed, result.added, result.problems = ["f", "g"], ["h"], ["x"]
    assert summary("/a/b.py", result) == "remora: b.py has changed, taken over: f, g; new: h\nremora: x\n"
