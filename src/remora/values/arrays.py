"""numpy arrays and pandas tables, if the program has imported them; never imported here.

A library's type is recognised by identity with what the loaded module holds. What these libraries run is
their own code, except for arrays of objects.
"""

from __future__ import annotations

import sys

from remora.values.child import Child, Group, Named, Section, attribute, ready
from remora.values.static import instance_dict, module_name, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def knows(cls: type) -> bool:
    return kind_of(cls) is not None


def kind_of(cls: type) -> str | None:
    """array, scalar, frame, series or index; None for everything else, subclasses included."""
    package = module_name(cls).partition(".")[0]
    if package == "numpy":
        numpy = sys.modules.get("numpy")
        if numpy is None:
            return None
        if cls is getattr(numpy, "ndarray", None):
            return "array"
        return "scalar" if cls is (instance_dict(numpy) or {}).get(type_name(cls)) else None
    if package == "pandas":
        pandas = sys.modules.get("pandas")
        own = (instance_dict(pandas) or {}) if pandas is not None else {}
        for name, kind in (("DataFrame", "frame"), ("Series", "series")):
            if cls is own.get(name):
                return kind
        index = own.get("Index")
        if type(index) is type and issubclass(cls, index):
            return "index"
    return None


def text(obj: Any, *, brief: bool, run_user_code: bool) -> str | None:
    """One line for lists of variables when `brief`, else what the library prints; None: use repr."""
    kind = kind_of(type(obj))
    if kind == "array":
        # Elements that are objects of the program have a __repr__ of their own.
        if obj.dtype.hasobject and not run_user_code:
            return f"<ndarray shape={obj.shape} dtype={obj.dtype}>"
        if obj.dtype.hasobject:
            return None
        return " ".join(repr(obj).split()) if brief else repr(obj)
    if kind == "scalar":
        return repr(obj)
    if not brief and run_user_code:
        return None
    if kind == "frame":
        rows, columns = obj.shape
        shown = ", ".join(
            f"{name}: {dtype}" for name, dtype in zip(obj.columns[:8], obj.dtypes.iloc[:8], strict=False)
        )
        return f"DataFrame {rows} rows × {columns} columns [{shown}{', …' if columns > 8 else ''}]"
    if kind == "series":
        name = f" named {obj.name!r}" if isinstance(obj.name, str) else ""
        return f"Series of {len(obj)} {obj.dtype}{name}"
    return f"{type_name(type(obj))} of {len(obj)} {obj.dtype}" if kind == "index" else None


def plain(value: Any) -> Any:
    """A scalar of numpy as Python's own, for names."""
    return value.item() if kind_of(type(value)) == "scalar" and hasattr(value, "item") else value


def named(obj: Any, expression: str | None) -> Named | None:
    """shape, dtype and the like; of a table also its columns."""
    kind = kind_of(type(obj))
    if kind in (None, "scalar"):
        return None
    wanted = {
        "array": ("shape", "dtype", "size", "nbytes", "T", "base"),
        "frame": ("shape", "dtypes", "index"),
        "series": ("shape", "dtype", "name", "index"),
        "index": ("shape", "dtype", "name"),
    }[kind or "array"]

    def make(name: str) -> Child:
        settable = name in ("index", "shape", "name")
        return Child(
            name,
            getattr(obj, name),
            expression=attribute(expression, name, type(obj)),
            setter=(lambda value: setattr(obj, name, value)) if settable else None,
        )

    sections = [Section([name for name in wanted if name != "T" or obj.ndim > 1], make)]
    if kind == "frame":
        columns = Section(range(obj.shape[1]), lambda index: _column(obj, expression, index))
        sections.append(ready([Child("columns", Group(Named(columns)), kind="virtual")]))
    return Named(*sections)


def _column(table: Any, expression: str | None, index: int) -> Child:
    label = table.columns[index]
    return Child(
        str(label),
        table.iloc[:, index],
        expression=f"{expression}.iloc[:, {index}]" if expression else None,
        refusal="columns are set with an expression",
    )
