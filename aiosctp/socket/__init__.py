"""The sockets API for SCTP (RFC 6458), in async form: `SCTPSocket`, constants and structures under their own names.

The pages of `python -m pydoc`: `aiosctp.socket.SCTPSocket` for the calls, `aiosctp.socket.options` for every option and
its structure, `aiosctp.socket.structures` and `aiosctp.socket.notifications` for the structures and their units. All
names that a program needs are here.
"""

from aiosctp.socket.constants import *  # noqa: F403 - every constant of the API
from aiosctp.socket.notifications import *  # noqa: F403 - every notification
from aiosctp.socket.receiving import Received as Received
from aiosctp.socket.sctp_socket import SCTPSocket as SCTPSocket
from aiosctp.socket.structures import *  # noqa: F403 - every structure
