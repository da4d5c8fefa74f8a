"""The sockets API of RFC 6458 in async form: a veneer over Stack, Endpoint and Association."""
