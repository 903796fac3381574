"""What the files of a private Slurm cluster say, and which ports it has to itself."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import secrets
import socket
import tempfile
from pathlib import Path
from typing import IO

NODES = ("gpu2080-01", "gpu2080-02", "a100-01", "cpu-01")
PARTITIONS = ("gpu-2080ti", "gpu-2080ti-preemptable", "a100-galvani", "cpu")
# Below the ports that the kernel hands out by itself, above those of simulators.
FIRST_PORT, LAST_PORT, BLOCK_SIZE = 29100, 31900, 10
LONGEST_SOCKET_PATH = 107

# cred_expire=5: a requeued job waits for the end of its credential, two minutes otherwise.
# linuxproc, task/none: no cgroups. config_overrides: nodes may claim more cores and memory than the machine has.
# ReturnToService=2: a node that answers again is used again.
SLURM_CONF = """\
ClusterName=harness
SlurmctldHost={host}({address})
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={spool}/munge.socket,cred_expire=5
{communication}
StateSaveLocation={folder}/state
SlurmdSpoolDir={spool}/%n
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd.%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.%n.log
PlugStackConfig={folder}/etc/plugstack.conf
MailProg=/bin/true
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=100
GresTypes=gpu
SlurmdParameters=config_overrides
ReturnToService=2
SlurmctldTimeout=30
SlurmdTimeout=10
MessageTimeout=10
BatchStartTimeout=10
KillWait=2
MinJobAge=300
MaxArraySize=20001
MaxJobCount=50000
JobRequeue=1
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1,batch_sched_delay=0
PriorityType=priority/basic
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=gpu2080-01 NodeHostname={host} NodeAddr={address} Port={ports[0]} CPUs=16 RealMemory=64000 Gres=gpu:2080ti:8
NodeName=gpu2080-02 NodeHostname={host} NodeAddr={address} Port={ports[1]} CPUs=16 RealMemory=64000 Gres=gpu:2080ti:8
NodeName=a100-01 NodeHostname={host} NodeAddr={address} Port={ports[2]} CPUs=32 RealMemory=128000 Gres=gpu:a100:4
NodeName=cpu-01 NodeHostname={host} NodeAddr={address} Port={ports[3]} CPUs=64 RealMemory=64000
PartitionName=DEFAULT State=UP MaxTime=3-00:00:00 DefaultTime=10:00 PriorityTier=10
PartitionName=gpu-2080ti Nodes=gpu2080-[01-02] Default=YES
PartitionName=gpu-2080ti-preemptable Nodes=gpu2080-[01-02] PriorityTier=1 PreemptMode=REQUEUE GraceTime=0
PartitionName=a100-galvani Nodes=a100-01
PartitionName=cpu Nodes=cpu-01
"""
# A count alone gives no GPUs: each needs a device file, and a link to /dev/null passes for one.
GRES_CONF = """\
NodeName=gpu2080-[01-02] Name=gpu Type=2080ti File={folder}/dev/gpu[0-7]
NodeName=a100-01 Name=gpu Type=a100 File={folder}/dev/gpu[0-3]
"""


class PortLock:
    """Ports that nobody listens in and that no other test worker takes until `release` or the end of this process."""

    def __init__(self) -> None:
        folder = Path(tempfile.gettempdir()) / f"slurm-test-ports-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        for first in range(FIRST_PORT, LAST_PORT, BLOCK_SIZE):
            self._lock: IO[str] = (folder / f"{first}.lock").open("a")
            with contextlib.suppress(OSError):
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                for port in range(first, first + 1 + len(NODES)):
                    with socket.socket() as probe:
                        probe.bind(("", port))
                self.first = first
                return
            self._lock.close()
        raise RuntimeError(f"no free block of {BLOCK_SIZE} ports between {FIRST_PORT} and {LAST_PORT}")

    def release(self) -> None:
        """Let others have the ports."""
        self._lock.close()


def user_name() -> str:
    """Return the name of who runs this process, whatever the environment says."""
    return pwd.getpwuid(os.getuid()).pw_name


def write_files(folder: Path, spool: Path, first_port: int) -> None:
    """Write configuration, key and device files of a cluster into its folder.

    Raises:
        RuntimeError: the path of the spool is too long to hold sockets.
    """
    longest = spool / NODES[0] / f"{NODES[0]}_1000000.4294967291"
    if len(str(longest)) > LONGEST_SOCKET_PATH:
        raise RuntimeError(f"the path {longest} is too long for a socket; set TMPDIR to a folder with a shorter path")
    for name in ("etc", "state", "run", "log", "dev"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for node in NODES:
        (spool / node).mkdir()
    for number in range(8):
        (folder / f"dev/gpu{number}").symlink_to("/dev/null")
    key = folder / "etc/munge.key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(1024))
    host = socket.gethostname().partition(".")[0]
    address, communication = _address_of(host)
    text = SLURM_CONF.format(
        folder=folder,
        spool=spool,
        user=user_name(),
        host=host,
        address=address,
        communication=communication,
        port=first_port,
        ports=range(first_port + 1, first_port + 1 + len(NODES)),
    )
    (folder / "etc/slurm.conf").write_text(text)
    (folder / "etc/gres.conf").write_text(GRES_CONF.format(folder=folder))
    for name in ("cgroup.conf", "plugstack.conf"):
        (folder / "etc" / name).write_text("")


def _address_of(host: str) -> tuple[str, str]:
    """Return where the daemons listen and the line that keeps them from listening everywhere else.

    They can be held to one address only: the one that the name of this machine stands for.
    """
    try:
        return socket.gethostbyname(host), "CommunicationParameters=NoInAddrAny,NoCtldInAddrAny"
    except OSError:
        return "127.0.0.1", ""
