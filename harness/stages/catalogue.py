"""What there is: suites, towns, agents and runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.config import REPOSITORY, SUITES_DIR, cache_folder, data_folder, town_folders
from harness.errors import HarnessError
from harness.jobs.run_folder import RunFolder
from harness.jobs.runs import all_datasets, all_runs
from harness.suites import list_suites, list_towns, load_suite, resolve_routes

NEWEST_RUNS = 20


def catalogue(outputs: Path) -> dict[str, Any]:
    """Return suites (with how many of their routes are there), towns, agents, datasets and newest runs, JSON ready."""
    data = data_folder()
    suites = []
    for name in list_suites(SUITES_DIR):
        suite = load_suite(name, SUITES_DIR)
        routes, _ = resolve_routes(suite, repository=REPOSITORY, data=data, cache=cache_folder())
        suites.append(
            {
                "name": name,
                "title": suite.title,
                "routes": suite.size,
                "found": len(routes),
                "rule_version": suite.rule_version,
                "seeds": list(suite.seeds),
            }
        )
    return {
        "suites": suites,
        "towns": list_towns(town_folders()),
        "agents": ["expert", "constant", "path/to/file.py:ClassName"],
        "datasets": [_describe_dataset(run) for run in all_datasets(outputs)],
        "runs": [_describe(run.folder) for run in list(all_runs(outputs))[:NEWEST_RUNS]],
    }


def _describe(folder: Path) -> dict[str, Any]:
    """Describe one run; one that is damaged must not hide the others."""
    run = RunFolder(folder)
    try:
        config, units = run.read_config()["config"], run.units()
        missing = len(run.missing(units))
        described = {key: config.get(key) for key in ("agent", "bench", "seeds")}
        json.dumps(described, allow_nan=False)  # TOML knows dates and infinity, JSON does not
    except HarnessError as error:
        return {"run": str(folder), "state": f"unreadable: {error.message}"}
    except (OSError, TypeError, ValueError) as error:
        return {"run": str(folder), "state": f"unreadable: {error}"}
    return {"run": str(folder), **described, "state": _progress_text(len(units), missing)}


def _describe_dataset(run: RunFolder) -> dict[str, Any]:
    try:
        units = run.units()
        state = _progress_text(len(units), len(run.missing(units)))
    except (HarnessError, OSError) as error:
        state = f"unreadable: {error}"
    return {"dataset": str(run.root), "state": state}


def _progress_text(total: int, missing: int) -> str:
    return "complete" if not missing else f"{total - missing} of {total} drives"
