import sys

big = list(range(1_000_000))


def down(n):
    if n == 0:
        a = 1  # @deep
        a += 1
        a += 2
        a += 3
        a += 4
        a += 5
        a += 6
        a += 7
        return a
    return down(n - 1)


sys.setrecursionlimit(20_000)
down(5_000)
