"""What the drivers of the benchmarks share."""
