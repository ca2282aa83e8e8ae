from clock import report


def loop(n):
    total = 0
    for i in range(n):
        if i < 0:
            total = 0  # @cold
        for j in (1, 2, 3):
            total += i * j
    while n:
        n -= 1
        total ^= n
    return total


def elsewhere():
    return 1  # @elsewhere


elsewhere()
report(lambda: loop(60_000))
