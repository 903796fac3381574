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

    def release(self) -> None:
        """Let others have the block."""
        self._lock.close()


def take_port_block(host: str = "127.0.0.1") -> PortBlock:
    """Return a block that is free now and stays ours until released or until this process ends.

    Raises:
        JobError: every block is taken.
    """
    folder = Path(tempfile.gettempdir()) / f"carla-harness-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
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
