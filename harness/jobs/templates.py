"""Batch scripts from templates: plain bash in which six variables are replaced, and everything else is the shell's.

    $CMD         the command line of the task
    $FILENAME    absolute path of the rendered script, so that it can submit itself again
    $PARTITION   ``-p NAME`` and a blank, or nothing: written directly before the next option, `$PARTITION--gres=...`
    $GPU $CPU    numbers per task
    $TIMEOUT     time limit as it was typed

`${CMD}` is the same as `$CMD`. `$$` is a dollar sign, so that templates written for `string.Template` work too (`$$?`);
the shell's own `$?`, `$HOME`, `${x}`, `$(date)` may be written as they are. A backslash before the dollar and a comment
leave a variable alone; in `#SBATCH` lines variables are replaced.

Values are quoted for the place where they stand: between words, inside quotes, in a here-document. So `$FILENAME` and
`"$FILENAME"` are both one word whatever the path, and `bash -c "$CMD"` runs the same words as `$CMD`. No value is read
twice. What cannot be right is refused: `"$CMD"` as a command, which would be one long word, and values with odd
characters where quotes nest too deeply to be sure.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from harness.errors import ConfigError
from harness.jobs.shell_places import Place, find_places

VARIABLES = ("CMD", "FILENAME", "PARTITION", "GPU", "CPU", "TIMEOUT")
LONGEST_LIMIT_S = 10 * 365 * 86_400
LARGEST_TEMPLATE_BYTES = 1 << 20

_UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_GNU_DURATION = re.compile(r"(?P<count>[0-9]+(?:\.[0-9]+)?)(?P<unit>[smhd]?)")
_SLURM_TIME = re.compile(
    r"(?:(?P<days>[0-9]+)-(?P<day_hours>[0-9]+)(?::(?P<day_minutes>[0-9]+)(?::(?P<day_seconds>[0-9]+))?)?"
    r"|(?:(?P<hours>[0-9]+):)?(?P<minutes>[0-9]+):(?P<seconds>[0-9]+))"
)
# A backslash keeps the next character as it is; then two dollars, and a variable with or without braces.
_TOKEN = re.compile(
    r"\\.|\$(?P<dollar>\$)|\$(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<braced>[A-Za-z_]\w*)\})", re.DOTALL
)
_FED_TO_TIMEOUT = re.compile(
    r"(?<![\w./-])(?:[\w./-]*/)?timeout\s+(?:-\S+\s+(?:[^\s$\"'-]\S*\s+)?)*[\"']?\$(?:TIMEOUT\b|\{TIMEOUT\})"
)
_PLAIN = re.compile(r"[\w@%+=:,./ -]*", re.ASCII)
# They run the words behind them, and one long word is the name of no program.
_RUNNERS = (
    "apptainer", "command", "conda", "env", "exec", "ionice", "mpirun", "nice", "nohup", "setsid", "singularity",
    "srun", "stdbuf", "time", "timeout", "xvfb-run",
)  # fmt: skip


def parse_time_limit(text: str) -> int:
    """Return a time limit in seconds; 0 is no limit.

    Plain numbers are seconds, and ``s m h d`` may follow, as GNU timeout reads them. With colons or a minus sign it is
    Slurm's form: ``M:S  H:M:S  D-H  D-H:M  D-H:M:S``, so ``30:00`` is half an hour.

    Raises:
        ConfigError: anything else, or more than ten years.
    """
    found = text.strip()
    hint = "TIMEOUT=14400, TIMEOUT=4h and TIMEOUT=4:00:00 are all four hours; TIMEOUT=0 is no limit"
    if (gnu := _GNU_DURATION.fullmatch(found)) is not None:
        seconds = math.ceil(float(gnu["count"]) * _UNITS_S[gnu["unit"]])
    elif (slurm := _SLURM_TIME.fullmatch(found)) is not None:
        seconds = _slurm_seconds({name: int(digits or 0) for name, digits in slurm.groupdict().items()}, text, hint)
    else:
        raise ConfigError(
            f"time limit is {text!r}, expected seconds, a number with s m h d, or Slurm's D-H:M:S", hint=hint
        )
    if seconds > LONGEST_LIMIT_S:
        raise ConfigError(f"time limit is {text!r}, expected at most {LONGEST_LIMIT_S} seconds (ten years)", hint=hint)
    return seconds


def _slurm_seconds(part: dict[str, int], text: str, hint: str) -> int:
    hours, minutes = part["hours"] or part["day_hours"], part["minutes"] or part["day_minutes"]
    seconds = part["seconds"] or part["day_seconds"]
    if part["day_hours"] > 23 or part["day_minutes"] > 59 or seconds > 59 or (part["hours"] and minutes > 59):
        raise ConfigError(
            f"time limit is {text!r}, expected hours below 24 behind days, minutes and seconds below 60", hint=hint
        )
    return ((part["days"] * 24 + hours) * 60 + minutes) * 60 + seconds


def slurm_time(seconds: int) -> str:
    """Return a time limit as Slurm prints it, ``HH:MM:SS`` or ``D-HH:MM:SS``, rounded up to a minute; 0 is no limit."""
    if seconds == 0:
        return "0"
    minutes = -(-seconds // 60)
    days, hours = divmod(minutes // 60, 24)
    clock = f"{hours:02d}:{minutes % 60:02d}:00"
    return f"{days}-{clock}" if days else clock


def read_template(path: Path) -> str:
    """Read a batch script template.

    Raises:
        ConfigError: it cannot be read, or Slurm would refuse whatever is rendered from it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read template {path}: {error.strerror or error}", hint=f"ls -l {path}") from error
    if len(data) > LARGEST_TEMPLATE_BYTES:
        raise ConfigError(f"template {path} has {len(data)} bytes, expected a batch script", hint=f"file {path}")
    if (offset := data.find(b"\0")) >= 0:
        raise ConfigError(f"template {path} holds a NUL byte at offset {offset}, expected text", hint=f"file {path}")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"template {path} holds a byte that is not UTF-8 at offset {error.start}, expected text",
            hint=f"file {path}",
        ) from error
    if "\r" in text:
        raise ConfigError(
            f"template {path} holds carriage returns (line {text[: text.index(chr(13))].count(chr(10)) + 1}), "
            "expected lines that end in a newline alone",
            hint=f"sed -i 's/\\r$//' {shlex.quote(str(path))}",
        )
    if not text.startswith("#!"):
        raise ConfigError(
            f"template {path} begins with {text[:20]!r}, expected '#!/usr/bin/env bash' as its first line",
            hint=f"sed -i '1i #!/usr/bin/env bash' {shlex.quote(str(path))}",
        )
    return text


def render(
    template: str,
    *,
    name: str,
    cmd: Sequence[str],
    filename: Path,
    partition: str,
    gpu: int,
    cpu: int,
    timeout: str,
    prologue: Sequence[str] = (),
) -> str:
    """Return a batch script; see the head of this module.

    Args:
        name: path of the template, for messages.
        cmd: the words of the command.
        filename: absolute path that the script will have.
        partition: empty for the scheduler's default.
        timeout: as typed.
        prologue: lines of bash to put before the first line that does something.

    Raises:
        ConfigError: a variable is missing, or cannot be right where it stands.
    """
    _check_timeout(template, name, timeout)
    script, marks = _without_variables(template)
    places = find_places(script, marks)
    active = [marks[at].variable for at in marks if places[at] not in (Place.COMMENT, Place.DIRECTIVE)]
    if "CMD" not in active:
        raise ConfigError(
            f"template {name} has no $CMD, expected it where the work is to be done", hint=f"add a line $CMD to {name}"
        )
    values = _Values(cmd, filename, partition, gpu, cpu, timeout)
    parts, done = [], 0
    for at in sorted(marks):
        where = f"template {name} line {script.count(chr(10), 0, at) + 1}"
        if places[at] is Place.COMMENT:
            text = marks[at].source
        else:
            text = _insert(marks[at].variable, values, places[at], script, at, where)
        parts += [script[done:at], text]
        done = at + 1
    return _with_prologue("".join([*parts, script[done:]]), prologue)


class _Mark(NamedTuple):
    variable: str
    source: str


class _Values:
    def __init__(self, cmd: Sequence[str], filename: Path, partition: str, gpu: int, cpu: int, timeout: str) -> None:
        # What a shell reads as the words that are meant.
        self.words = {
            "CMD": shlex.join(cmd),
            "FILENAME": shlex.quote(str(filename)),
            "PARTITION": f"-p {shlex.quote(partition)} " if partition else "",
            "GPU": str(gpu),
            "CPU": str(cpu),
            "TIMEOUT": shlex.quote(timeout),
        }
        self.bare = self.words | {"FILENAME": str(filename), "TIMEOUT": timeout}
        for variable, text in self.bare.items():
            if "\0" in text or not _is_utf8(text):
                raise ConfigError(f"${variable} would be {text!r}, expected text that a file can hold")


def _insert(variable: str, values: _Values, place: Place, script: str, at: int, where: str) -> str:
    words, bare = values.words[variable], values.bare[variable]
    if place in (Place.HERE, Place.LITERAL, Place.DIRECTIVE) and "\n" in words:
        raise ConfigError(f"{where} has ${variable} in a {place}, where a value with a line break would end it")
    if place in (Place.DOUBLE, Place.SINGLE) and variable in ("CMD", "PARTITION"):
        _refuse_one_long_word(variable, script, at, where)
    if place is Place.DOUBLE:
        return re.sub(r"([\\\"$`])", r"\\\1", bare)
    if place is Place.SINGLE:
        return words.replace("'", "'\\''")
    if place is Place.HERE:
        return re.sub(r"([\\$`])", r"\\\1", words)
    if place is Place.UNSURE and not _PLAIN.fullmatch(bare):
        raise ConfigError(
            f"{where} has ${variable} inside a nested substitution, expected it where {words[:80]} can be quoted",
            hint=f"set a shell variable before that line: it=${variable}",
        )
    return words


def _refuse_one_long_word(variable: str, script: str, at: int, where: str) -> None:
    """Refuse `"$CMD"` and `timeout 5 "$CMD"`, but neither `bash -c "$CMD"` nor `echo "now: $CMD"`."""
    quote = script[at - 1]
    before = re.split(r"[\n;&|({]|\b(?:then|do|else)\b", script[: at - 1])[-1]
    if quote not in "'\"" or script[at + 1 : at + 2] != quote or (before and not before[-1].isspace()):
        return
    words = before.split()
    runs_words = not words or (Path(words[0]).name in _RUNNERS and not re.fullmatch(r"-[a-z]*c|--wrap", words[-1]))
    if runs_words or variable == "PARTITION":
        raise ConfigError(
            f"{where} has {quote}${variable}{quote}, which is one long word, expected ${variable} without quotes",
            hint=f"every word of ${variable} is quoted already",
        )


def _without_variables(template: str) -> tuple[str, dict[int, _Mark]]:
    """Return the template with one letter for each variable, and the variables by the index of their letter."""
    parts: list[str] = []
    marks: dict[int, _Mark] = {}
    done = length = 0
    for token in _TOKEN.finditer(template):
        variable = token["name"] or token["braced"]
        if not token["dollar"] and variable not in VARIABLES:
            continue
        before = template[done : token.start()]
        length += len(before) + 1
        if variable:
            marks[length - 1] = _Mark(variable, token[0])
        parts += [before, "x" if variable else "$"]
        done = token.end()
    return "".join([*parts, template[done:]]), marks


def _check_timeout(template: str, name: str, timeout: str) -> None:
    code = re.sub(r"(?m)^\s*#.*$", "", template).replace("\\\n", " ")
    if _GNU_DURATION.fullmatch(timeout) or not _FED_TO_TIMEOUT.search(code):
        return
    raise ConfigError(
        f"template {name} hands $TIMEOUT to timeout, found {timeout!r}, expected a number with at most one of s m h d",
        hint=f"TIMEOUT={parse_time_limit(timeout)}",
    )


def _with_prologue(script: str, prologue: Sequence[str]) -> str:
    if not prologue:
        return script
    lines = script.split("\n")
    first = next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return "\n".join([*lines[:first], "", *prologue, *lines[first:]])


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
