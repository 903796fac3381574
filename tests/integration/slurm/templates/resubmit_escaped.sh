#!/bin/bash
# Written for Python's string.Template: the shell's own dollars are doubled.
source $$HOME/.bashrc
conda activate driving
cd $$SLURM_SUBMIT_DIR || exit 1

timeout --signal=TERM $TIMEOUT $CMD
exit_code=$$?
if [[ $$exit_code -eq 124 ]]; then
    next=$$(sbatch $PARTITION--gres=gpu:$GPU -c $CPU --parsable --output $FILENAME-slurm-%j.out $FILENAME)
    echo "time is up, $$next goes on"
fi
exit $$exit_code
