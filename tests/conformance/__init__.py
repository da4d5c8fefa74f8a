"""The project's own tables: what there is to implement, what the RFCs require, and which tests prove it.

`features.toml` holds a row per feature. A test claims rows by the first line of its docstring:
"M02, X45: an INIT with a zero tag is silently discarded." or, for a run of rows, "G41-G43: ...".
`python -m tests.conformance --fill` carries the claims into the table; nobody marks a row done by hand.

`rfc9260.toml`, and one such file for each other RFC, holds a row per MUST, MUST NOT, SHOULD and SHOULD NOT: the tests
that prove it, why we deviate, or why it does not apply. `keywords.toml` holds the RFC's key words they are held to.
"""
