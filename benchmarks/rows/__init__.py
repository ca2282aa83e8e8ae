"""One module per row of the table; each has `measure(run) -> list[Figure]`."""
