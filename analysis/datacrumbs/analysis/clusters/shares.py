"""What tasks read: it stays on their workers, and the client gets what it must know of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from datacrumbs.analysis import progress

if TYPE_CHECKING:
    from distributed import Client

Kept = TypeVar("Kept")
Told = TypeVar("Told")


@dataclass(frozen=True, slots=True)
class Share(Generic[Kept, Told]):
    """What one task read: what its worker keeps, and what the client is told."""

    kept: Kept
    told: Told


def read(
    client: Client, task: Callable[..., Share[Any, Any]], arguments: Sequence[tuple[Any, ...]], sizes: Sequence[int]
) -> list[Any]:
    """The shares that workers have read, as futures.

    Args:
        client: of the cluster.
        task: reads one of them.
        arguments: of each task.
        sizes: the bytes that each task reads.
    """
    shares = []
    with progress.bar("reading", sum(sizes)) as advance:
        for own, size in zip(arguments, sizes, strict=True):
            share = client.submit(task, *own, pure=False)
            share.add_done_callback(lambda _, amount=size: advance(amount))
            shares.append(share)
        for share in shares:
            share.result()
    return shares


def told(client: Client, shares: Sequence[Any]) -> list[Any]:
    """What the client is told of shares."""
    return list(client.gather([client.submit(_told, share, pure=False) for share in shares]))


def kept(client: Client, shares: Sequence[Any]) -> list[Any]:
    """What workers keep of shares, as futures."""
    return [client.submit(_kept, share, pure=False) for share in shares]


def _told(share: Share[Any, Told]) -> Told:
    return share.told


def _kept(share: Share[Kept, Any]) -> Kept:
    return share.kept
