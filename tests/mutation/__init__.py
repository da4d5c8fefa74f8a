"""Broken engines: what the tests and the simulator are worth is how many of these they catch.

`python -m tests.mutation --seed S --count N` draws mutants of core/ at random and tries the tests and the simulator
on each (extra `mutation`). With `--requirements` it draws requirements that tests prove, breaks the line that obeys
each (`breaks.toml`), and runs the tests named for it.
"""
