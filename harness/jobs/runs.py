"""Runs by name: make one, find the one that a command continues, the newest, all of them."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import tomli_w

from harness.datatypes.unit import Unit
from harness.errors import ConfigError, HarnessError
from harness.jobs.attempts import is_number
from harness.jobs.publish import publish_text
from harness.jobs.run_folder import DATASET_STATE, RunFolder

# Stands in a preview for the time of a run that does not exist yet.
UNKNOWN_TIME = "YYYY-MM-DD_HH-MM-SS"
_TIME_FORMAT = "%Y-%m-%d_%H-%M-%S"


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
    return stamp, int(number) if is_number(number) else 1


def open_run(folder: Path) -> RunFolder:
    """Return the run that a folder belongs to: of any seed of an evaluation, the root of a dataset, or a link to it.

    Raises:
        ConfigError: there is no run there.
    """
    for candidate in (folder, folder / "run", folder / DATASET_STATE):
        if (candidate / "run.toml").is_file():
            return RunFolder(candidate.resolve())
    raise ConfigError(f"no run in {folder}, expected a folder with run.toml", hint="harness list shows the runs")


def all_runs(outputs: Path) -> Iterator[RunFolder]:
    """Yield the evaluations below the output folder, newest first."""
    for run_file in sorted((outputs / "evaluation").glob("*/*/*/run.toml"), reverse=True, key=_age_key):
        yield RunFolder(run_file.parent)


def all_datasets(outputs: Path) -> Iterator[RunFolder]:
    """Yield the datasets that were collected from here, by name."""
    for run_file in sorted((outputs / "datasets").glob(f"*/{DATASET_STATE}/run.toml")):
        yield RunFolder(run_file.parent.resolve())


def newest_run(outputs: Path) -> RunFolder:
    """Return the evaluation or collection that was worked on last.

    Raises:
        ConfigError: there is none.
    """
    found = [*all_runs(outputs), *all_datasets(outputs)]
    if not found:
        raise ConfigError(f"no run in {outputs}, expected one", hint="make eval or make collect begins one")

    return max(found, key=_last_change_s)


def newest_dataset(outputs: Path) -> RunFolder:
    """Return the dataset that was worked on last.

    Raises:
        ConfigError: there is none.
    """
    found = list(all_datasets(outputs))
    if not found:
        raise ConfigError(f"no dataset in {outputs / 'datasets'}, expected one", hint="make collect begins one")
    return max(found, key=_last_change_s)


def _last_change_s(run: RunFolder) -> float:
    return max(file.stat().st_mtime for file in (run.run_file, run.ledger, run.manifest) if file.exists())


def open_dataset(root: Path) -> RunFolder:
    """Return the run that collects the dataset at a root, whether it has begun or not."""
    return RunFolder(root / DATASET_STATE)


def link_dataset(outputs: Path, run: RunFolder) -> None:
    """Let `make status` and `make scancel` find a dataset, wherever its root is."""
    folder = outputs / "datasets"
    _make_folder(folder)
    for name in (run.root.name, *(f"{run.root.name}_{number}" for number in range(2, 1000))):
        link = folder / name
        if link.is_symlink() and link.resolve() == run.root.resolve():
            return
        try:
            link.symlink_to(os.path.relpath(run.root.resolve(), folder.resolve()))
            return
        except FileExistsError:
            continue
    raise HarnessError(f"a thousand datasets are called {run.root.name} in {folder}, expected fewer")


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


def foretold_run(outputs: Path, config: dict[str, Any]) -> RunFolder:
    """Return the run of a configuration that would be made next, with a word where its time will stand."""
    return RunFolder(
        _evaluation_folder(outputs, config["agent"]) / f"{config['bench']}_seed{config['seeds'][0]}" / UNKNOWN_TIME
    )
