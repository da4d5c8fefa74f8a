"""Random lives of associations on a bad network, each from one seed, with laws that hold at every step of them.

`python -m tests.simulation --seeds 1-100` runs them; README.md says what they do.
"""
