"""Benchmarks for ./spp bench: each measures a ratio against something in the same run."""
