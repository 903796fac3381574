"""Loads towns: what is derived from a town's text is computed once, in a process of its own, and kept on disk.

A file is found by a hash over the text, the version of the `carla` client and the source of the world, so a file of
another version is never used and nobody has to remember to change a number. Files come from the user's cache folder:
what is damaged or not ours is thrown away with a line in the log, and computed again.

The client's parser takes about a gigabyte for the largest towns and keeps it, and it ends the process on some texts. In
a process of its own it gives the memory back, and a simulator outlives it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from harness.errors import SimError
from harness.sim.world.derived import unpack
from harness.sim.world.town import Town

_LOG = logging.getLogger(__name__)

# All twelve towns of CARLA take 0.5 GB.
MAX_FOLDER_BYTES = 2 * 1024**3
# Two minutes on two slow cores; a process that needs longer hangs.
DERIVE_LIMIT_S = 300.0
DERIVE_REFUSED = 3
# How soon it is noticed that nobody waits for a town any more.
_LOOK_AROUND_S = 0.2
_HINT = "check the file with another OpenDRIVE reader"
_WORLD = Path(__file__).resolve().parent / "world"


def load_town(name: str, opendrive: str, folder: Path, given_up: threading.Event | None = None) -> Town:
    """Return a town, from its derived data if they are kept in a folder, else derive and keep them.

    Args:
        given_up: set by another thread when nobody wants the town any more.

    Raises:
        SimError: the text is no OpenDRIVE road network, the client's parser does not survive it, or it was given up.
    """
    file = derived_file(name, opendrive, folder)
    town = _read(file, name, opendrive)
    if town is not None:
        return town
    with _alone(file, given_up):
        # Whoever was first has written it meanwhile.
        return _read(file, name, opendrive) or _derive(name, opendrive, file, given_up)


def parse_town(name: str, opendrive: str, given_up: threading.Event | None = None) -> Town:
    """Return the town of a text that a client has sent: nothing is kept, and no file is written.

    Raises:
        SimError: as `load_town`.
    """
    return _derive(name, opendrive, None, given_up)


def derived_file(name: str, opendrive: str, folder: Path) -> Path:
    """Return where the derived data of a town are kept; the file need not exist."""
    digest = hashlib.sha256()
    for source in sorted(_WORLD.rglob("*.py")):
        digest.update(source.read_bytes())
    digest.update(f"carla {_client_version()}\0".encode())
    digest.update(opendrive.encode(errors="surrogatepass"))
    safe_name = re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:64]
    return folder / f"{safe_name}-{digest.hexdigest()[:32]}.npz"


def _client_version() -> str:
    try:
        return version("carla")
    except PackageNotFoundError:
        return "none"


def _read(file: Path, name: str, opendrive: str) -> Town | None:
    """Return the town of a file; None if there is no such file, or no good one."""
    if not file.is_file():
        return None
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        town = unpack(name, opendrive, arrays)
    except OSError as error:
        _LOG.warning("cannot read %s: %s; the town is parsed again", file, error.strerror or error)
        return None
    except Exception as error:
        # Its readers raise more than they tell for bytes that are no archive of arrays: SyntaxError, TokenError.
        _LOG.warning("threw away %s: %s: %s; the town is parsed again", file, type(error).__name__, error)
        _remove(file)
        return None
    with contextlib.suppress(OSError):
        os.utime(file)  # used last; see `_make_room`
    return town


def _derive(name: str, opendrive: str, keep_as: Path | None, given_up: threading.Event | None) -> Town:
    """Derive a town in another process, keep the data if there is a place for them, and return the town."""
    try:
        with os.fdopen(os.memfd_create("town"), "rb") as memory:
            derived = Path(f"/proc/{os.getpid()}/fd/{memory.fileno()}")
            _run_deriver(name, opendrive, derived, given_up or threading.Event())
            town = _read(derived, name, opendrive)
            if town is None:
                raise SimError(f"town {name!r} cannot be read: what was derived from it is no good")
            if keep_as is not None:
                _keep(derived, keep_as)
            return town
    except OSError as error:
        raise SimError(f"town {name!r} cannot be read: {error}") from error


def _keep(derived: Path, file: Path) -> None:
    scratch = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(derived, scratch)
        scratch.replace(file)
        _make_room(file)
    except OSError as error:
        _LOG.warning("cannot keep what is derived from a town as %s: %s", file, error.strerror or error)
        _remove(scratch)


def _run_deriver(name: str, opendrive: str, target: Path, given_up: threading.Event) -> None:
    command = [sys.executable, "-P", "-m", "harness.sim.derive", name, str(target), str(os.getpid())]
    # The folder above the package: the child has to find the very same one, wherever it is started.
    path = os.pathsep.join(filter(None, [str(_WORLD.parents[2]), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path}
    # A file, and no pipe: it can be written before anybody reads.
    with os.fdopen(os.memfd_create("text"), "r+b") as text:
        text.write(opendrive.encode(errors="surrogatepass"))
        text.seek(0)
        with subprocess.Popen(command, stdin=text, stdout=subprocess.DEVNULL, env=environment) as process:
            try:
                _await(process, given_up)
            except TimeoutError:
                message = f"town {name!r} cannot be read: no end after {DERIVE_LIMIT_S:.0f} s"
                raise SimError(message, hint=_HINT) from None
            finally:
                process.kill()
    if process.returncode == DERIVE_REFUSED:
        refusal = json.loads(target.read_text(encoding="utf-8"))
        raise SimError(refusal["message"], hint=refusal["hint"])
    if process.returncode < 0:
        how = signal.Signals(-process.returncode).name
        raise SimError(f"town {name!r} cannot be read: the client's parser died of it ({how})", hint=_HINT)
    if process.returncode:
        raise SimError(f"town {name!r} cannot be read: its parser ended with code {process.returncode}", hint=_HINT)


def _await(process: subprocess.Popen[bytes], given_up: threading.Event) -> None:
    """Wait for the end of a process.

    Raises:
        TimeoutError: it takes longer than `DERIVE_LIMIT_S`.
        SimError: nobody waits any more.
    """
    deadline_s = time.monotonic() + DERIVE_LIMIT_S
    while True:
        try:
            process.wait(_LOOK_AROUND_S)
        except subprocess.TimeoutExpired:
            _check(given_up)
            if time.monotonic() > deadline_s:
                raise TimeoutError from None
        else:
            return


def _check(given_up: threading.Event | None) -> None:
    if given_up is not None and given_up.is_set():
        raise SimError("nobody waits for the town any more")


@contextlib.contextmanager
def _alone(file: Path, given_up: threading.Event | None) -> Iterator[None]:
    """Keep other processes from deriving the same town at the same time: many workers start at once."""
    with contextlib.ExitStack() as stack:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            # For reading and writing, which waits for nobody, whatever kind of file it is.
            lock = os.open(file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            stack.callback(os.close, lock)
        except OSError:
            lock = None  # `_keep` says what is wrong with the folder
        deadline_s = time.monotonic() + DERIVE_LIMIT_S
        while lock is not None and time.monotonic() < deadline_s:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                _check(given_up)
                time.sleep(0.1)
            except OSError:
                break  # a file system without locks
        yield


def _make_room(newest: Path) -> None:
    """Remove the files that were not used for longest, until the folder is small enough; and what crashes left."""
    dated = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(newest.parent):
            with contextlib.suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                is_left_over = entry.name.startswith(".") or entry.name.endswith(".lock")
                if is_left_over and time.time() - status.st_mtime > 2.0 * DERIVE_LIMIT_S:
                    _remove(Path(entry.path))
                elif entry.name.endswith(".npz") and not is_left_over and entry.name != newest.name:
                    dated.append((status.st_mtime, entry.name, status.st_size))
    size = newest.stat().st_size
    for _, name, file_size in sorted(dated, reverse=True):
        size += file_size
        if size > MAX_FOLDER_BYTES:
            _remove(newest.with_name(name))


def _remove(file: Path) -> None:
    with contextlib.suppress(OSError):
        file.unlink(missing_ok=True)
