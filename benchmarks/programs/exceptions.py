from clock import report


def check(i):
    if i < 0:
        return 0  # @cold
    raise KeyError(i)


def loop(n):
    caught = 0
    for i in range(n):
        try:
            check(i)
        except KeyError:
            caught += 1
    return caught


def elsewhere():
    return 1  # @elsewhere


elsewhere()
report(lambda: loop(25_000))
