import os
import time

from clock import tell

HITS = int(os.environ.get("BENCH_N", "20000"))


def loop(n):
    total = 0
    for i in range(n):
        total += i  # @hot
    return total


began = time.perf_counter()
loop(HITS)
tell(time.perf_counter() - began)
