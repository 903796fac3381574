#!/bin/bash
#SBATCH --open-mode=append
conda activate driving
echo "running on $HOSTNAME since $(date +%T)"

timeout $TIMEOUT $CMD

# 124 is what timeout says when it had to end the command.
if [[ $? -eq 124 ]]; then
    sbatch $PARTITION--gres=gpu:$GPU -c $CPU --parsable --output "${FILENAME}-slurm-%j.out" $FILENAME
fi
