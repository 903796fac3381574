"""What the server takes from its peers, in one place; docs/simulator.md states the same numbers.

Limits of one message are in `harness.sim.wire.rpc`, of the world in `harness.sim.world.world`.
"""

from __future__ import annotations

import contextlib
import resource
import socket

MEBIBYTE = 1024 * 1024

MAX_CLIENTS = 400
# A client with all its sensors has a dozen or two.
MAX_SUBSCRIBERS = 1000
# Refused clients that may wait for the answer to their first call, and how long.
MAX_REFUSED, REFUSED_LIMIT_S = 100, 1.0
# A subscriber says what it wants at once.
HANDSHAKE_LIMIT_S = 10.0
# Requests that have not arrived whole or wait for a town or the end of a batch, and what came behind those.
MAX_UNFINISHED_BYTES = 128 * MEBIBYTE
# Answers and frames that peers have not taken, all together.
MAX_UNREAD_BYTES = 512 * MEBIBYTE
# How long a synchronous tick waits for subscribers that have not taken the frame before.
STREAM_WAIT_S = 10.0
# A client with many requests lets others have their turn after so long; two hundred such clients take half a second.
TURN_S = 0.002
# What arrives from a client that waits to tick or to decode, before it is not read from any more.
MAX_READ_AHEAD_BYTES = MEBIBYTE

_KEEPALIVE_IDLE_S, _KEEPALIVE_INTERVAL_S, _KEEPALIVE_PROBES = 30, 10, 3
_OPEN_FILES = 4096


def prepare_socket(connection: socket.socket | None) -> None:
    """Send without delay, and find out within a minute that a peer on another machine is gone."""
    if connection is None:
        return
    for level, option, value in (
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_IDLE_S),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE_INTERVAL_S),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _KEEPALIVE_PROBES),
    ):
        connection.setsockopt(level, option, value)


def allow_open_files() -> None:
    """Raise this process's own limit of open files, as far as it may, to hold all connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
