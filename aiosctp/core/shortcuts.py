"""The switch of the short ways.

The data path has short ways for what nearly always happens: DATA in order, a run of full packets. Each stands beside
the general way, and what it does not handle takes that. With the switch off everything does: simulations run the same
seeds through both and compare every packet.
"""

from __future__ import annotations

are_open = True
"""Read when a stack or an association is made."""
