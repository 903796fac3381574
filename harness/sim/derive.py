"""The process in which a town is parsed and its data are derived; see `harness.sim.shelf`.

Reads OpenDRIVE from standard input and writes an archive of arrays, or why the text was refused, to the file named.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

import numpy as np

from harness.errors import SimError
from harness.jobs.processes import die_with_parent
from harness.sim.shelf import DERIVE_REFUSED
from harness.sim.world.derived import pack
from harness.sim.world.town import build_town

# Town13, the largest of CARLA's, takes one. A text of a few lines can describe endless lanes.
MEMORY_LIMIT_BYTES = 8 * 1024**3
# What is derived from it takes 85 MB; it lies in memory until it is kept.
FILE_LIMIT_BYTES = 512 * 1024**2


def _limit(what: int, wanted: int) -> int:
    """Limit this process as far as it may be, and return the limit."""
    _, hard = resource.getrlimit(what)
    limit = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    resource.setrlimit(what, (limit, hard))
    return limit


def main(name: str, target: Path, parent_pid: int) -> int:
    """Derive a town and return the exit code."""
    die_with_parent(parent_pid)
    limit_bytes = _limit(resource.RLIMIT_AS, MEMORY_LIMIT_BYTES)
    _limit(resource.RLIMIT_FSIZE, FILE_LIMIT_BYTES)
    try:
        arrays = pack(build_town(name, sys.stdin.buffer.read().decode(errors="surrogatepass")))
    except SimError as error:
        target.write_text(json.dumps({"message": error.message, "hint": error.hint}), encoding="utf-8")
        return DERIVE_REFUSED
    except MemoryError:
        message = f"town {name!r} cannot be read: it takes more than {limit_bytes >> 30} GiB"
        target.write_text(json.dumps({"message": message, "hint": ""}), encoding="utf-8")
        return DERIVE_REFUSED
    with target.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
