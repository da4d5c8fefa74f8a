"""The project's own tables: what there is to implement, and which tests prove that it is.

`features.toml` holds a row per feature. A test claims rows by the first line of its docstring:
"M02, X45: an INIT with a zero tag is silently discarded." or, for a run of rows, "G41-G43: ...".
`python -m tests.conformance --fill` carries the claims into the table; nobody marks a row done by hand.
"""
