"""`datacrumbs_sign_probes`: the service that signs probes files, and the keeper of its keys."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from datacrumbs.configurator.signer import policy
from datacrumbs.configurator.signer.request import Limits, log
from datacrumbs.configurator.signer.server import listen, serve
from datacrumbs.core import cli, config, keys
from datacrumbs.core.config import Config
from datacrumbs.core.errors import NoInputError, RefusedError
from datacrumbs.core.files import make_folder, read_regular, write_atomically
from datacrumbs.core.sdnotify import notify

PROG: Final = "datacrumbs_sign_probes"


def main() -> int:
    """The console script."""
    return cli.main(PROG, run)


def run(argv: Sequence[str]) -> int:
    """Serves until it is told to stop, or does what one of the options asks."""
    options = _options(argv)
    settings = config.load(options.config)
    if options.socket:
        settings = settings._replace(signer_socket=options.socket)
    if os.geteuid() != 0:
        raise RefusedError("only root may sign, or change whom this machine trusts", f"run it with sudo {PROG}")
    if options.show_key:
        sys.stdout.write(_own_key(settings).decode("ascii"))
        return 0
    if options.trust:
        return _trust_file(options.trust, settings.keys_dir)
    return _serve(settings)


def _options(argv: Sequence[str]) -> Namespace:
    parser = cli.parser(
        PROG,
        "Sign the probes files that users ask for, as far as the site's policy allows (root, on login nodes).",
        f"""sudo {PROG} &
sudo {PROG} --show-key > login1.pub
sudo {PROG} --trust login1.pub""",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--show-key", action="store_true", help="print this signer's public key, for other machines")
    which.add_argument("--trust", metavar="FILE", type=Path, help="accept what this public key signed, here")
    parser.add_argument("--socket", metavar="PATH", type=Path, help="where to listen, if not at the configured place")
    parser.add_argument("--config", metavar="PATH", type=Path, help="instead of /etc/datacrumbs/datacrumbs.yaml")
    return parser.parse_args(argv)


def _serve(settings: Config) -> int:
    _make_keys(settings)
    policy.load(settings.policy)  # an administrator wants to hear of a mistake now, not from the first user
    with listen(settings.signer_socket) as listener:
        serve(listener, settings, Limits(), lambda: _announce(settings.signer_socket))
    return 0


def _announce(path: Path) -> None:
    log(f"{PROG}: ready at {path}")
    notify("READY=1")


def _make_keys(settings: Config) -> None:
    """Makes the key pair on the first start and trusts it here, so that one machine works by itself."""
    try:
        keys.load_signing_key(settings.signing_key)
        return
    except NoInputError:
        if settings.signing_key.exists():
            raise
    make_folder(settings.signing_key.parent, 0o700)
    public = keys.create_signing_key(settings.signing_key).public_key()
    log(f"{PROG}: made the signing key {settings.signing_key}")
    trust(public, settings.keys_dir)


def trust(public: Ed25519PublicKey, folder: Path) -> Path:
    """Adds a key to those whose signatures this machine accepts.

    Args:
        public: the signer's public key.
        folder: `keys_dir` of the configuration.

    Returns:
        The key's file.

    Raises:
        ConfigError: somebody but root could change the folder.
        OutputError: it cannot be written.
    """
    make_folder(folder, 0o755)
    keys.secure_folder(folder)
    path = folder / f"{keys.key_id(public)}.pub"
    write_atomically(path, keys.to_pem(public), mode=0o644)
    log(f"{PROG}: this machine trusts key {keys.key_id(public)} now ({path})")
    return path


def _trust_file(file: Path, folder: Path) -> int:
    trust(keys.parse_public(read_regular(file, 4096), str(file)), folder)
    return 0


def _own_key(settings: Config) -> bytes:
    try:
        return keys.to_pem(keys.load_signing_key(settings.signing_key).public_key())
    except NoInputError as error:
        if settings.signing_key.exists():
            raise
        raise NoInputError(
            f"there is no signing key at {settings.signing_key} yet",
            f"start {PROG} once on this machine",
            who="administrator",
        ) from error
