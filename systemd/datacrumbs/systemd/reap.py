"""The reaper: stops what a node still traces of jobs that are gone, because their epilog never came."""

from __future__ import annotations

from datacrumbs.core.config import Config
from datacrumbs.core.errors import UsageError
from datacrumbs.systemd import helper, telling, unit
from datacrumbs.systemd.job import SCHEDULERS, Job, check_id
from datacrumbs.systemd.liveness import GRACE_SECONDS, is_gone, living


def reap(config: Config, grace: float = GRACE_SECONDS) -> list[str]:
    """Ends the runs of schedulers' jobs that are gone (`liveness.is_gone`), and forgets those whose unit is gone, too.

    Runs that no scheduler started are left alone: whoever started them ends them. So are files that are no run's.

    Returns:
        The ids of the jobs that were reaped.
    """
    unit.require_systemd()
    alive = living()
    reaped = []
    for path in sorted(config.run_dir.glob("*.env")):
        try:
            job = Job(check_id(path.stem), config.run_dir)
        except UsageError as error:
            telling.journal(f"{path} is left alone: {error.message}; remove it", telling.NOTICE)
            continue
        if job.environment().get("DATACRUMBS_SCHEDULER") not in SCHEDULERS:
            continue
        if is_gone(job, alive.get(job.id), grace=grace):
            telling.journal(
                f"no process of job {job.id} is on this node any more, and no epilog came: its trace is closed",
                telling.NOTICE,
                {"RUN_ID": job.id, "JOB_ID": job.id},
            )
            helper.stop(job, config)
            reaped.append(job.id)
    return reaped
