#!/usr/bin/env bash
# Cancels everything that this run has submitted. Written anew with every submission; safe to run twice.
set -u -o pipefail
user=$(id -un)
unset "${!SQUEUE_@}" "${!SCANCEL_@}"

# While this file is there, nothing more is submitted.
touch '/data/runs/it'"'"'s one/2026-11-20_10-00-00/cancelled' || exit 1

jobs_of_run() {
  squeue --noheader --user="$user" --format=%F --name=eval_mini_0123456789ab,eval_mini_0123456789ab.sbatch,collect_mini_0123456789ab,collect_mini_0123456789ab.sbatch || return 1
  printf '%s\n' 17 18
}

if ! found=$(jobs_of_run | sort -u); then
  echo 'Slurm does not answer: type the same again' >&2
  exit 1
fi
if [ -z "$found" ]; then
  echo 'no job of this run is waiting or running'
  exit 0
fi
xargs -n 100 scancel <<<"$found" || exit 1
echo "Slurm was asked to end $(tr '\n' ' ' <<<"$found")"
echo "squeue --user=$user shows what is left"
