"""Collect a dataset: plan, have what is missing driven by the expert and recorded, tell what there is."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import tomli_w

from harness.config import OUTPUTS, REPOSITORY
from harness.datatypes.unit import Unit
from harness.errors import ConfigError
from harness.jobs.publish import publish_text
from harness.jobs.run_folder import RunFolder
from harness.jobs.runs import link_dataset, open_dataset
from harness.stages.campaign import Campaign, CampaignResult
from harness.stages.dataset import FOLDERS
from harness.stages.detach import chain
from harness.stages.launch import EMBEDDED, Launch, LaunchOptions, make_launch
from harness.stages.launching import make_backend, require_backend, task_overhead
from harness.stages.plan_collect import CollectionPlan, Selection, plan_collection
from harness.stages.roles import Reporter, SilentReporter
from harness.stages.submissions import Planned, changes
from harness.suites import NotRunnable


@dataclass(frozen=True, kw_only=True)
class CollectRequest:
    """What the user asked for; see the options of `harness collect`.

    Attributes:
        dataset: folder of the dataset below `root`.
        routes: folder with route files.
        seed: of the traffic.
    """

    dataset: str = "carla_leaderboard2"
    routes: Path = REPOSITORY / "routes" / "train"
    root: Path = Path("data")
    seed: int = 0
    selection: Selection = field(default_factory=Selection)
    maps: tuple[Path, ...] = ()
    outputs: Path = OUTPUTS
    options: LaunchOptions = field(default_factory=LaunchOptions)


@dataclass(frozen=True, kw_only=True)
class CollectResult:
    """What a collection did.

    Attributes:
        total, done: units that the command is about, and those of them with a result.
        overhead: share of the tasks' time that was not driving; None if nothing was driven.
    """

    root: Path
    total: int
    done: int
    campaign: CampaignResult
    launch: Launch
    overhead: float | None


@dataclass(frozen=True, kw_only=True)
class CollectPreview:
    """What a collection would do.

    Attributes:
        planned: the calls of the scheduler that would be made.
        changes: what is different from the last submission, line by line.
    """

    root: Path
    plan: CollectionPlan
    missing: list[Unit]
    planned: list[Planned]
    changes: list[str]


def preview_collection(request: CollectRequest) -> CollectPreview:
    """Return what `collect` would do; writes nothing."""
    launch, plan, run = _prepare(request)
    units = run.manifest_with(plan.units)
    backend = make_backend(run, launch, SilentReporter(), is_preview=True)
    campaign = Campaign(run, units, run.numbers(units, plan.units), launch, backend, SilentReporter())
    planned = campaign.foresee(is_new=False)
    return CollectPreview(
        root=run.root, plan=plan, missing=run.missing(plan.units), planned=planned, changes=changes(run, planned)
    )


def collect(request: CollectRequest, reporter: Reporter) -> CollectResult:
    """Have driven and recorded what is missing.

    Raises:
        HarnessError: nothing can be driven, or another process works on the dataset.
    """
    launch, plan, run = _prepare(request)
    require_backend(launch)
    for name in FOLDERS:
        (run.root / name).mkdir(parents=True, exist_ok=True)
    run.folder.mkdir(exist_ok=True)
    with ExitStack() as stack:
        run.lock()
        stack.callback(run.unlock)
        run.extend(plan.units)
        publish_text(run.run_file, tomli_w.dumps({"config": plan.config, "facts": plan.facts}))
        _keep_command(run, plan)
        link_dataset(request.outputs, run)
        units = run.units()
        wanted = run.numbers(units, plan.units)
        launch = replace(launch, wanted=tuple(wanted))
        launch.save(run)
        run.cancel_wish.unlink(missing_ok=True)
        done = len(wanted) - len(run.missing(plan.units))
        reporter.begin(run.root, len(wanted), done, _notes(plan, done))
        backend = make_backend(run, launch, reporter)
        campaign = Campaign(run, units, wanted, launch, backend, reporter, is_once=launch.is_detached)
        outcome = campaign.work()
        if launch.is_detached and not outcome.is_complete and not outcome.stop:
            reporter.say(chain(run, launch, outcome.present).text)
    return CollectResult(
        root=run.root,
        total=len(wanted),
        done=len(wanted) - len(run.missing(plan.units)),
        campaign=outcome,
        launch=launch,
        overhead=task_overhead(run),
    )


def _prepare(request: CollectRequest) -> tuple[Launch, CollectionPlan, RunFolder]:
    if not request.dataset or Path(request.dataset).name != request.dataset or request.dataset.startswith("."):
        raise ConfigError(
            f"DATASET is {request.dataset!r}, expected the name of a folder below ROOT",
            hint="make collect DATASET=my_dataset ROOT=data",
        )
    if not str(request.root).isprintable():
        raise ConfigError(
            f"ROOT is {str(request.root)!r}, expected a path that can be printed", hint="make collect ROOT=data"
        )
    launch = make_launch("collect", request.dataset, request.options, sim=EMBEDDED, maps=request.maps)
    plan = plan_collection(
        dataset=request.dataset,
        folder=request.routes,
        selection=request.selection,
        seed=request.seed,
        maps=request.maps,
    )
    run = open_dataset(request.root / request.dataset)
    _refuse_other_traffic(run, plan)
    return launch, plan, run


def _refuse_other_traffic(run: RunFolder, plan: CollectionPlan) -> None:
    """Refuse units that the dataset has under the same name but in other traffic."""
    known = {run.unit_folder(unit): unit for unit in run.manifest_with([])}
    for unit in plan.units:
        found = known.get(run.unit_folder(unit))
        if found is not None and found.traffic_seed != unit.traffic_seed:
            raise ConfigError(
                f"{run.root} has {unit.route} with traffic seed {found.traffic_seed}, found {unit.traffic_seed} now: "
                "another SEED, or another ROUTES folder",
                hint="take another DATASET for it",
            )


def _keep_command(run: RunFolder, plan: CollectionPlan) -> None:
    """Add what this command asked for to the history of the dataset: it may be made by several, of several versions."""
    with (run.folder / "commands.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"config": plan.config, "facts": plan.facts}) + "\n")


def _notes(plan: CollectionPlan, done: int) -> list[str]:
    notes = [refusal_text(refusal) for refusal in plan.refused]
    return notes + ([f"continuing: {done} of them are collected already"] if done else [])


def missing_units(root: Path) -> int:
    """Return how many drives of a dataset were planned and are not collected; 0 if it was not collected here."""
    run = open_dataset(root)
    return len(run.missing(run.units())) if run.manifest.exists() else 0


def refusal_text(refusal: NotRunnable) -> str:
    """Return the sentence about a route that is not collected."""
    return f"route {refusal.route_name} is not collected: {refusal.reason}"
