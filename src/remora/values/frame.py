"""A frame on display: the groups of names it has."""

from __future__ import annotations

from remora.values.attributes import of_namespace
from remora.values.child import Child, Named, Section, is_special, ready
from remora.values.names import Names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from remora.engine import StackEntry


class Frame:
    """A frame on display."""

    __slots__ = ("_names", "entry", "extra", "returned", "scope_handles")

    def __init__(self, entry: StackEntry, extra: dict[str, object], returned: str) -> None:
        self.entry = entry
        self._names: Names | None = None
        self.extra = extra
        self.returned = returned
        self.scope_handles: dict[str, int] = {}

    @property
    def names(self) -> Names:
        """Made when asked for, on the frame's thread: its namespace may be a mapping of the program."""
        if self._names is None:
            self._names = Names(self.entry.frame)
        return self._names

    def local_children(self) -> Named:
        names = self.names
        if names.is_module and not names.hidden:
            named = of_namespace(names.globals, expression_of, names.globals.__setitem__)
            named.sections[:0] = self._exception()
            return named
        own = names.local_names()
        plain = [name for name in own if not is_special(name) and not name.startswith(".")]
        special = [name for name in own if is_special(name) or name.startswith(".")]
        return Named(Section(plain, self._local), *self._exception(), Section(special, self._local))

    def free_children(self) -> Named:
        return Named(Section(self.names.free_names(), self._local))

    def global_children(self) -> Named:
        namespace = self.names.globals
        return of_namespace(namespace, self._global_expression, namespace.__setitem__)

    def returned_value(self) -> Named:
        child = Child(
            f"{self.returned}()",
            self.extra["__return__"],
            expression="__return__",
            refusal="the function has returned already",
        )
        return Named(ready([child]))

    def _exception(self) -> list[Section]:
        error = self.extra.get("__exception__")
        if error is None:
            return []
        child = Child("__exception__", error, expression="__exception__", refusal="it was raised already")
        return [ready([child])]

    def _local(self, name: str) -> Child:
        names = self.names
        return Child(
            name,
            names.read(name),
            expression=expression_of(name),
            setter=lambda value: names.bind(name, value),
        )

    def _global_expression(self, name: str) -> str | None:
        if name in self.extra or self.names.knows(name):
            return f"globals()[{name!r}]"  # hidden by a local of the same name
        return expression_of(name)


def expression_of(name: str) -> str | None:
    """A variable's name as an expression; None for names made by the compiler or by hand."""
    return name if name.isidentifier() else None
