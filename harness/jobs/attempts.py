"""The files of one unit: its attempts, each in a folder of its own, and the one result that was chosen.

    <unit>/claim.lock, claim.json         who works on it (claims.py)
    <unit>/attempt_<n>/unit.json          what the job was told
    <unit>/attempt_<n>/attempt.json       which task made it, where and when; written first
    <unit>/attempt_<n>/progress.json      how far it is
    <unit>/attempt_<n>/drive.log          what the job printed
    <unit>/attempt_<n>/result.json        published by the job
    <unit>/attempt_<n>/motion/            motion of the ego, if the rules want it; published before the result
    <unit>/attempt_<n>/outcome.json       how it ended, in the words of the taxonomy; written last
    <unit>/result.json                    the chosen result: a second name of one attempt's file, given once
    <unit>/<save_name>/metric_info.json   its motion, in the folder that its record names

Nothing is ever overwritten; a chosen result that was damaged later is set aside under another name.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.datatypes.job import Attempt, Outcome, TaskKey, UnitState
from harness.datatypes.result import Failure
from harness.datatypes.unit import Unit
from harness.errors import HarnessError
from harness.jobs.claims import LEASE_S, NO_HARD_LINKS, Holder, is_live
from harness.jobs.publish import publish_json, publish_text, read_json
from harness.metrics.lb20 import failed_status
from harness.results.own_result import result_problem

RESULT = "result.json"
_SAVE_NAME = re.compile(r"RouteScenario_[A-Za-z0-9_.-]+")
# Statuses of results that the agent, not the drive, has brought about: another route ends in the same way.
_SETUP_STATUSES = frozenset(map(failed_status, (Failure.AGENT_SETUP, Failure.AGENT_SENSORS)))


@dataclass(frozen=True)
class AttemptFolder:
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
        """The result that the job published."""
        return self.folder / RESULT

    @property
    def recording(self) -> Path:
        """Where the job records, if the unit is recorded; moved away when complete."""
        return self.folder / "recording"

    @property
    def number(self) -> int:
        """1 for the first try."""
        return int(self.folder.name.removeprefix("attempt_"))

    def write_outcome(self, outcome: Outcome, reason: str, **facts: Any) -> None:
        """Write how it ended; the first word about it stands."""
        file = self.folder / "outcome.json"
        if not file.exists():
            publish_json(file, {"outcome": str(outcome), "reason": reason, **facts})

    def write_progress(self, percent: float, sim_s: float) -> None:
        """Show how far the drive is; not forced to disk, since it is of use now or never."""
        file = self.folder / "progress.json"
        scratch = file.with_name(f".progress.{os.getpid()}")
        scratch.write_text(json.dumps({"percent": percent, "sim_s": sim_s}), encoding="utf-8")
        scratch.replace(file)

    def read_progress(self) -> tuple[float, float]:
        """Return percent of the route and simulated seconds; zeros if there is nothing to read."""
        content = _read(self.folder / "progress.json")
        try:
            return float(content["percent"]), float(content["sim_s"])
        except (KeyError, TypeError, ValueError):
            return 0.0, 0.0


def attempt_folders(unit_folder: Path) -> list[AttemptFolder]:
    """Return the attempts of a unit so far, first one first."""
    try:
        names = [entry.name for entry in os.scandir(unit_folder) if entry.name.startswith("attempt_")]
    except FileNotFoundError:
        return []
    found = [AttemptFolder(unit_folder / name) for name in names if is_number(name[8:])]
    return sorted(found, key=lambda attempt: attempt.number)


def begin_attempt(unit_folder: Path, unit: Unit, facts: dict[str, Any]) -> AttemptFolder:
    """Make the folder of the next attempt of a unit that this process has claimed.

    Args:
        facts: `token`, `task`, `node`, `started_s` and whatever else shall be known of it.
    """
    before = attempt_folders(unit_folder)
    attempt = AttemptFolder(unit_folder / f"attempt_{before[-1].number + 1 if before else 1}")
    attempt.folder.mkdir()
    publish_json(attempt.folder / "attempt.json", facts)
    publish_text(attempt.unit_file, json.dumps(unit.as_dict(), indent=2) + "\n")
    return attempt


def motion_folder(result: Path) -> Path:
    """Return where the motion of the drive with some result file is until the result is chosen."""
    return result.with_name("motion")


def give_motion(unit_folder: Path, attempt: AttemptFolder, content: dict[str, Any]) -> None:
    """Put the motion of an attempt where its record says that it is; before `choose`, and any number of times.

    Only one folder of that name is ever there: a drive whose result was damaged and is replaced had the same name.
    """
    motion = motion_folder(attempt.result)
    name = content["_checkpoint"]["records"][0].get("save_name")
    if not motion.is_dir() or not isinstance(name, str) or not _SAVE_NAME.fullmatch(name):
        return
    if (unit_folder / name).exists():
        (unit_folder / name).rename(attempt.folder / "motion_before")
    motion.rename(unit_folder / name)


def choose(unit_folder: Path, attempt: AttemptFolder) -> bool:
    """Let an attempt's result be the unit's; False if the unit has a sound one already.

    Giving the file a second name either happens or does not, and fails if the name is taken: there is never more than
    one chosen result, whoever else tries.
    """
    chosen = unit_folder / RESULT
    if os.path.lexists(chosen) and not chosen.is_file():
        raise HarnessError(f"{chosen} is no file, expected a result or nothing", hint=f"mv {chosen} {chosen}.old")
    if chosen.is_file():
        if defect(chosen) is None:
            return False
        _set_aside(chosen)
    try:
        os.link(attempt.result, chosen)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in NO_HARD_LINKS:
            raise
        publish_text(chosen, attempt.result.read_text(encoding="utf-8"))  # a file system without hard links
    return True


def _set_aside(damaged: Path) -> None:
    number = 1
    while (kept := damaged.with_name(f"result.damaged_{number}.json")).exists():
        number += 1
    damaged.rename(kept)
    if defect(kept) is None:
        # Somebody has put a sound one there meanwhile.
        with contextlib.suppress(FileExistsError):
            os.link(kept, damaged)
        kept.unlink()


def read_state(unit_folder: Path, here: Holder, now_s: float, lease_s: float = LEASE_S) -> UnitState:
    """Return what the files say of a unit.

    Args:
        here: any holder on this machine.
        now_s: time of the file system.
    """
    content = _sound_result(unit_folder / RESULT)
    is_done = content is not None
    folders = attempt_folders(unit_folder)
    live = bool(folders) and not is_done and is_live(unit_folder, here, now_s, lease_s)
    attempts = [_read_attempt(folder, is_last=folder == folders[-1], is_unit_live=live) for folder in folders]
    return UnitState(is_done=is_done, attempts=tuple(attempts), setup_failure=_setup_failure(content))


def _sound_result(file: Path) -> dict[str, Any] | None:
    """Return the content of a result file that counts, None if there is no such file."""
    content = _read(file)
    return content if content and result_problem(content) is None else None


def _setup_failure(content: dict[str, Any] | None) -> str:
    """Return why the agent of a result did not come to drive; empty if it did."""
    if content is None:
        return ""
    status = str(content["_checkpoint"]["records"][0]["status"])
    if status not in _SETUP_STATUSES:
        return ""
    detail = " ".join(str(content.get("harness", {}).get("failure_detail", "")).split())
    return f"{status}: {detail}" if detail else status


def _read_attempt(folder: AttemptFolder, *, is_last: bool, is_unit_live: bool) -> Attempt:
    facts, ending = _read(folder.folder / "attempt.json"), _read(folder.folder / "outcome.json")
    outcome = _outcome(ending.get("outcome"))
    return Attempt(
        number=folder.number,
        task=_task(facts),
        node=str(facts.get("node", "")),
        outcome=outcome,
        fingerprint=str(ending.get("fingerprint", "")),
        reason=str(ending.get("reason", "")),
        is_live=is_last and is_unit_live and outcome is None,
        started_s=_number(facts.get("started_s")),
        restarts=facts["restarts"] if type(facts.get("restarts")) is int else 0,
    )


def _read(file: Path) -> dict[str, Any]:
    """Return a JSON object; empty if the file is missing, torn or something else."""
    try:
        content = read_json(file)
    except HarnessError:
        return {}
    return content if isinstance(content, dict) else {}


def _task(facts: dict[str, Any]) -> TaskKey:
    token, task = facts.get("token"), facts.get("task")
    return (token, task) if isinstance(token, str) and isinstance(task, int) else ("", 0)


def _outcome(text: Any) -> Outcome | None:
    try:
        return Outcome(text)
    except ValueError:
        return None


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def defect(result: Path) -> str | None:
    """Return why a result file counts for nothing, None if it is sound."""
    try:
        return result_problem(read_json(result))
    except HarnessError as error:
        return error.message.removeprefix(f"file {result} ").removeprefix(f"cannot read {result}: ")


def is_number(text: str) -> bool:
    """Tell whether a text consists of the digits 0 to 9."""
    return text.isascii() and text.isdecimal()
