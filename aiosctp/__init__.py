"""SCTP (RFC 9260) for async Python, in user space over UDP (RFC 6951)."""
