from clock import report


def fib(n):
    if n < 0:
        return 0  # @cold
    if n < 2:
        return n
    return fib(n - 1) + fib(n - 2)


def elsewhere():
    return 1  # @elsewhere


elsewhere()
report(lambda: fib(20))
