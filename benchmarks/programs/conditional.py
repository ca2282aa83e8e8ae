"""Jumps within a line: CPython reports no line event there, so returning DISABLE for it is not enough."""

from clock import report


def fib(n):
    if n < 0:
        return 0  # @cold
    return n if n < 2 else fib(n - 1) + fib(n - 2)


report(lambda: fib(20))
