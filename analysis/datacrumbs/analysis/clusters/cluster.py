"""Dask clusters: what all answers that their workers make have in common.

A worker reads its share of the traces (cluster_sums.py, cluster_calls.py), keeps what it read, and answers questions
about it. When a worker dies, Dask has others read its share again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from datacrumbs.analysis.clusters import workerjobs
from datacrumbs.core.errors import BusyError, DataCrumbsError, UnavailableError, UsageError

if TYPE_CHECKING:
    from dask_jobqueue import JobQueueCluster
    from distributed import Client

CONNECT_SECONDS: Final = 10
"""How long the scheduler may take to answer at first."""


@contextmanager
def connected(scheduler: str) -> Iterator[Client]:
    """A client of the scheduler at an address, or of one with workers in jobs that are there for so long.

    Raises:
        UsageError: that is no address.
        UnavailableError: Dask is not installed, or the scheduler does not answer.
        NoInputError: something cannot be read where a worker is.
        BusyError: there is not enough memory on a worker.
    """
    try:
        import distributed
    except ImportError as error:
        raise UnavailableError(
            "Dask is not installed where datacrumbs_analyze runs",
            "pip install 'datacrumbs[dask]' here and on the workers", who="user",
        ) from error  # fmt: skip
    # Its own reports of lost connections come besides ours, and with tracebacks.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    if workerjobs.are_wanted(scheduler):
        with workerjobs.started(scheduler) as jobs, _client(jobs, scheduler) as client:
            yield client
        return
    try:
        # A client that is given a wrong address tries for long.
        distributed.comm.registry.get_backend(distributed.comm.parse_address(scheduler)[0])
        distributed.comm.get_address_host_port(scheduler, strict=True)
    except (ValueError, NotImplementedError) as error:
        raise UsageError(
            f"'{scheduler}' is not the address of a Dask scheduler", "give one such as tcp://login1:8786"
        ) from error
    with _client(scheduler, scheduler) as client:
        yield client


@contextmanager
def _client(target: str | JobQueueCluster, scheduler: str) -> Iterator[Client]:
    import distributed

    try:
        client = distributed.Client(target, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise UnavailableError(
            f"no Dask scheduler answers at {scheduler}", "see whether it runs, and which address it printed", who="user"
        ) from error
    try:
        with client:
            yield client
    except DataCrumbsError:
        raise
    except distributed.scheduler.KilledWorker as error:
        raise BusyError(
            "a part of the traces ended every worker that read it, most likely for want of memory",
            "give the workers more memory or fewer threads",
        ) from error
    except (ModuleNotFoundError, ImportError) as error:
        raise UnavailableError(
            f"a Dask worker cannot load what it needs: {error}",
            "install the same datacrumbs on all workers",
            who="user",
        ) from error
    except (distributed.client.FutureCancelledError, distributed.comm.CommClosedError, TimeoutError) as error:
        raise UnavailableError(
            f"the Dask cluster at {scheduler} went away", "see its log, and ask again", who="user"
        ) from error
