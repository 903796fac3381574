"""harness doctor: what this machine and the compute nodes offer."""

from __future__ import annotations

import platform
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.commands.options import OUTPUT, words
from harness.errors import EXIT_COMPLETE, EXIT_PARTIAL
from harness.render import print_success
from harness.render_doctor import print_checks, print_document, print_nodes, print_summary

if TYPE_CHECKING:
    from harness.stages.doctor_probe import ProbeCall


@click.command("doctor")
@click.option("--partition", callback=words, metavar="NAMES", help="Slurm partitions; a job looks at a node of each.")
@click.option("--account", default="", metavar="NAME", help="Slurm account of these jobs; see harness.toml.")
@click.option(
    "--gpu",
    type=click.IntRange(0, 64),
    metavar="N",
    help="GPUs of each job.  [default: 1 where the partition has some]",
)
@click.option("--qos", default="", metavar="NAME", help="Slurm quality of service of these jobs.")
@click.option("--constraint", default="", metavar="TEXT", help="Features of the nodes.")
@click.option("--mem", default="", metavar="SIZE", help="Memory of each job, as Slurm takes it, e.g. 16G.")
@click.option("--print-only", is_flag=True, help="Examine and write nothing; print the jobs that would be submitted.")
@click.option("--here", is_flag=True, hidden=True, help="This is a compute node.")
@click.option("--report", type=click.Path(path_type=Path), hidden=True, help="File for what was found here.")
@OUTPUT
def doctor_command(
    partition: tuple[str, ...],
    account: str,
    gpu: int | None,
    qos: str,
    constraint: str,
    mem: str,
    print_only: bool,
    here: bool,
    report: Path | None,
    output: str,
) -> int:
    """Check this machine and, through a short job, a node of each partition; say what to do about what is missing.

    No GPU, no Slurm and no Apptainer are no errors: the embedded simulator needs none of them.
    """
    from harness.jobs.profile import load_profile
    from harness.stages.doctor import examine_here, exit_code, working_folder
    from harness.stages.doctor_follow import ProbeOptions
    from harness.stages.doctor_node import write_report
    from harness.stages.doctor_probe import foresee, probe, require_slurm

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    profile = load_profile(Path.cwd()).merged(account=account, qos=qos, mem=mem, constraint=constraint)
    options = ProbeOptions(profile=profile, gpu=gpu)
    if print_only:
        _print_calls(foresee(partition, options), output)
        return EXIT_COMPLETE
    if partition:
        require_slurm()
    if report is not None:
        checks = write_report(report, profile, say)
    else:
        checks = examine_here(working_folder(), profile, say, is_node=here)
    if output == "text":
        # Before the nodes, which may have to be waited for.
        print_checks(f"this machine ({platform.node()})", checks)
    nodes = probe(partition, options, say) if partition else []
    every = [*checks, *(check for node in nodes for check in node.checks)]
    code = exit_code(every)
    if code == EXIT_COMPLETE and not all(node.is_answered for node in nodes):
        code = EXIT_PARTIAL
    if output == "text":
        print_nodes(nodes)
        print_summary(every, code)
    else:
        print_document(platform.node(), checks, nodes, code)
    return code


def _print_calls(calls: Sequence[ProbeCall], output: str) -> None:
    """Print the scripts and the exact command lines."""
    if output == "json":
        found = [{"partition": call.partition, "command": list(call.command), "script": call.text} for call in calls]
        print_success("doctor", {"submissions": found})
        return
    for call in calls:
        click.echo(f"--- {call.script}")
        click.echo(call.text.rstrip("\n"))
        click.echo("---")
        click.echo(shlex.join(call.command))
    if not calls:
        click.echo("this machine would be looked at; a job is submitted for each PARTITION, found none")
