"""A run on disk: what was asked for, the units, their submissions and results. Every path of a run is made here.

    outputs/evaluation/<agent>/<suite>_seed<k>/<time>/      one per seed, several seeds of one command share the time
        units.jsonl         the units, one per line; written first                   (folder of the first seed)
        run.toml            resolved configuration and versions; makes it a run      (folder of the first seed)
        submissions.jsonl   what was handed to a scheduler, and what became of it    (folder of the first seed)
        scancel.sh          cancels all of it                                        (folder of the first seed)
        scripts/ stdout/ stderr/                                                     (folder of the first seed)
        scoreboard.md/json                                                           (folder of the first seed)
        run                 link to the folder of the first seed                     (folders of the other seeds)
        <route>/            a unit: its attempts and its result (attempts.py)

    <root>/<dataset>/       LEAD's five folders: data results scripts stderr stdout
        scancel.sh
        .harness/           units.jsonl run.toml submissions.jsonl units/<unit>/

A unit is done when it has a sound `result.json`. Nothing else is state: any process may be killed at any line, and
the same command does what is missing.
"""

from __future__ import annotations

import fcntl
import json
import re
import tomllib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, get_type_hints

from harness.datatypes.unit import Unit
from harness.errors import HarnessError
from harness.jobs.attempts import RESULT, defect
from harness.jobs.claims import Holder
from harness.jobs.publish import publish_text

# Folder of a dataset that holds the state of its collection.
DATASET_STATE = ".harness"
_UNIT_TYPES = get_type_hints(Unit)


class RunFolder:
    """One run.

    Args:
        folder: of an evaluation, the folder of its first seed, from which the folders of the others follow; of a
            collection, `.harness` in the root of the dataset.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock: IO[str] | None = None

    @property
    def is_dataset(self) -> bool:
        """The run collects a dataset."""
        return self.folder.name == DATASET_STATE

    @property
    def root(self) -> Path:
        """Where people look: the dataset's root, or the folder of the run itself."""
        return self.folder.parent if self.is_dataset else self.folder

    @property
    def scripts(self) -> Path:
        """Rendered batch scripts."""
        return self.root / "scripts"

    @property
    def stdout(self) -> Path:
        """What tasks print."""
        return self.root / "stdout"

    @property
    def stderr(self) -> Path:
        """What tasks print as errors."""
        return self.root / "stderr"

    @property
    def scancel_script(self) -> Path:
        """Cancels everything that was submitted."""
        return self.root / "scancel.sh"

    @property
    def cancel_wish(self) -> Path:
        """Exists while the user wants nothing more to be done."""
        return self.folder / "cancelled"

    @property
    def ledger(self) -> Path:
        """What was handed to a scheduler."""
        return self.folder / "submissions.jsonl"

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

    def manifest_with(self, units: Sequence[Unit]) -> list[Unit]:
        """Return the units of the manifest, and behind them those that it does not have yet."""
        known = self.units() if self.manifest.exists() else []
        present = {self.unit_folder(unit) for unit in known}
        return known + [unit for unit in units if self.unit_folder(unit) not in present]

    def extend(self, units: Sequence[Unit]) -> None:
        """Add the units that the manifest does not have yet; lines keep their numbers."""
        everything = self.manifest_with(units)
        if not self.manifest.exists() or len(everything) > len(self.units()):
            self.write_manifest(everything)

    def unit_folder(self, unit: Unit) -> Path:
        """Return the folder with the attempts of a unit."""
        if self.is_dataset:
            return self.folder / "units" / f"{unit.scenario}__{unit.town}_Rep{unit.repetition}_{unit.route}"
        return self.folder.parent.parent / f"{unit.suite}_seed{unit.seed}" / self.folder.name / unit.route

    def published_record(self, unit: Unit) -> Path:
        """Return where the record of a collected unit is published, in LEAD's folder of results."""
        name = f"{unit.town}_Rep{unit.repetition}_{unit.route}_result.json"
        return self.root / "results" / unit.scenario / name

    def result_of(self, unit: Unit) -> Path | None:
        """Return the chosen result file of a unit, None while it has no sound one."""
        file = self.unit_folder(unit) / RESULT
        return file if file.is_file() and defect(file) is None else None

    def damaged(self, units: Sequence[Unit]) -> list[tuple[Unit, Path, str]]:
        """Return the chosen result files that count for nothing, each with what is wrong."""
        files = [(unit, self.unit_folder(unit) / RESULT) for unit in units]
        return [(unit, file, why) for unit, file in files if file.is_file() and (why := defect(file)) is not None]

    def numbers(self, everything: Sequence[Unit], wanted: Sequence[Unit]) -> list[int]:
        """Return the places of some units among the units of the manifest."""
        places = {self.unit_folder(unit): number for number, unit in enumerate(everything)}
        return [places[self.unit_folder(unit)] for unit in wanted]

    def is_done(self, unit: Unit) -> bool:
        """Tell whether a unit has its result."""
        return self.result_of(unit) is not None

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
        except BlockingIOError:
            handle.close()
            raise HarnessError(
                f"another process works on {self.folder}, expected one at a time",
                hint="wait for it" if self.is_dataset else "wait for it, or NEW=1 starts a run of its own",
            ) from None
        handle.truncate(0)
        handle.write(json.dumps(asdict(Holder.this_process("", 0))))
        handle.flush()
        self._lock = handle

    def controller(self) -> int | None:
        """Return the process on this machine that works on this run now, None if there is none."""
        try:
            holder = Holder(**json.loads((self.folder / ".lock").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        return holder.pid if holder.is_running_here() else None

    def unlock(self) -> None:
        """Let another process work on this run."""
        if self._lock is not None:
            self._lock.truncate(0)
            self._lock.close()
            self._lock = None


def _unit(content: Any) -> Unit:
    """Make a unit of one line of a manifest; TypeError or ValueError if a field is missing or of the wrong kind."""
    unit = Unit(**content)
    for name, kind in _UNIT_TYPES.items():
        if type(value := getattr(unit, name)) is not kind:
            raise TypeError(f"field {name}: found {str(value)[:60]!r}, expected {kind.__name__}")
    for name in (unit.suite, unit.route, unit.town, unit.scenario or "_"):
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
            raise ValueError(f"found the name {name[:60]!r}, expected letters, digits, '.', '_' and '-'")
    return unit
