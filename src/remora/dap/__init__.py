"""The Debug Adapter Protocol as values: no sockets, no threads, no state but a decoder's buffer.

Import the modules, not this package: the debuggee loads `framing`, `messages`, `errors`, `check`
and pays for nothing else. `types` is for type checkers only.
"""
