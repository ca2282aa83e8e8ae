"""Bringing an agent into a running process that knows nothing of us, by its process id.

For the hub and the command line; standard library only, Linux only. Nothing here runs in the target but
`go.py` and `inside.py`, whose text is what the target is given to run.
"""
