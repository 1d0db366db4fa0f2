"""Measures the numbers of docs/benchmarks.md, each beside a floor measured in the same run."""
