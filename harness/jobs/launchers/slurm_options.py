"""Options of sbatch that users add themselves, checked against those that the harness sets. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from harness.errors import ConfigError

_ALWAYS = "leave it out: it is always set"
# Long option -> what to do instead. sbatch also takes any beginning of a name that fits no other option.
_OWN = {
    "array": "use JOBS",
    "job-name": _ALWAYS,
    "exclude": "write it as --exclude=node1,node2",
    "export": "use env in harness.toml",
    "export-file": "use env in harness.toml",
    "time": "use TIMEOUT",
    "partition": "use PARTITION",
    "account": "use ACCOUNT",
    "qos": "use QOS",
    "mem": "use MEM",
    "constraint": "use CONSTRAINT",
    "gres": "use GPU, and gpu_type in harness.toml",
    "gpus": "use GPU, and gpu_type in harness.toml",
    "gpus-per-node": "use GPU, and gpu_type in harness.toml",
    "gpus-per-task": "use GPU, and gpu_type in harness.toml",
    "cpus-per-task": "use CPU",
    "cpus-per-gpu": "use CPU",
    "output": "leave it out: output is in stdout/ of the run",
    "error": "leave it out: errors are in stderr/ of the run",
    "open-mode": _ALWAYS,
    "wrap": "use TEMPLATE",
    "parsable": _ALWAYS,
    "requeue": _ALWAYS,
    "no-requeue": "leave it out: jobs are always requeued",
    "signal": _ALWAYS,
    "dependency": _ALWAYS,
    "begin": _ALWAYS,
    "wait": "leave it out: the command itself watches",
    "clusters": "leave it out: only the cluster of this machine is watched",
    "test-only": "use PRINT_ONLY=1",
    "uid": "leave it out: only jobs of this user are watched",
    "help": "leave it out",
    "usage": "leave it out",
    "version": "leave it out",
}
_OWN_LETTERS = {
    "a": "array", "J": "job-name", "t": "time", "p": "partition", "A": "account", "q": "qos", "C": "constraint",
    "G": "gpus", "c": "cpus-per-task", "o": "output", "e": "error", "d": "dependency", "b": "begin", "W": "wait",
    "M": "clusters", "h": "help", "V": "version",
}  # fmt: skip
_FLAG_LETTERS = frozenset("HhkOQsvVW")


def user_options(lines: Sequence[str], excluded: Sequence[str] = ()) -> list[str]:
    """Return the words of the user's lines of options, each line as it would stand behind ``#SBATCH``.

    Args:
        excluded: nodes to stay away from in any case; the user's ``--exclude`` is joined with them.

    Raises:
        ConfigError: an option is one of ours, or is written so that it cannot be told from a script's name.
    """
    words = [word for line in lines for word in _words(line)]
    nodes = list(excluded)
    others = []
    for word in words:
        if (named := re.fullmatch(r"(?:--exclude=|-x)(.+)", word, re.DOTALL)) is not None:
            nodes.append(named[1])
        else:
            _refuse_ours(word)
            others.append(word)
    return [*([f"--exclude={','.join(nodes)}"] if nodes else []), *others]


def _words(line: str) -> list[str]:
    try:
        words = shlex.split(line.removeprefix("#SBATCH"))
    except ValueError as error:
        raise ConfigError(
            f"sbatch in harness.toml has {line!r}: {str(error).lower()}", hint="close the quotes"
        ) from error
    for word in words:
        if not re.match(r"-[A-Za-z]|--[A-Za-z]", word):
            raise ConfigError(
                f"sbatch in harness.toml has {word!r} in {line!r}, expected options written as --name=value or -Xvalue",
                hint='sbatch = ["--mail-type=END"]',
            )
    return words


def _refuse_ours(word: str) -> None:
    if word.startswith("--"):
        name = word[2:].partition("=")[0]
        meant = name if name in _OWN else next((own for own in _OWN if own.startswith(name)), None)
    else:
        flags = re.match(rf"-[{''.join(_FLAG_LETTERS)}]*.?", word, re.DOTALL)
        letters = flags[0][1:] if flags else ""
        meant = next((_OWN_LETTERS[letter] for letter in letters if letter in _OWN_LETTERS), None)
    if meant is None:
        return
    raise ConfigError(f"sbatch in harness.toml sets {word!r}, which the harness sets itself", hint=_OWN[meant])
