"""Checks a dataset in LEAD's layout: folders, names, records, and every frame of every route.

Frames are read without running anything that stands in them. A defect that many frames of a route share is told once,
with the first of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, HarnessError
from harness.jobs.publish import read_json
from harness.record.frame_check import Finding
from harness.record.recorder import METAS, RESULTS
from harness.record.usability import failure_reason
from harness.results.own_result import result_problem
from harness.stages.recorded_route import ROUTE_NAME, Problem, check_route, problem_at, read_record, unreadable

FOLDERS = ("data", "results", "scripts", "stderr", "stdout")
FIRST_FRAME = "0000.pkl"
_CHUNK = 4


@dataclass(frozen=True, kw_only=True)
class FailedRoute:
    """A recorded route that is not trained on."""

    folder: Path
    scenario: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class DatasetReport:
    """What a check found.

    Attributes:
        usable: scenario folder -> routes that LEAD trains on.
        failed: the others.
    """

    root: Path
    routes: int
    frames: int
    usable: Mapping[str, int]
    failed: tuple[FailedRoute, ...]
    problems: tuple[Problem, ...]

    @property
    def failed_counts(self) -> dict[str, int]:
        """Scenario folder -> routes that are not trained on."""
        return dict(sorted(Counter(route.scenario for route in self.failed).items()))


def check_dataset(root: Path, jobs: int = 1) -> DatasetReport:
    """Check a dataset.

    Args:
        root: folder with data/, results/ and so on.
        jobs: processes that read side by side.

    Raises:
        ConfigError: there is no such folder.
    """
    _require_folder(root)
    problems = [
        Problem(file=name, found="no such folder", expected="one of LEAD's five folders")
        for name in FOLDERS
        if not (root / name).is_dir()
    ]
    folders = route_folders(root)
    problems += _name_problems(root, folders)
    work = [(root, folder) for folder in folders]
    if jobs > 1 and len(work) > 1:
        with ProcessPoolExecutor(jobs) as pool:
            checked = list(pool.map(check_route, work, chunksize=_CHUNK))
    else:
        checked = list(map(check_route, work))
    for _, found in checked:
        problems += found
    problems += _result_file_problems(root, folders)
    failed = failed_routes(root)
    lost = {route.folder for route in failed}
    return DatasetReport(
        root=root,
        routes=len(folders),
        frames=sum(frames for frames, _ in checked),
        usable=dict(sorted(Counter(folder.parent.name for folder in folders if folder not in lost).items())),
        failed=tuple(failed),
        problems=tuple(problems),
    )


def failed_routes(root: Path) -> list[FailedRoute]:
    """Return the recorded routes that LEAD does not train on, ordered by path.

    Raises:
        ConfigError: there is no such folder.
    """
    _require_folder(root)
    failed = []
    for folder in route_folders(root):
        if reason := route_failure(folder):
            failed.append(FailedRoute(folder=folder, scenario=folder.parent.name, reason=reason))
    return failed


def route_failure(folder: Path) -> str:
    """Return why a route folder is not trained on, empty if it is; see `failure_reason`."""
    record = None
    if (folder / RESULTS).is_file():
        record, findings = read_record(folder)
        if record is None:
            return f"its {RESULTS} cannot be used: found {findings[0].found}"
    return failure_reason(record, has_first_frame=(folder / METAS / FIRST_FRAME).is_file())


def route_folders(root: Path) -> list[Path]:
    """Return the folders of the recorded routes of a dataset, ordered by scenario and name."""
    scenarios = sorted(entry for entry in (root / "data").glob("*") if entry.is_dir())
    return [entry for scenario in scenarios for entry in sorted(scenario.glob("*")) if entry.is_dir()]


def as_data(report: DatasetReport) -> dict[str, Any]:
    """Return the report, JSON ready."""
    return {
        "root": str(report.root),
        "routes": report.routes,
        "frames": report.frames,
        "usable": dict(report.usable),
        "failed": report.failed_counts,
        "failed_routes": [{"folder": str(route.folder), "reason": route.reason} for route in report.failed],
        "problems": [
            {"file": problem.file, "found": problem.found, "expected": problem.expected, "more": problem.more}
            for problem in report.problems
        ],
    }


def report_lines(report: DatasetReport) -> list[str]:
    """Return the report as lines of text: what is wrong, then counts per scenario type, then the sum."""
    lines = [f"problem: {problem}" for problem in report.problems]
    lines += [f"not usable: {route.folder}: {route.reason}" for route in report.failed]
    for scenario in sorted(report.usable.keys() | report.failed_counts.keys()):
        lines.append(
            f"{scenario}: {report.usable.get(scenario, 0)} usable, {report.failed_counts.get(scenario, 0)} failed"
        )
    lines.append(
        f"{report.root}: {report.routes} routes with {report.frames} frames, {sum(report.usable.values())} usable, "
        f"{len(report.failed)} failed, {len(report.problems)} problems"
    )
    return lines


def _require_folder(root: Path) -> None:
    if not root.is_dir():
        raise ConfigError(f"no dataset in {root}, expected a folder with {', '.join(FOLDERS)}", hint=f"ls {root}")


# --- names -----------------------------------------------------------------------------------------------------------


def _name_problems(root: Path, folders: Iterable[Path]) -> list[Problem]:
    problems = []
    for place in (root / "data", *(entry for entry in (root / "data").glob("*") if entry.is_dir())):
        for entry in sorted(place.glob("*")):
            if not entry.is_dir():
                problems.append(problem_at(root, entry, Finding("a file", "folders only")))
    seen: dict[tuple[str, str, str, str], Path] = {}
    for folder in folders:
        match = ROUTE_NAME.fullmatch(folder.name)
        if match is None:
            expected = "<Town>_Rep<n>_<stem>_route<n>_<MM>_<DD>_<hh>_<mm>_<ss>"
            problems.append(problem_at(root, folder, Finding("another name", expected)))
            continue
        key = (folder.parent.name, match["town"], match["rep"], match["route"])
        if (first := seen.setdefault(key, folder)) is not folder:
            problems.append(problem_at(root, folder, Finding(f"the drive of {first.name} again", "one of each")))
    return problems


def _result_file_problems(root: Path, folders: Iterable[Path]) -> list[Problem]:
    """Check that every recorded route has its result file, and that result files name the recordings they belong to."""
    problems = []
    for folder in folders:
        match = ROUTE_NAME.fullmatch(folder.name)
        if match is None:
            continue
        place = root / "results" / folder.parent.name
        own = place / f"{match['town']}_Rep{match['rep']}_{match['route']}_result.json"
        theirs = place / f"{match['route'].rpartition('_route')[0]}_result.json"
        if not own.is_file():
            if not theirs.is_file():
                problems.append(problem_at(root, own, Finding("no such file", f"the result of {folder.name}")))
            continue
        try:
            content = read_json(own)
        except HarnessError as error:
            problems.append(problem_at(root, own, Finding(unreadable(own, error), "a result file")))
            continue
        if reason := result_problem(content):
            problems.append(problem_at(root, own, Finding(f"a file that {reason}", "a result file")))
            continue
        named = content.get("harness", {}).get("wall", {}).get("data_folder")
        if named is not None and named != folder.relative_to(root).as_posix():
            problems.append(problem_at(root, own, Finding(f"data_folder {str(named)[:200]}", folder.name)))
    return problems
