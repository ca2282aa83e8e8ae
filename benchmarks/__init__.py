"""Compare no debugger, debugpy, pdb and remora side by side; `python -m benchmarks` runs them all."""
