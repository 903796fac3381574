"""What a run was made with and from: commit, versions, hashes of its inputs."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

from harness.config import REPOSITORY


def current_commit() -> str:
    """Return the commit of this checkout, with a mark if files differ from it; empty outside a checkout."""
    try:
        head = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return head.stdout.strip()


def file_sha256(file: Path) -> str:
    """Return the hash of a file's bytes, as hex digits."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def machine_facts(client_version: str) -> dict[str, Any]:
    """Return where and when this happens, for the record."""
    return {
        "python": platform.python_version(),
        "machine": platform.node(),
        "carla_client": client_version,
        "created": datetime.now().astimezone().isoformat(timespec="seconds"),
    }
