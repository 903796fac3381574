"""Blocks of TCP ports that no other worker on this machine uses.

A block is owned by holding a name that only one process can have, an abstract Unix socket. Such names are known
wherever the ports are, the network name space, whatever folders and users there are; and the kernel frees them with
the process, so that a killed worker leaves nothing behind. A block some other program listens in is skipped.
"""

from __future__ import annotations

import errno
import hashlib
import socket
from dataclasses import dataclass

from harness.errors import JobError

FIRST_PORT, LAST_PORT = 21000, 29000
BLOCK_SIZE = 10
# Without the user in it: ports are the same for all users of a machine.
LOCK_NAMES = "carla-harness"


@dataclass
class PortBlock:
    """Ten ports: the RPC port, the streaming port behind it, and one for the Traffic Manager."""

    first: int
    _lock: socket.socket

    @property
    def rpc(self) -> int:
        """Port of the simulator's calls; the streaming port is the next one."""
        return self.first

    @property
    def traffic_manager(self) -> int:
        """Port on which the client's Traffic Manager listens."""
        return self.first + 5

    def traffic_manager_of(self, drive: int) -> int:
        """Return one of the ports behind the first two, another one for each of eight drives in a row.

        A server keeps a Traffic Manager registered after its process has ended, and the next one on that port waits
        for it.
        """
        return self.first + 2 + drive % (BLOCK_SIZE - 2)

    def release(self) -> None:
        """Let others have the block."""
        self._lock.close()


def lock_server(host: str, port: int) -> socket.socket:
    """Become the one who drives in a server that is already running; closing what is returned gives it up.

    Raises:
        JobError: another process on this machine drives there.
    """
    # The kernel takes names of about a hundred characters only, and hosts may have longer ones.
    server = hashlib.sha256(f"{host}:{port}".encode()).hexdigest()[:32]
    lock = _hold(f"server-{server}")
    if lock is None:
        raise JobError(
            f"another process drives in the server at {host}:{port}, expected one at a time",
            hint="wait for it, or use another server",
        )
    return lock


def take_port_block(host: str = "127.0.0.1") -> PortBlock:
    """Return a block that is free now and stays ours until released or until this process ends.

    Raises:
        JobError: every block is taken.
    """
    for first in range(FIRST_PORT, LAST_PORT, BLOCK_SIZE):
        lock = _hold(f"ports-{first}")
        if lock is None:
            continue
        block = PortBlock(first, lock)
        if all(_is_free(host, port) for port in (block.rpc, block.rpc + 1, block.traffic_manager)):
            return block
        block.release()
    raise JobError(
        f"no free block of {BLOCK_SIZE} ports between {FIRST_PORT} and {LAST_PORT}",
        hint="ss -ltn shows what listens",
    )


def _hold(name: str) -> socket.socket | None:
    """Return what holds a name until it is closed; None if somebody holds it."""
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        lock.bind(f"\0{LOCK_NAMES}-{name}")
    except OSError as error:
        lock.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise JobError(
            f"cannot bind the abstract Unix socket {LOCK_NAMES}-{name}: {error.strerror}, expected a lock of ports",
            hint="abstract Unix sockets must be allowed on this machine",
        ) from error
    return lock


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
