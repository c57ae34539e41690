"""Ed25519 keys: which signers this machine trusts, and the signer's own key.

A file of keys is only as trustworthy as every folder above it, so `secure_folder` and `secure_file` check the whole
path and say precisely what is wrong, in the manner of munge's path_is_secure.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from datacrumbs.core.errors import ConfigError, DataError
from datacrumbs.core.files import open_regular, read_bounded, write_atomically

KEY_ID_LENGTH: Final = 16
"""Hex digits in a key's id."""
MAX_KEYS: Final = 256
_MAX_KEY_BYTES: Final = 4096
_RAW_BYTES: Final = 32
_PLAIN: Final = re.compile(
    rb"-----BEGIN PUBLIC KEY-----\n(MCowBQYDK2VwAyEA[A-Za-z0-9+/]{43}=)\n-----END PUBLIC KEY-----\n*"
)
"""The PEM that `to_pem` writes: RFC 8410 gives every Ed25519 key the same first bytes. It is read without the library's
parser of all key formats, which takes 30 ms to import while a job waits."""
_WRITABLE: Final = stat.S_IWGRP | stat.S_IWOTH


def key_id(key: Ed25519PublicKey) -> str:
    """A key's name: the first 16 hex digits of the SHA-256 of its 32 bytes."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:KEY_ID_LENGTH]


def parse_public(data: bytes, name: str) -> Ed25519PublicKey:
    """Reads a public key: PEM, or its 32 bytes.

    Raises:
        DataError: it is something else; `name` stands for it in the message.
    """
    try:
        if len(data) == _RAW_BYTES:
            return Ed25519PublicKey.from_public_bytes(data)
        if plain := _PLAIN.fullmatch(data):
            return Ed25519PublicKey.from_public_bytes(base64.b64decode(plain[1], validate=True)[-_RAW_BYTES:])
        from cryptography.hazmat.primitives import serialization

        key = serialization.load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise DataError(
            f"{name} is not a public key", "copy it again from 'datacrumbs_sign_probes --show-key'"
        ) from error
    if not isinstance(key, Ed25519PublicKey):
        raise DataError(f"{name} is not an Ed25519 key", "copy it again from 'datacrumbs_sign_probes --show-key'")
    return key


def to_pem(key: Ed25519PublicKey) -> bytes:
    """A public key in the form that `parse_public` reads and people can mail."""
    from cryptography.hazmat.primitives import serialization

    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The public keys that are trusted, by their ids."""

    keys: Mapping[str, Ed25519PublicKey] = field(default_factory=dict)
    source: str = ""
    """The folder they came from, for messages."""

    @staticmethod
    def of(*keys: Ed25519PublicKey) -> KeyRing:
        """A ring of these keys."""
        return KeyRing({key_id(key): key for key in keys})

    @staticmethod
    def load(folder: Path) -> KeyRing:
        """Reads every `*.pub` of a folder; a folder that is missing holds no keys.

        Raises:
            ConfigError: somebody but root could change the folder or a key in it, or a key is malformed.
        """
        if not folder.exists():
            return KeyRing(source=str(folder))
        secure_folder(folder)
        names = sorted(path.name for path in folder.iterdir() if path.name.endswith(".pub"))
        if len(names) > MAX_KEYS:
            raise ConfigError(f"{folder} holds more than {MAX_KEYS} keys", "remove those that are no longer used")
        keys = (_load_public(folder / name) for name in names)
        return KeyRing({key_id(key): key for key in keys}, str(folder))


def _load_public(path: Path) -> Ed25519PublicKey:
    with open_regular(path) as fd:
        secure_file(fd, path, private=False)
        try:
            return parse_public(read_bounded(fd, _MAX_KEY_BYTES, path), str(path))
        except DataError as error:
            raise ConfigError(error.message, "replace or remove it") from error


def create_signing_key(path: Path) -> Ed25519PrivateKey:
    """Makes a signing key, readable by its owner only. A file that exists already is never touched.

    Raises:
        OutputError: the file exists, or cannot be written.
        ConfigError: somebody else could change its folder.
    """
    from cryptography.hazmat.primitives import serialization

    secure_folder(path.parent)
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_atomically(path, pem, mode=0o600, overwrite=False)
    return key


def load_signing_key(path: Path) -> Ed25519PrivateKey:
    """Reads the signing key.

    Raises:
        NoInputError: it is missing.
        ConfigError: somebody else could read or change it, or it is no Ed25519 key.
    """
    from cryptography.hazmat.primitives import serialization

    with open_regular(path) as fd:
        secure_folder(path.parent)
        secure_file(fd, path, private=True)
        data = read_bounded(fd, _MAX_KEY_BYTES, path, error=ConfigError)
    hint = "restore it from a backup, or remove it and let the signer make another"
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{path} is not a signing key", hint) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path} is not an Ed25519 key", hint)
    return key


def secure_file(fd: int, path: Path, *, private: bool) -> None:
    """Refuses an open file that somebody but root (or ourselves) could have written, or with `private` read.

    Raises:
        ConfigError: with the precise reason.
    """
    status = os.fstat(fd)
    _owned(path, status)
    if private and status.st_mode & 0o077:
        raise ConfigError(f"{path} is open to others (mode {status.st_mode & 0o7777:04o})", f"chmod 0600 {path}")
    if status.st_mode & _WRITABLE:
        raise ConfigError(f"{path} is writable by others (mode {status.st_mode & 0o7777:04o})", f"chmod go-w {path}")


def secure_folder(folder: Path) -> None:
    """Refuses a folder that somebody but root (or ourselves) could fill or replace.

    The folder itself must be writable by its owner alone. A folder above may also be sticky, as /tmp is: there,
    nobody can rename what belongs to another.

    Raises:
        ConfigError: with the folder on the way that is at fault, and why.
    """
    try:
        real = folder.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise ConfigError(f"cannot look at {folder}: {error}", f"make it: install -d -m 0755 {folder}") from error
    for step in (real, *real.parents):
        status = step.lstat()
        if not stat.S_ISDIR(status.st_mode):
            raise ConfigError(f"{step} is not a folder", "correct the path in datacrumbs.yaml")
        _owned(step, status)
        sticky = step != real and status.st_mode & stat.S_ISVTX
        if status.st_mode & _WRITABLE and not sticky:
            mode = status.st_mode & 0o7777
            raise ConfigError(f"{step} is writable by others (mode {mode:04o})", f"chmod go-w {step}")


def _owned(path: Path, status: os.stat_result) -> None:
    if status.st_uid not in (0, os.geteuid()):
        raise ConfigError(f"{path} belongs to uid {status.st_uid}, not to root", f"chown root {path}")
