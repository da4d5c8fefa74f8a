"""For tests and examples: the fixture `network`, and virtual time for those that use it."""

pytest_plugins = ["aiosctp.testing.pytest"]
