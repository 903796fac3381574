"""The cluster's settings, in `harness.toml` of the working folder; what is typed wins over them.

[cluster]
account = "lab"
partitions = ["gpu-2080ti", "a100-galvani"]
modules = ["cuda/12.4"]

[poll]
interval_s = 15
"""

from __future__ import annotations

import difflib
import re
import shlex
import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import ConfigError
from harness.jobs.launchers.slurm_options import user_options

FILE = "harness.toml"
_HINT = "see the cluster section of the README"
# What a job may know of the environment in which it was submitted; everything else stays where it is.
EXPORTED = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "PYTHONPATH",
    "LD_LIBRARY_PATH",
    "SLURM_CONF",
    "HARNESS_DATA",
    "HARNESS_CACHE",
    "XDG_CACHE_HOME",
    "HARNESS_VERBOSE",
)

_Word = Annotated[str, Field(pattern=r"^[^\s\x00]*$")]
_Name = Annotated[str, Field(pattern=r"^[^\s\x00]+$")]
_Line = Annotated[str, Field(pattern=r"^[^\n\r\x00]*$")]
_Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Cluster(_Table):
    """What every job of this cluster needs.

    Attributes:
        mem: memory of a task, e.g. ``16G``.
        gpu_type: type in ``--gres=gpu:<type>:<n>``.
        modules: environment modules that a job loads first.
        scratch: folder for temporary files on the compute node; may name ``$SLURM_JOB_ID`` and other variables.
        sbatch: further options of sbatch.
        partitions: used with BACKEND=slurm when no PARTITION is typed; first choice first.
        env: names of further variables that jobs get from the environment in which they are submitted.
    """

    account: _Word = ""
    qos: _Word = ""
    mem: _Word = ""
    constraint: _Line = ""
    gpu_type: _Word = ""
    modules: tuple[_Name, ...] = ()
    scratch: _Line = ""
    sbatch: tuple[_Line, ...] = ()
    partitions: tuple[_Name, ...] = ()
    env: tuple[_Variable, ...] = ()


class Poll(_Table):
    """How often the scheduler is asked, and how long it takes to believe the worst.

    Attributes:
        interval_s: between two queries.
        confirm_s: a task has to be missing for so long before Slurm is asked for it by its number.
        lease_s: from the last sign of life of a worker on another machine until its unit may be taken over.
    """

    interval_s: Annotated[float, Field(ge=0.5, le=600.0)] = 15.0
    confirm_s: Annotated[float, Field(ge=1.0, le=3600.0)] = 60.0
    lease_s: Annotated[float, Field(ge=10.0, le=3600.0)] = 60.0


class Profile(_Table):
    """Everything in `harness.toml`."""

    cluster: Cluster = Cluster()
    poll: Poll = Poll()

    def merged(self, *, account: str = "", qos: str = "", mem: str = "", constraint: str = "") -> Profile:
        """Return the profile with what was typed in place of what stands in the file; empty means not typed.

        Raises:
            ConfigError: a value that cannot be one.
        """
        typed = {"account": account, "qos": qos, "mem": mem, "constraint": constraint}
        values = {**self.cluster.model_dump(), **{name: value for name, value in typed.items() if value}}
        try:
            return self.model_copy(update={"cluster": Cluster.model_validate(values)})
        except ValidationError as error:
            name, found = error.errors()[0]["loc"][0], error.errors()[0]["input"]
            raise ConfigError(f"{str(name).upper()} is {found!r}, expected one word", hint="make help") from error

    def export_names(self) -> tuple[str, ...]:
        """Return the names of the variables that jobs get; values stay out of every file."""
        return tuple(dict.fromkeys((*EXPORTED, *self.cluster.env)))

    def prologue(self) -> tuple[str, ...]:
        """Return the lines of bash that a job begins with."""
        lines: list[str] = []
        if self.cluster.modules:
            lines += [_FIND_MODULE, f"module load {shlex.join(self.cluster.modules)} || exit"]
        if self.cluster.scratch:
            lines += [f"export TMPDIR={_in_double_quotes(self.cluster.scratch)}", 'mkdir -p "$TMPDIR" || exit']
        return tuple(lines)


# A batch script is no login shell, and does not know `module` on every cluster.
_FIND_MODULE = """\
for file in /etc/profile.d/*module*.sh /etc/profile.d/*lmod*.sh; do
  # shellcheck disable=SC1090
  if ! type module >/dev/null 2>&1 && [ -r "$file" ]; then . "$file"; fi
done"""


def _in_double_quotes(text: str) -> str:
    """Quote a text in which variables are to be replaced and nothing is to be run."""
    escaped = re.sub(r'[\\"`]|\$(?=\()', lambda found: f"\\{found[0]}", text)
    return f'"{escaped}"'


def load_profile(folder: Path) -> Profile:
    """Return the settings of `harness.toml` in a folder, the defaults if there is none.

    Raises:
        ConfigError: it cannot be read, or a key or a value in it is wrong; names the key.
    """
    file = folder / FILE
    if file.exists() and not file.is_file():
        raise ConfigError(f"{file} is no file, expected one with settings", hint=f"ls -ld {file}")
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Profile()
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"cannot read {file}: {error}, expected TOML", hint=_HINT) from error
    try:
        profile = Profile.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"{file}: {_explain(error)}", hint=_HINT) from error
    user_options(profile.cluster.sbatch)
    return profile


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    name = ".".join(map(str, first["loc"]))
    if first["type"] != "extra_forbidden":
        return f"{name} is {first['input']!r}, expected {first['msg'][:1].lower()}{first['msg'][1:]}"
    tables: dict[str, type[BaseModel]] = {"cluster": Cluster, "poll": Poll}
    table = tables.get(str(first["loc"][0]), Profile) if len(first["loc"]) > 1 else Profile
    known = list(table.model_fields)
    nearest = difflib.get_close_matches(str(first["loc"][-1]), known, 1)
    meant = f"did you mean {nearest[0]}?" if nearest else f"expected {', '.join(known)}"
    return f"found the unknown key {name}, {meant}"
