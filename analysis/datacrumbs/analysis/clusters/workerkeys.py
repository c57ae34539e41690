"""The key of a Dask cluster of jobs: who has it may talk to the cluster's scheduler, and nobody else."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from distributed import Security


class Keys(Security):
    """Keys and certificates whose connections may end without a goodbye: Dask's messages say how long they are.

    Otherwise, and so by default since Python 3.13, OpenSSL sends an alert to who has gone. Since its version 3.4, the
    error of that stays with the thread, and the next connections are taken for broken, too:
    https://github.com/python/cpython/issues/148594.
    """

    def get_listen_args(self, role: str) -> dict[str, Any]:
        """What a listener of that role (scheduler, worker, client) is made with."""
        return _tolerant(super().get_listen_args(role))

    def get_connection_args(self, role: str) -> dict[str, Any]:
        """What a connection of that role is made with."""
        return _tolerant(super().get_connection_args(role))


def _tolerant(arguments: dict[str, Any]) -> dict[str, Any]:
    arguments["ssl_context"].options |= getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)  # OpenSSL 3.0
    return arguments


def made(folder: Path) -> Keys:
    """A key that nobody else has, with its certificate, as files that workers read.

    Args:
        folder: where they will be; only the user may look into it.
    """
    new = Security.temporary().get_tls_config_for_role("worker")
    files = {name: folder / name for name in ("ca_file", "cert", "key")}
    for name, path in files.items():
        path.write_text(new[name])
    roles = ("scheduler", "worker", "client")
    keys = {f"tls_{role}_{name}": str(files[name]) for role in roles for name in ("cert", "key")}
    return Keys(require_encryption=True, tls_ca_file=str(files["ca_file"]), **keys)
