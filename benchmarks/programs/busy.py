import sys
import threading
import time


def spin():
    n = 0
    while True:
        n += 1


def waiting(gate):
    gate.acquire()


kind = sys.argv[1]
if kind == "busy":
    print("@@1", flush=True)
    spin()
elif kind == "blocked":
    print("@@1", flush=True)
    while True:
        time.sleep(2)
elif kind == "threads":
    gate = threading.Lock()
    gate.acquire()
    for _ in range(200):
        threading.Thread(target=waiting, args=(gate,), daemon=True).start()
    print("@@1", flush=True)
    spin()
elif kind == "idle":
    print("@@1", flush=True)
    threading.Event().wait()
