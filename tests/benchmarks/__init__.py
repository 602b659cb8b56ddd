"""How fast bmtop is, beside other programs in the same run: `tests/benchmarks/run` prints the table."""
