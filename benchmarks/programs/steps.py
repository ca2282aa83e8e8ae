import os
import time

from clock import tell


def burn(n):
    total = 0
    for i in range(n):
        total += leaf(i)
    return total


def leaf(i):
    return i & 3


def timed(n):
    began = time.perf_counter()
    burn(n)
    return time.perf_counter() - began


def inside(n):
    began = time.perf_counter()  # @inside
    total = 0
    for i in range(n):
        total += i & 3
    return time.perf_counter() - began


N = int(os.environ.get("BENCH_N", "400000"))
over = timed(N)  # @over
out = inside(N)  # @out
tell({"over": over, "out": out})  # @end
