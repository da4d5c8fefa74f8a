"""How fast aiosctp is, side by side with others, and what its engine costs: `python -m benchmarks`."""
