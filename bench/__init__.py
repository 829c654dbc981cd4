"""Benchmarks and long runs; results in results.json."""
