"""Jumps within a line: CPython never reports those places, so no tool can switch its line event off."""

from clock import report


def fib(n):
    if n < 0:
        return 0  # @cold
    return n if n < 2 else fib(n - 1) + fib(n - 2)


report(lambda: fib(20))
