"""Programs that use all that is public, for the type checker alone: nobody runs them.

`mypy --strict` reads them with the rest of the tests. `assert_type` says what a program gets, so that an `Any` that has
crept in is an error here. `test_surface.py` sees to it that nothing public is left out.
"""
