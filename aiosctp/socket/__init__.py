"""The sockets API for SCTP (RFC 6458), in async form: `SCTPSocket`, constants and structures under their own names."""

from aiosctp.socket.constants import *  # noqa: F403 - every constant of the API
from aiosctp.socket.notifications import *  # noqa: F403 - every notification
from aiosctp.socket.receiving import Received as Received
from aiosctp.socket.sctp_socket import SCTPSocket as SCTPSocket
from aiosctp.socket.structures import *  # noqa: F403 - every structure
