"""The engine: SCTP as a pure function of packets, calls and time.

Theory of operation
===================
Nothing here reads a clock, a socket or a source of randomness: `now` is an argument of every method that needs it and
entropy a function given once. A `StackEngine` finds the association a packet belongs to, or answers what belongs to
none (§8.4) and INITs (§5.1) without keeping state. An `AssociationEngine` is one association:

* The *control plane* (`lifecycle.py`) is a coroutine that awaits only its inbox and is stepped by hand. Its phases read
  top to bottom: connecting (`handshake.py`), and shutting down (`shutdown.py`); between them, while established, there
  is none. Transitions that come sideways, such as a restart, are decided by pure classifiers (`collision.py`) and
  replace the coroutine.
* The *data plane* is `tx` (messages, chunks in flight, SACKs in) and `rx` (TSNs, reassembly, SACKs out): plain objects,
  called directly.
* A `Path` per address of the peer owns what belongs to a destination: RTO, congestion window, error count, path MTU,
  UDP port. HEARTBEATs watch it (`heartbeat.py`), and padded ones find out how large its packets may be
  (`path_mtu.py`).

The methods of the two engine classes are of four kinds, and called in this order:

1. inputs: `receive`, `icmp_received`, `send_failed`, `handle_timeout`: take in what happened;
2. commands: `connect`, `send`, `shutdown`, `abort`, ...: what the user wants;
3. outputs: `poll_datagrams`, then `poll_changed` and the events and messages of each association it names, then
   `next_deadline`: after any batch of inputs and commands, drain them all. Unless it `is_in_haste`, `poll_changed` may
   go first and the user answer what came, before all else goes out with the answer;
4. getters, which change nothing.

Nothing calls back out. `now` never goes backwards.
"""
