"""How many processes of this job the kernel has killed for lack of memory.

A job's control group counts them. The killed process itself shows nothing but SIGKILL, and the batch script, which is
small, lives on.
"""

from __future__ import annotations

import re
from pathlib import Path

_CGROUP = Path("/proc/self/cgroup")
_MOUNT = Path("/sys/fs/cgroup")
_COUNT = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


def oom_kills(cgroup: Path = _CGROUP, mount: Path = _MOUNT) -> int:
    """Return the number so far; 0 where nobody counts.

    Args:
        cgroup: which control groups this process is in, one per line.
        mount: where the control groups are.
    """
    try:
        lines = cgroup.read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return max((_count(file) for line in lines if (file := _counter(line, mount)) is not None), default=0)


def _counter(line: str, mount: Path) -> Path | None:
    """Return the file with the count: ``0::/path`` is version 2, ``5:memory:/path`` is version 1."""
    number, _, rest = line.partition(":")
    controllers, _, path = rest.partition(":")
    if number == "0" and not controllers:
        return mount / path.lstrip("/") / "memory.events"
    if "memory" in controllers.split(","):
        return mount / "memory" / path.lstrip("/") / "memory.oom_control"
    return None


def _count(file: Path) -> int:
    try:
        found = _COUNT.search(file.read_text(encoding="utf-8"))
    except OSError:
        return 0
    return int(found[1]) if found else 0
