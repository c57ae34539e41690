"""Slurm's configuration for the nodes, and what we ask Slurm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_COMMON: Final = """\
ClusterName=nodes
SlurmctldHost={controller}
SlurmUser=slurm
AuthType=auth/munge
StateSaveLocation=/var/lib/slurm/slurmctld
SlurmdSpoolDir=/var/spool/slurmd
SlurmctldLogFile=/var/log/slurm/slurmctld.log
SlurmdLogFile=/var/log/slurm/slurmd.log
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
MailProg=/bin/true

# Nodes share this machine's control groups and processors; neither is what is tested.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU

# As production sites have it: the prolog runs on every node when the job is given its nodes.
PrologFlags=Alloc
PrologEpilogTimeout=60
ReturnToService=2
# A job that is requeued waits until its credential has expired: 120 seconds by default.
AuthInfo=cred_expire=30

# Jobs begin and end at once, as far as Slurm lets them; a machine under load still gets its time.
SchedulerParameters=sched_min_interval=0,batch_sched_delay=0,bf_interval=1
MessageTimeout=60
SlurmdTimeout={node_timeout}
KillWait=5
{more}
NodeName={nodes} CPUs=16 RealMemory=16000 State=UNKNOWN
PartitionName=main Nodes={nodes} Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
"""
CGROUP_CONF: Final = {"22.05": "CgroupPlugin=cgroup/v1\n", "24.11": "CgroupPlugin=disabled\n"}


def slurm_conf(names: Sequence[str], *, node_timeout: int = 30, more: str = "") -> str:
    """The text of slurm.conf.

    Args:
        names: of the nodes; the first one is also the controller.
        node_timeout: seconds until a node that does not answer is taken for down.
        more: further lines.
    """
    return _COMMON.format(controller=names[0], nodes=",".join(names), node_timeout=node_timeout, more=more)


def cgroup_conf(version: str) -> str:
    """The text of cgroup.conf for what `slurmd -V` says: the plugin was named otherwise before 23.11.

    Source: https://slurm.schedmd.com/cgroup.conf.html, CgroupPlugin.
    """
    numbers = tuple(int(part) for part in version.split()[-1].split(".")[:2])
    return CGROUP_CONF["24.11" if numbers >= (23, 11) else "22.05"]
