"""Four children, each of which runs one line of the program: `children.py WAY`.

WAY is spawn, fork, forkserver (pools of multiprocessing) or popen. Tells the seconds from the start of the
first child to the end of the last.
"""

import multiprocessing
import subprocess
import sys
import time

import clock

CHILDREN = 4


def work(number: int) -> int:
    time.sleep(0.01)  # so that no child takes another's share
    return number + 1  # @hit


def run(way: str) -> None:
    if way == "popen":
        command = [sys.executable, __file__, "child"]
        children = [subprocess.Popen(command) for _ in range(CHILDREN)]
        for child in children:
            child.wait()
        return
    with multiprocessing.get_context(way).Pool(CHILDREN) as pool:
        pool.map(work, range(CHILDREN), chunksize=1)
        pool.close()
        pool.join()


if __name__ == "__main__":
    if sys.argv[1] == "child":
        work(1)
    else:
        began = time.perf_counter()  # @ready
        run(sys.argv[1])
        clock.tell(time.perf_counter() - began)
