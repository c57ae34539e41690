"""Keys are trusted only from places that nobody but root can change, and the reason is precise."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from datacrumbs.core import keys
from datacrumbs.core.errors import ConfigError, DataError, NoInputError, OutputError
from datacrumbs.core.keys import KeyRing

NOBODY = 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="datacrumbs-keys-") as name:
        yield Path(name)


def put(folder: Path, name: str = "a.pub", data: bytes | None = None, mode: int = 0o644) -> Path:
    path = folder / name
    path.write_bytes(keys.to_pem(Ed25519PrivateKey.generate().public_key()) if data is None else data)
    path.chmod(mode)
    return path


def test_a_ring_holds_pem_and_raw_keys_and_nothing_else(folder: Path) -> None:
    raw = Ed25519PrivateKey.generate().public_key()
    put(folder, "a.pub")
    put(folder, "b.pub", raw.public_bytes_raw())
    put(folder, "README", b"not a key")
    ring = KeyRing.load(folder)
    assert len(ring.keys) == 2
    assert keys.key_id(raw) in ring.keys


def test_a_missing_folder_trusts_nobody(folder: Path) -> None:
    assert not KeyRing.load(folder / "missing").keys


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_a_key_that_others_can_write_is_refused(folder: Path, mode: int) -> None:
    path = put(folder, mode=mode)
    with pytest.raises(ConfigError, match=f"{path} is writable by others"):
        KeyRing.load(folder)


def test_a_key_of_another_owner_is_refused(folder: Path) -> None:
    os.chown(put(folder), NOBODY, NOBODY)
    with pytest.raises(ConfigError, match="belongs to uid 65534, not to root"):
        KeyRing.load(folder)


@pytest.mark.parametrize("above", [False, True])
def test_every_folder_on_the_way_is_checked(folder: Path, above: bool) -> None:
    inner = folder / "etc" / "keys.d"
    inner.mkdir(parents=True)
    put(inner)
    at_fault = inner.parent if above else inner
    at_fault.chmod(0o775)
    with pytest.raises(ConfigError, match=f"{at_fault} is writable by others \\(mode 0775\\)"):
        KeyRing.load(inner)
    at_fault.chmod(0o755)
    os.chown(at_fault, NOBODY, -1)
    with pytest.raises(ConfigError, match=f"{at_fault} belongs to uid 65534"):
        KeyRing.load(inner)


def test_a_link_leads_to_the_check_of_what_it_leads_to(folder: Path) -> None:
    real = folder / "real"
    real.mkdir(mode=0o777)
    real.chmod(0o777)
    (folder / "link").symlink_to(real)
    with pytest.raises(ConfigError, match=f"{real} is writable"):
        KeyRing.load(folder / "link")


def test_a_linked_key_is_refused(folder: Path) -> None:
    (folder / "b.pub").symlink_to(put(folder, "a.pub"))
    with pytest.raises(NoInputError, match=r"b.pub is a symbolic link"):
        KeyRing.load(folder)


@pytest.mark.parametrize(
    "data",
    [b"", b"x" * 31, b"x" * 5000, b"-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n"],
)
def test_what_is_no_key_is_refused(folder: Path, data: bytes) -> None:
    put(folder, data=data)
    with pytest.raises(ConfigError, match=r"a.pub"):
        KeyRing.load(folder)


def test_a_key_of_another_kind_is_refused() -> None:
    pem = keys.to_pem(ec.generate_private_key(ec.SECP256R1()).public_key())  # type: ignore[arg-type]
    with pytest.raises(DataError, match="not an Ed25519 key"):
        keys.parse_public(pem, "k.pub")


def test_a_new_signing_key_is_for_its_owner_alone_and_never_overwritten(folder: Path) -> None:
    path = folder / "signing.key"
    os.umask(0)
    key = keys.create_signing_key(path)
    os.umask(0o022)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    with pytest.raises(OutputError):
        keys.create_signing_key(path)
    assert path.read_bytes() == before
    assert keys.load_signing_key(path).public_key() == key.public_key()
    assert [p.name for p in folder.iterdir()] == ["signing.key"]


def test_a_signing_key_that_others_can_read_is_refused(folder: Path) -> None:
    path = folder / "signing.key"
    keys.create_signing_key(path)
    path.chmod(0o640)
    with pytest.raises(ConfigError, match=r"is open to others \(mode 0640\)"):
        keys.load_signing_key(path)


def test_a_broken_signing_key_is_told(folder: Path) -> None:
    put(folder, "signing.key", b"-----BEGIN nonsense", mode=0o600)
    with pytest.raises(ConfigError, match="is not a signing key"):
        keys.load_signing_key(folder / "signing.key")
