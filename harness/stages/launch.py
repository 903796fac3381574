"""How the units of a run are to be worked on: the settings of the last command, kept in the run for whoever goes on."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

from harness.config import core_count
from harness.errors import ConfigError, HarnessError
from harness.jobs.budget import Policy
from harness.jobs.launchers.local import local_gpus, local_slots
from harness.jobs.launchers.slurm_options import user_options
from harness.jobs.live_limits import COLLECT, CONFIG_FOLDER, LiveLimit, default_parallel_jobs, total_attempts
from harness.jobs.processes import harness_command
from harness.jobs.profile import Profile, load_profile
from harness.jobs.publish import publish_json, read_json
from harness.jobs.run_folder import RunFolder
from harness.jobs.templates import parse_time_limit, read_template, render

LOCAL, SLURM = "local", "slurm"
EMBEDDED = "embedded"
_BEGIN_AGAIN = "repeat the command that began the run"
DEFAULT_TIMEOUT = "14400"  # seconds, a form that GNU timeout and we understand
DEFAULT_ATTEMPTS = 3
DEFAULT_CPU = 2  # a simulator and a drive


@dataclass(frozen=True, kw_only=True)
class Launch:
    """Where and with what the tasks of a run are started.

    Attributes:
        verb, what: ``eval`` and the suite, or ``collect`` and the dataset; they name jobs and limit files.
        backend: ``local`` or ``slurm``.
        jobs: tasks side by side; a limit file changes it while the run goes on.
        partitions: first choice first; empty leaves it to the scheduler.
        gpu, cpu: per task.
        timeout: time limit of a task, as typed.
        template: path of a batch script template, empty for ours.
        sim: ``embedded`` or ``host:port``.
        maps: folders with more towns.
        profile: cluster settings, as in harness.toml.
        is_detached: a chain of small jobs goes on with the run, instead of this process.
        is_jobs_typed: no limit file changes `jobs`.
        config_folder: where the limit files are.
        began_s: Unix time of the command; attempts before it do not count against a unit.
        wanted: numbers of the units that the command is about; all if empty.
    """

    verb: str
    what: str
    backend: str = LOCAL
    jobs: int = 1
    partitions: tuple[str, ...] = ()
    gpu: int = 0
    cpu: int = 2
    timeout: str = "14400"
    template: str = ""
    sim: str = EMBEDDED
    maps: tuple[str, ...] = ()
    profile: Profile = field(default_factory=Profile)
    is_detached: bool = False
    is_jobs_typed: bool = True
    config_folder: str = str(CONFIG_FOLDER)
    began_s: float = 0.0
    wanted: tuple[int, ...] = ()

    def save(self, run: RunFolder) -> None:
        """Keep the settings in the run."""
        publish_json(_file(run), {**asdict(self), "profile": self.profile.model_dump(mode="json")})

    def parallel_limit(self) -> LiveLimit:
        """Return the limit of the number of tasks side by side: what was typed, else the limit file."""
        folder = Path(os.devnull) if self.is_jobs_typed else Path(self.config_folder)
        return LiveLimit(folder, f"max_num_parallel_jobs_{self._limit_name}", self.jobs)

    def attempts_limit(self) -> LiveLimit:
        """Return the limit file of the number of attempts, in its own way of counting."""
        default = DEFAULT_ATTEMPTS - 1 if self._limit_name == COLLECT else DEFAULT_ATTEMPTS
        return LiveLimit(Path(self.config_folder), f"max_num_attempts_{self._limit_name}", default)

    def policy(self, attempts: int) -> Policy:
        """Return the budget of a unit; `attempts` as the limit file counts them."""
        total = total_attempts(self._limit_name, attempts)
        return Policy(max_attempts=total, partitions=max(1, len(self.partitions)))

    @property
    def _limit_name(self) -> str:
        return limit_name(self.verb, self.what)


def limit_name(verb: str, what: str) -> str:
    """Return what stands for a run in the names of LEAD's limit files."""
    return COLLECT if verb == "collect" else what


@dataclass(frozen=True, kw_only=True)
class LaunchOptions:
    """What the user said about where and how to run; empty and None mean not given."""

    backend: str = ""
    partitions: tuple[str, ...] = ()
    jobs: int | None = None
    gpu: int | None = None
    cpu: int | None = None
    timeout: str = ""
    template: Path | None = None
    account: str = ""
    qos: str = ""
    mem: str = ""
    constraint: str = ""
    is_detached: bool = False


def make_launch(verb: str, what: str, options: LaunchOptions, *, sim: str, maps: tuple[Path, ...]) -> Launch:
    """Resolve the options with `harness.toml` and the defaults.

    Raises:
        ConfigError: they do not fit together, a value makes no sense, or this machine lacks the GPUs of a local task.
    """
    profile = load_profile(Path.cwd()).merged(
        account=options.account, qos=options.qos, mem=options.mem, constraint=options.constraint
    )
    partitions = options.partitions or (profile.cluster.partitions if options.backend == SLURM else ())
    backend = choose_backend(options.backend, partitions)
    if backend == LOCAL:
        for name, value in (("DETACH", options.is_detached), ("TEMPLATE", options.template)):
            if value:
                raise ConfigError(
                    f"{name} needs Slurm, found BACKEND=local", hint=f"make {verb} PARTITION=name {name}=..."
                )
    for name in partitions:
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}", name):
            raise ConfigError(f"PARTITION is {name[:60]!r}, expected names with commas", hint="sinfo -o %R lists them")
    if options.template is not None:
        _check_syntax(options.template)
    timeout = options.timeout or DEFAULT_TIMEOUT
    parse_time_limit(timeout)
    if backend == SLURM:
        user_options(profile.cluster.sbatch)
        if options.template:
            check_template(options.template, timeout)
    folder = Path.cwd() / CONFIG_FOLDER
    jobs = options.jobs or (core_count() if backend == LOCAL else default_parallel_jobs(limit_name(verb, what)))
    if backend == LOCAL and options.gpu:
        jobs = min(jobs, len(local_slots(local_gpus(), options.gpu)))
    return Launch(
        verb=verb,
        what=what,
        backend=backend,
        jobs=1 if sim != EMBEDDED else jobs,
        partitions=partitions,
        gpu=options.gpu or 0,
        cpu=options.cpu or DEFAULT_CPU,
        timeout=timeout,
        template=str(options.template.absolute()) if options.template else "",
        sim=sim,
        maps=tuple(str(folder.absolute()) for folder in maps),
        profile=profile,
        is_detached=options.is_detached,
        is_jobs_typed=backend == LOCAL or options.jobs is not None,
        config_folder=str(folder),
        began_s=round(time.time(), 3),
    )


def check_template(template: Path, timeout: str) -> None:
    """Refuse a template before anything is written, by rendering it for a task somewhere below this folder.

    Raises:
        ConfigError: it cannot be read, lacks ``$CMD``, or has a variable where its value cannot be right.
    """
    render(
        read_template(template),
        name=str(template),
        cmd=harness_command("work", "--run", str(Path.cwd())),
        filename=Path.cwd() / "task.sbatch",
        partition="name",
        gpu=0,
        cpu=1,
        timeout=timeout,
    )


def _check_syntax(template: Path) -> None:
    """Refuse a template that bash cannot read: every job of it would fail in its first second."""
    text = read_template(template)
    if not re.match(r"#!.*\b(bash|sh)\b", text):
        return
    script = text.replace("$$", "$")  # as it will be rendered
    check = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, errors="replace", timeout=30.0)
    if check.returncode:
        reason = " ".join(check.stderr.split())[:300]
        raise ConfigError(f"TEMPLATE {template} cannot be run: {reason}", hint=f"bash -n {template}")


def load_launch(run: RunFolder) -> Launch:
    """Return the settings of the last command of a run.

    Raises:
        HarnessError: missing or malformed.
    """
    content = read_json(_file(run))
    try:
        return _launch(content)
    except KeyError as error:
        raise HarnessError(f"cannot read {_file(run)}: found no {error}", hint=_BEGIN_AGAIN) from error
    except (TypeError, ValueError) as error:
        raise HarnessError(f"cannot read {_file(run)}: {error}", hint=_BEGIN_AGAIN) from error


def _launch(content: dict[str, Any]) -> Launch:
    values = dict(content)
    values["profile"] = Profile.model_validate(values.get("profile", {}))
    for name in ("partitions", "maps", "wanted"):
        values[name] = tuple(values[name])
    launch = Launch(**values)
    for name, kind in get_type_hints(Launch).items():
        if kind in (str, int, bool) and type(getattr(launch, name)) is not kind:
            raise TypeError(f"field {name}: found {getattr(launch, name)!r}, expected {kind.__name__}")
    return launch


def _file(run: RunFolder) -> Path:
    return run.folder / "launch.json"


def choose_backend(backend: str, partitions: tuple[str, ...]) -> str:
    """Return the backend: the one named, else Slurm if there is a partition.

    Raises:
        ConfigError: neither ``local`` nor ``slurm``, or partitions without Slurm.
    """
    if backend not in ("", LOCAL, SLURM):
        raise ConfigError(f"BACKEND is {backend!r}, expected local or slurm", hint="make eval BACKEND=slurm")
    if backend == LOCAL and partitions:
        raise ConfigError(
            f"PARTITION={','.join(partitions)} means nothing to BACKEND=local, expected one of them",
            hint="leave one of them out",
        )
    return backend or (SLURM if partitions else LOCAL)


def describe(launch: Launch) -> dict[str, Any]:
    """Return the settings, JSON ready, for a preview."""
    return json.loads(json.dumps({**asdict(launch), "profile": launch.profile.model_dump(mode="json")}))  # type: ignore[no-any-return]
