"""The command line: options in, one stage called, its result handed to `render`. Nothing else happens here.

stdout carries the answer, stderr progress and logs. Exit codes: 0 complete, 3 partial, 1 error, 2 usage.
"""

from __future__ import annotations

import errno
import sys
import traceback
from itertools import pairwise
from typing import Any

import click

from harness import __version__
from harness.commands.carla_root import carla_root_command, carla_ue4_command
from harness.commands.checkpoint import checkpoint_command
from harness.commands.collect import collect_command
from harness.commands.dataset import clean_failed_command, dataset_group
from harness.commands.doctor import doctor_command
from harness.commands.evaluate import eval_command, list_command
from harness.commands.jobs import check_agent_command, drive_unit_command, work_command
from harness.commands.navsim import navsim_command
from harness.commands.runs import reconcile_command, scancel_command, status_command
from harness.commands.score import score_command
from harness.commands.simulator import routes_group, simulator_command, towns_group
from harness.config import ensure_home, is_verbose
from harness.errors import EXIT_COMPLETE, EXIT_ERROR, EXIT_USAGE, HarnessError
from harness.render import print_json


def main() -> None:
    """Run the command line and exit; errors the user can act on are one line without a traceback."""
    command = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    wants_json = "--output=json" in sys.argv or ("--output", "json") in pairwise(sys.argv)
    try:
        ensure_home()
        code = cli.main(prog_name="harness", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else EXIT_COMPLETE)
    except HarnessError as error:
        _fail(command, error.message, error.hint, error.exit_code, as_json=wants_json)
    except click.exceptions.NoArgsIsHelpError as error:
        # `harness` alone: the whole help, not a line that squeezes it.
        click.echo(error.format_message(), err=True)
        sys.exit(EXIT_USAGE)
    except click.UsageError as error:
        hint = f"{error.ctx.command_path} --help" if error.ctx is not None else "harness --help"
        text = error.format_message()
        _fail(command, text[:1].lower() + text[1:].rstrip("."), hint, EXIT_USAGE, as_json=wants_json)
    except (click.Abort, KeyboardInterrupt):
        _fail(command, "interrupted", None, EXIT_ERROR, as_json=wants_json)
    except OSError as error:
        _fail(command, *_explain(error), EXIT_ERROR, as_json=wants_json)
    except Exception as error:
        # A defect of ours, or a case that nobody thought of. What a job says goes to its log, which wants all of it.
        if is_verbose() or "--verbose" in sys.argv or "--parent" in sys.argv:
            traceback.print_exc()
        text = f"unexpected {type(error).__name__}: {error}"
        hint = "the same command with HARNESS_VERBOSE=1 or --verbose, and report it"
        _fail(command, text, hint, EXIT_ERROR, as_json=wants_json)


def _explain(error: OSError) -> tuple[str, str]:
    """Return what the system refused, and a hint."""
    reason = error.strerror or str(error)
    if error.filename is not None:
        return f"cannot use {error.filename}: {reason}", "df -h . and ls -ld show room and rights"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
        return f"cannot write: {reason}", "df -h ."
    return f"the system refused a call: {reason}", "the same command with HARNESS_VERBOSE=1"


def _fail(command: str, message: str, hint: str | None, code: int, *, as_json: bool) -> None:
    one_line = " ".join(message.split())
    if as_json:
        print_json(
            {"version": 1, "command": command, "status": "error", "exit_code": code, "data": None, "errors": [one_line]}
        )
    click.echo(f"error: {one_line}" + (f" (try: {hint})" if hint else ""), err=True)
    sys.exit(code)


class _Commands(click.Group):
    """Commands that end with one line, not two, when the user interrupts them."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.Abort from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="harness")
def cli() -> None:
    """Evaluate driving policies in CARLA, with or without a GPU."""


for _command in (
    eval_command,
    score_command,
    checkpoint_command,
    navsim_command,
    collect_command,
    status_command,
    scancel_command,
    doctor_command,
    clean_failed_command,
    dataset_group,
    reconcile_command,
    list_command,
    simulator_command,
    carla_root_command,
    carla_ue4_command,
    routes_group,
    towns_group,
    work_command,
    drive_unit_command,
    check_agent_command,
):
    cli.add_command(_command)
