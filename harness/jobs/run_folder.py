"""A run on disk: what was asked for, the units, their attempts and results. Every path of a run is made here.

    outputs/evaluation/<agent>/<suite>_seed<k>/<time>/      one per seed, several seeds of one command share the time
        units.jsonl         the units, one per line; written first                   (folder of the first seed)
        run.toml            resolved configuration and versions; makes it a run      (folder of the first seed)
        scoreboard.md/json                                                           (folder of the first seed)
        run                 link to the folder of the first seed                     (folders of the other seeds)
        <route>/attempt_<n>/unit.json, drive.log, result.json

A unit is done when one of its attempts has a sound `result.json`, which appears in one rename; one that was damaged
later stays where it is and counts for nothing. Nothing else is state: any process may be killed at any line, and the
same command does what is missing.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, get_type_hints

import tomli_w

from harness.datatypes.unit import Unit
from harness.errors import ConfigError, HarnessError
from harness.jobs.publish import publish_text, read_json
from harness.metrics.summary import result_problem

_TIME_FORMAT = "%Y-%m-%d_%H-%M-%S"
_UNIT_TYPES = get_type_hints(Unit)


@dataclass(frozen=True)
class Attempt:
    """The n-th try of a unit."""

    folder: Path

    @property
    def unit_file(self) -> Path:
        """What the job was told."""
        return self.folder / "unit.json"

    @property
    def log(self) -> Path:
        """What the job printed."""
        return self.folder / "drive.log"

    @property
    def result(self) -> Path:
        """The result; if it is sound, the unit is done."""
        return self.folder / "result.json"

    @property
    def number(self) -> int:
        """1 for the first try."""
        return int(self.folder.name.removeprefix("attempt_"))


class RunFolder:
    """One run: the folder of its first seed, from which the folders of the others follow."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock: IO[str] | None = None

    @property
    def run_file(self) -> Path:
        """Configuration and versions."""
        return self.folder / "run.toml"

    @property
    def manifest(self) -> Path:
        """The units."""
        return self.folder / "units.jsonl"

    def read_config(self) -> dict[str, Any]:
        """Return the content of `run.toml`.

        Raises:
            HarnessError: missing, malformed, or without a configuration.
        """
        try:
            content = tomllib.loads(self.run_file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise HarnessError(f"cannot read {self.run_file}: {error}", hint="NEW=1 starts a new run") from error
        if not isinstance(content.get("config"), dict):
            raise HarnessError(f"cannot read {self.run_file}: found no [config]", hint="NEW=1 starts a new run")
        return content

    def units(self) -> list[Unit]:
        """Return the units of the manifest.

        Raises:
            HarnessError: missing or malformed.
        """
        try:
            lines = self.manifest.read_text(encoding="utf-8").splitlines()
            return [_unit(json.loads(line)) for line in lines]
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise HarnessError(f"cannot read {self.manifest}: {error}", hint="NEW=1 starts a new run") from error

    def write_manifest(self, units: Sequence[Unit]) -> None:
        """Write the units of the run."""
        publish_text(self.manifest, "".join(json.dumps(unit.as_dict()) + "\n" for unit in units))

    def extend(self, units: Sequence[Unit]) -> None:
        """Add the units that the manifest does not have yet."""
        known = self.units()
        present = {(unit.route, unit.seed) for unit in known}
        more = [unit for unit in units if (unit.route, unit.seed) not in present]
        if more:
            publish_text(self.manifest, "".join(json.dumps(unit.as_dict()) + "\n" for unit in (*known, *more)))

    def unit_folder(self, unit: Unit) -> Path:
        """Return the folder with the attempts of a unit."""
        seed_folder = self.folder.parent.parent / f"{unit.suite}_seed{unit.seed}" / self.folder.name
        return seed_folder / unit.route

    def attempts(self, unit: Unit) -> list[Attempt]:
        """Return the attempts of a unit so far, first one first."""
        folders = [entry for entry in self.unit_folder(unit).glob("attempt_*") if _is_number(entry.name[8:])]
        return sorted((Attempt(folder) for folder in folders), key=lambda attempt: attempt.number)

    def result_of(self, unit: Unit) -> Path | None:
        """Return the first sound result file of a unit, None while it has none."""
        return next((file for file in self._result_files(unit) if _defect(file) is None), None)

    def damaged(self, units: Sequence[Unit]) -> list[tuple[Unit, Path, str]]:
        """Return the result files that count for nothing, each with what is wrong; of the units without a sound one."""
        files = [(unit, file) for unit in self.missing(units) for file in self._result_files(unit)]
        return [(unit, file, why) for unit, file in files if (why := _defect(file)) is not None]

    def _result_files(self, unit: Unit) -> list[Path]:
        return [attempt.result for attempt in self.attempts(unit) if attempt.result.is_file()]

    def next_attempt(self, unit: Unit) -> Attempt:
        """Make the folder of the next attempt, with the unit in it."""
        attempts = self.attempts(unit)
        attempt = Attempt(self.unit_folder(unit) / f"attempt_{attempts[-1].number + 1 if attempts else 1}")
        attempt.folder.mkdir(parents=True)
        publish_text(attempt.unit_file, json.dumps(unit.as_dict(), indent=2) + "\n")
        return attempt

    def missing(self, units: Sequence[Unit]) -> list[Unit]:
        """Return the units without a sound result."""
        return [unit for unit in units if self.result_of(unit) is None]

    def lock(self) -> None:
        """Become the one process that works on this run, until `unlock` or the end of this process.

        Raises:
            HarnessError: another process works on it.
        """
        handle = (self.folder / ".lock").open("a")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.close()
            raise HarnessError(
                f"another process works on {self.folder}, expected one at a time",
                hint="wait for it, or NEW=1 starts a run of its own",
            ) from None
        self._lock = handle

    def unlock(self) -> None:
        """Let another process work on this run."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _unit(content: Any) -> Unit:
    """Make a unit of one line of a manifest; TypeError or ValueError if a field is missing or of the wrong kind."""
    unit = Unit(**content)
    for name, kind in _UNIT_TYPES.items():
        if type(value := getattr(unit, name)) is not kind:
            raise TypeError(f"field {name}: found {str(value)[:60]!r}, expected {kind.__name__}")
    for name in (unit.suite, unit.route):
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
            raise ValueError(f"found the name {name[:60]!r}, expected letters, digits, '.', '_' and '-'")
    return unit


def _defect(result: Path) -> str | None:
    try:
        return result_problem(read_json(result))
    except HarnessError as error:
        return error.message.removeprefix(f"file {result} ").removeprefix(f"cannot read {result}: ")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def agent_folder_name(agent: str) -> str:
    """Return what stands for an agent in paths: its name, or file stem and class."""
    path, _, class_name = agent.partition(":")
    stem = Path(path).stem if path.endswith(".py") else path
    return re.sub(r"[^A-Za-z0-9_.-]", "_", f"{stem}.{class_name}" if class_name else stem)


def create_run(outputs: Path, config: dict[str, Any], facts: dict[str, Any], units: Sequence[Unit]) -> RunFolder:
    """Make the folders of a new run and write what it is; nothing has been driven when this returns.

    Args:
        config: resolved configuration, by which a later command recognises the run.
        facts: versions and the like.

    Returns:
        The run, locked by this process.

    Raises:
        HarnessError: something that is not ours has the name of a folder or of the link `latest`; nothing is made then.
    """
    _check_latest(outputs)
    seeds = list(dict.fromkeys(unit.seed for unit in units))
    base = _evaluation_folder(outputs, config["agent"])
    first, *others = _claim_time([base / f"{config['bench']}_seed{seed}" for seed in seeds])
    run = RunFolder(first)
    run.lock()
    for folder in others:
        (folder / "run").symlink_to(os.path.relpath(run.folder, folder))
    run.write_manifest(units)
    publish_text(run.run_file, tomli_w.dumps({"config": config, "facts": facts}))
    return run


def _claim_time(seed_folders: Sequence[Path]) -> list[Path]:
    """Make a new folder, named after the time, in each of the folders."""
    for folder in seed_folders:
        _make_folder(folder)
    stamp = datetime.now().strftime(_TIME_FORMAT)
    for suffix in ("", *(f"_{number}" for number in range(2, 1000))):
        made: list[Path] = []
        try:
            for folder in seed_folders:
                (folder / f"{stamp}{suffix}").mkdir()
                made.append(folder / f"{stamp}{suffix}")
        except FileExistsError:
            # Another run that began in this second has one of these seeds.
            for folder in made:
                folder.rmdir()
            continue
        return made
    raise HarnessError(f"a thousand runs began at {stamp} in {seed_folders[0]}, expected fewer")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise HarnessError(
            f"cannot make {folder}: found {error.filename}, a file or a broken link, expected a folder or nothing",
            hint=f"ls -ld {error.filename}",
        ) from None


def _evaluation_folder(outputs: Path, agent: str) -> Path:
    return outputs / "evaluation" / agent_folder_name(agent)


def find_run(outputs: Path, config: dict[str, Any]) -> RunFolder | None:
    """Return the newest run of a configuration, None if there is none."""
    folder = _evaluation_folder(outputs, config["agent"]) / f"{config['bench']}_seed{config['seeds'][0]}"
    for candidate in sorted(folder.glob("*/run.toml"), reverse=True, key=_age_key):
        try:
            found = tomllib.loads(candidate.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            # Not a run that this command could continue; `harness list` names such files.
            continue
        found_config = found.get("config")
        if isinstance(found_config, dict) and not differences(found_config, config):
            return RunFolder(candidate.parent)
    return None


def differences(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Return the settings in which a run differs from a command, sorted.

    Of the input files, those count that both know: a route whose file is missing or broken can be put right and driven
    in the same run.
    """
    keys = [key for key in found.keys() | wanted.keys() if key != "inputs" and found.get(key) != wanted.get(key)]
    old, new = found.get("inputs", {}), wanted.get("inputs", {})
    if not isinstance(old, dict) or any(old[name] != new[name] for name in old.keys() & new.keys()):
        keys.append("inputs")
    return sorted(keys)


def _age_key(run_file: Path) -> tuple[str, int]:
    stamp, number = run_file.parent.name[:19], run_file.parent.name[20:]
    return stamp, int(number) if _is_number(number) else 1


def open_run(folder: Path) -> RunFolder:
    """Return the run that a folder belongs to: the folder of any of its seeds, or a link to it.

    Raises:
        ConfigError: there is no run there.
    """
    for candidate in (folder, folder / "run"):
        if (candidate / "run.toml").is_file():
            return RunFolder(candidate.resolve())
    raise ConfigError(f"no run in {folder}, expected a folder with run.toml", hint="harness list shows the runs")


def all_runs(outputs: Path) -> Iterator[RunFolder]:
    """Yield the runs below the output folder, newest first."""
    for run_file in sorted((outputs / "evaluation").glob("*/*/*/run.toml"), reverse=True, key=_age_key):
        yield RunFolder(run_file.parent)


def point_latest(outputs: Path, run: RunFolder) -> Path:
    """Let ``outputs/evaluation/latest`` point to a run, in one rename; return the link.

    Raises:
        HarnessError: there is a file or folder of that name.
    """
    link = _check_latest(outputs)
    _make_folder(link.parent)
    scratch = link.with_name(f".latest.{os.getpid()}")
    scratch.unlink(missing_ok=True)
    try:
        scratch.symlink_to(os.path.relpath(run.folder.resolve(), link.parent.resolve()))
        scratch.replace(link)
    finally:
        scratch.unlink(missing_ok=True)
    return link


def _check_latest(outputs: Path) -> Path:
    """Return the place of the link, unless something that is no link is there."""
    link = outputs / "evaluation" / "latest"
    if os.path.lexists(link) and not link.is_symlink():
        kind = "folder" if link.is_dir() else "file"
        raise HarnessError(f"{link} is a {kind}, expected the link to the newest run", hint=f"mv {link} {link}.old")
    return link
