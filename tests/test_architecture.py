"""The layers of docs/design: imports run one way, and the debuggee gets nothing heavy.

Reads every import of src/remora with `ast`, those inside functions and under TYPE_CHECKING too: an arrow that
runs back is wrong wherever it hides. The same rules are tried on made-up sources, so that a test which finds
nothing is known to be able to.
"""

from __future__ import annotations

import ast
import functools
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "remora"

# The table: a layer and those it may import. "facade" is remora/__init__.py and the modules beside it.
MAY_IMPORT: dict[str, set[str]] = {
    "dap": set(),
    "engine": set(),
    "values": {"engine"},
    "agent": {"dap", "engine", "values"},
    "inject": {"dap"},
    "hub": {"dap", "inject"},
    "client": {"dap"},
    "terminal": {"client"},
    "facade": {"agent", "dap"},
    "cli": {"hub", "inject", "client", "terminal", "facade"},
    "integrations": {"facade", "client", "hub"},
    "main": {"cli", "facade"},
}
# These run inside somebody else's program.
IN_DEBUGGEE = {"dap", "engine", "values", "agent"}
# Each costs the debuggee many modules; `typing` is free only where it is not imported.
BANNED_IN_DEBUGGEE = {"asyncio", "logging", "dataclasses", "inspect", "typing"}
# Of every Python we support, whichever runs the tests.
STANDARD_LIBRARY = sys.stdlib_module_names | {"_interpreters"}
# Where libraries may be imported; the extras of pyproject.toml name them.
MAY_USE_LIBRARIES = {"terminal", "integrations"}

# Arrows that break the table, each with its reason. "importer module -> imported module".
EXCEPTIONS: dict[tuple[str, str], str] = {
    (
        "remora.inject.inside",
        "remora.agent.arrival",
    ): "it is run by the process that is attached to, which becomes the debuggee",
    ("remora.cli.debuggee", "remora.agent.join"): "this process becomes the debuggee",
    (
        "remora.cli.debuggee",
        "remora.agent.run",
    ): "and this is its main program; the API has no need of that",
}


class Import(NamedTuple):
    importer: str
    target: str  # dotted name of a module, as far as the source tells
    line: int
    for_types_only: bool
    in_function: bool

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.target}"


class Source(NamedTuple):
    module: str
    is_package: bool
    tree: ast.Module


@functools.cache
def sources() -> list[Source]:
    return [read(path) for path in sorted(SOURCE.rglob("*.py"))]


def read(path: Path) -> Source:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    module = ".".join(parts[:-1] if is_package else parts)
    return Source(module, is_package, ast.parse(path.read_text(), str(path)))


def made_up(module: str, text: str) -> Source:
    return Source(module, False, ast.parse(text))


def layer_of(module: str) -> str:
    parts = module.split(".")
    if parts == ["remora", "__main__"]:
        return "main"
    if len(parts) > 1 and parts[1] in MAY_IMPORT:
        return parts[1]
    return "facade"


def imports_of(source: Source, modules: set[str]) -> Iterator[Import]:
    """Yield what `source` imports; `modules` are the names known to be modules of ours."""
    yield from walk(source, source.tree, modules, for_types_only=False, in_function=False)


def walk(
    source: Source, node: ast.AST, modules: set[str], *, for_types_only: bool, in_function: bool
) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        for target in targets(source, child, modules):
            yield Import(source.module, target, child.lineno, for_types_only, in_function)  # type: ignore[attr-defined]
        if isinstance(child, ast.If) and is_type_checking(child.test):
            for statement in child.body:
                wrapped = ast.Module([statement], [])
                yield from walk(source, wrapped, modules, for_types_only=True, in_function=in_function)
            for statement in child.orelse:
                wrapped = ast.Module([statement], [])
                yield from walk(source, wrapped, modules, for_types_only=False, in_function=in_function)
            continue
        inside = in_function or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from walk(source, child, modules, for_types_only=for_types_only, in_function=inside)


def targets(source: Source, node: ast.AST, modules: set[str]) -> Iterator[str]:
    match node:
        case ast.Import():
            for alias in node.names:
                yield alias.name
        case ast.ImportFrom():
            origin = node.module or ""
            if node.level:
                package = source.module.split(".") if source.is_package else source.module.split(".")[:-1]
                package = package[: len(package) - (node.level - 1)]
                origin = ".".join(package + ([node.module] if node.module else []))
            for alias in node.names:
                dotted = f"{origin}.{alias.name}"
                yield dotted if dotted in modules else origin
        case ast.Call(func=ast.Name(id="__import__"), args=[ast.Constant(value=str(name)), *_]):
            yield name
        case ast.Call(
            func=ast.Attribute(attr="import_module") | ast.Name(id="import_module"),
            args=[ast.Constant(value=str(name)), *_],
        ):
            yield name


def is_type_checking(test: ast.expr) -> bool:
    match test:
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return True
    return False


def known_modules(of: list[Source]) -> set[str]:
    return {source.module for source in of}


def wrong_arrows(of: list[Source]) -> list[str]:
    modules = known_modules(of)
    wrong = []
    for source in of:
        layer = layer_of(source.module)
        for found in imports_of(source, modules):
            if found.target.split(".")[0] != "remora" or (found.importer, found.target) in EXCEPTIONS:
                continue
            to = layer_of(found.target)
            if to != layer and to not in MAY_IMPORT[layer]:
                wrong.append(f"{found}: {layer} may not import {to}")
    return wrong


def cycles(of: list[Source]) -> list[str]:
    """Find cycles among the imports that run when a module is loaded."""
    modules = known_modules(of)
    graph: dict[str, set[str]] = {module: set() for module in modules}
    for source in of:
        for found in imports_of(source, modules):
            runs_at_load = not (found.for_types_only or found.in_function)
            if runs_at_load and found.target in modules and found.target != source.module:
                graph[source.module].add(found.target)
    done: set[str] = set()
    found_cycles: list[str] = []

    def visit(module: str, trail: list[str]) -> None:
        if module in trail:
            found_cycles.append(" -> ".join([*trail[trail.index(module) :], module]))
        elif module not in done:
            for target in sorted(graph[module]):
                visit(target, [*trail, module])
            done.add(module)

    for module in sorted(graph):
        visit(module, [])
    return found_cycles


def foreign_imports(of: list[Source]) -> list[str]:
    """Find imports of libraries where there may be none."""
    wrong = []
    for source in of:
        layer = layer_of(source.module)
        for found in imports_of(source, known_modules(of)):
            name = found.target.split(".")[0]
            if name in STANDARD_LIBRARY or name in ("remora", "") or layer in MAY_USE_LIBRARIES:
                continue
            wrong.append(f"{found}: {layer} uses the standard library only")
    return wrong


def undeclared_libraries(of: list[Source]) -> list[str]:
    """Find libraries that no extra of pyproject.toml brings."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    declared = {
        requirement.split(">")[0].split("=")[0].split("[")[0].strip().replace("-", "_").lower()
        for requirements in extras.values()
        for requirement in requirements
    }
    return [
        f"{found}: no extra of pyproject.toml names it"
        for source in of
        for found in imports_of(source, known_modules(of))
        if (name := found.target.split(".")[0]) not in STANDARD_LIBRARY
        and name not in ("remora", "")
        and name.lower() not in declared
    ]


def heavy_imports(of: list[Source]) -> list[str]:
    return [
        f"{found}: too heavy for the debuggee"
        for source in of
        if layer_of(source.module) in IN_DEBUGGEE
        for found in imports_of(source, known_modules(of))
        if found.target.split(".")[0] in BANNED_IN_DEBUGGEE and not found.for_types_only
    ]


def monitoring_uses(of: list[Source]) -> list[str]:
    """Find `sys.monitoring`, by any name, outside the one module that owns the tool id."""
    wrong = []
    for source in of:
        if source.module == "remora.engine.monitoring":
            continue
        names = {"sys"} | {
            alias.asname or alias.name
            for node in ast.walk(source.tree)
            if isinstance(node, ast.Import)
            for alias in node.names
            if alias.name == "sys"
        }
        for node in ast.walk(source.tree):
            match node:
                case ast.Attribute(attr="monitoring", value=ast.Name(id=owner)) if owner in names:
                    wrong.append(f"{source.module}:{node.lineno}")
                case ast.ImportFrom(module="sys") if any(alias.name == "monitoring" for alias in node.names):
                    wrong.append(f"{source.module}:{node.lineno}")
                case ast.Call(
                    func=ast.Name(id="getattr"),
                    args=[ast.Name(id=owner), ast.Constant(value="monitoring"), *_],
                ) if owner in names:
                    wrong.append(f"{source.module}:{node.lineno}")
    return wrong


RULES = [wrong_arrows, cycles, foreign_imports, undeclared_libraries, heavy_imports, monitoring_uses]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_source_keeps_the_rule(rule) -> None:
    assert rule(sources()) == []


def test_every_package_is_in_the_table() -> None:
    packages = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    assert packages <= MAY_IMPORT.keys()


@pytest.mark.parametrize(
    ("rule", "module", "text"),
    [
        (wrong_arrows, "remora.engine.x", "import remora.values.y"),
        (wrong_arrows, "remora.engine.x", "from remora import agent"),
        (wrong_arrows, "remora.engine.x", "from ..agent import session"),
        (wrong_arrows, "remora.dap.x", "def f():\n    from remora.hub import ports"),
        (wrong_arrows, "remora.hub.x", "if TYPE_CHECKING:\n    from remora.agent import session"),
        (wrong_arrows, "remora.client.x", "import importlib\nimportlib.import_module('remora.hub.x')"),
        (wrong_arrows, "remora.values.x", "from remora import listen"),
        (foreign_imports, "remora.agent.x", "import numpy"),
        (foreign_imports, "remora.hub.x", "def f():\n    import psutil"),
        (undeclared_libraries, "remora.terminal.x", "import rich"),
        (heavy_imports, "remora.engine.x", "from dataclasses import dataclass"),
        (heavy_imports, "remora.values.x", "def f():\n    import asyncio.tasks"),
        (heavy_imports, "remora.dap.x", "from typing import Any"),
        (heavy_imports, "remora.dap.x", "if TYPE_CHECKING:\n    pass\nelse:\n    import typing"),
        (monitoring_uses, "remora.agent.x", "import sys\nsys.monitoring.get_tool(0)"),
        (monitoring_uses, "remora.engine.x", "import sys as s\ns.monitoring"),
        (monitoring_uses, "remora.engine.x", "from sys import monitoring"),
        (monitoring_uses, "remora.engine.x", "import sys\ngetattr(sys, 'monitoring')"),
    ],
)
def test_rule_sees_what_it_forbids(rule, module: str, text: str) -> None:
    assert rule([*sources(), made_up(module, text)])


@pytest.mark.parametrize(
    ("rule", "module", "text"),
    [
        (wrong_arrows, "remora.agent.x", "from remora.engine import engine\nfrom remora import dap"),
        (wrong_arrows, "remora.cli.x", "from remora import listen"),
        (heavy_imports, "remora.dap.x", "if TYPE_CHECKING:\n    from typing import Any"),
        (foreign_imports, "remora.terminal.x", "def f():\n    import pygments"),
        (undeclared_libraries, "remora.terminal.x", "def f():\n    import prompt_toolkit.history"),
        (monitoring_uses, "remora.agent.x", "import sys\nengine.monitoring.attach()"),
    ],
)
def test_rule_lets_the_rest_pass(rule, module: str, text: str) -> None:
    before = rule(sources())
    assert rule([*sources(), made_up(module, text)]) == before


def test_cycle_is_seen() -> None:
    one = made_up("remora.engine.one", "from remora.engine import two")
    two = made_up("remora.engine.two", "from .one import thing")
    assert cycles([one, two]) == ["remora.engine.one -> remora.engine.two -> remora.engine.one"]
    lazily = made_up("remora.engine.two", "def f():\n    from .one import thing")
    assert cycles([one, lazily]) == []
