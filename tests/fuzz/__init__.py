"""Fuzzing: functions of bytes that hold an invariant, run by atheris (`python -m tests.fuzz`), by their corpus, and by
Hypothesis (test_fuzz.py)."""
