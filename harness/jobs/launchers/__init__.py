"""How tasks are started and looked after: as processes of this machine, or by Slurm."""
