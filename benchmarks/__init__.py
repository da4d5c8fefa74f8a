"""Benchmarks, side by side: `python -m benchmarks`. README.md says what is measured, how, and how to read it."""
