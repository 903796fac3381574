"""Blocks of TCP ports that no other worker on this machine uses.

A block is owned by holding a lock on its file, so that two workers never race for the same ports and a killed one
leaves nothing behind; a block some other program listens in is skipped.
"""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from harness.errors import JobError

FIRST_PORT, LAST_PORT = 21000, 29000
BLOCK_SIZE = 10


@dataclass
class PortBlock:
    """Ten ports: the RPC port, the streaming port behind it, and one for the Traffic Manager."""

    first: int
    _lock: IO[str]

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


def lock_server(host: str, port: int) -> IO[str]:
    """Become the one who drives in a server that is already running; closing what is returned gives it up.

    Raises:
        JobError: another process of this user on this machine drives there.
    """
    lock = (_lock_folder() / f"server_{host}_{port}.lock").open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise JobError(
            f"another process drives in the server at {host}:{port}, expected one at a time",
            hint="wait for it, or use another server",
        ) from None
    return lock


def _lock_folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"carla-harness-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def take_port_block(host: str = "127.0.0.1") -> PortBlock:
    """Return a block that is free now and stays ours until released or until this process ends.

    Raises:
        JobError: every block is taken.
    """
    folder = _lock_folder()
    for first in range(FIRST_PORT, LAST_PORT, BLOCK_SIZE):
        lock = (folder / f"{first}.lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        block = PortBlock(first, lock)
        if all(_is_free(host, port) for port in (block.rpc, block.rpc + 1, block.traffic_manager)):
            return block
        block.release()
    raise JobError(
        f"no free block of {BLOCK_SIZE} ports between {FIRST_PORT} and {LAST_PORT}",
        hint="ss -ltn shows what listens",
    )


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
