"""The signed probes file: what is not exactly what was signed is refused, each case with its own reason."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from datacrumbs.core import envelope
from datacrumbs.core.errors import DataCrumbsError, DataError, RefusedError
from datacrumbs.core.keys import KeyRing, key_id
from datacrumbs.core.probes import Argument, Binary, Capture, FileRef, Function, Probe, ProbeSet, Syscall
from hypothesis import given
from hypothesis import strategies as st

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
RING = KeyRing.of(KEY.public_key())
SIGNED = envelope.Signed(uid=1000, user="ada", issued=1_000_000, expires=2_000_000, host="login1")
PROBES = ProbeSet(
    arch="x86_64",
    probes=(
        Probe(
            "open64",
            "POSIX",
            "syscall",
            Syscall("openat", 257),
            Capture((Argument("flags", 2, "hex"),), (FileRef(path=1, directory=0, returned=True),), returns="errno"),
        ),
        Probe("fwrite", "C", "uprobe", Function(0, 0x1234, "fwrite")),
    ),
    files=(Binary("/usr/lib/libc.so.6", "0123456789abcdef"),),
    excluded=("libc: vfork: returns twice",),
)
PAYLOAD = envelope.payload(SIGNED, PROBES)
SEALED = envelope.seal(PAYLOAD, KEY)
HEADER, BODY, _ = gzip.decompress(SEALED).split(b"\n")


def unseal(raw: bytes, *, uid: int = 1000, now: float = 1_500_000) -> envelope.Sealed:
    return envelope.unseal(raw, RING, uid=uid, now=now)


def sealed(document: Any) -> bytes:
    return envelope.seal(document if isinstance(document, bytes) else json.dumps(document).encode(), KEY)


def with_signed(**changes: Any) -> bytes:
    return sealed({"signed": SIGNED.to_json() | changes, "probes": PROBES.to_json()})


def with_probes(**changes: Any) -> bytes:
    return sealed({"signed": SIGNED.to_json(), "probes": PROBES.to_json() | changes})


def test_what_was_sealed_comes_back() -> None:
    result = unseal(SEALED)
    assert result.probes == PROBES
    assert (result.uid, result.user, result.issued, result.expires, result.host) == (
        1000,
        "ada",
        1_000_000,
        2_000_000,
        "login1",
    )
    assert result.key == key_id(KEY.public_key())


def test_sealing_is_deterministic() -> None:
    assert envelope.seal(PAYLOAD, KEY) == SEALED


def test_the_file_is_two_lines_of_json_for_zcat_and_jq() -> None:
    first, second = gzip.decompress(SEALED).splitlines()
    assert json.loads(first)["datacrumbs"] == 1
    assert json.loads(second)["signed"]["uid"] == 1000


@pytest.mark.parametrize(
    ("raw", "error", "reason"),
    [
        (b"", DataError, "is empty"),
        (b"\x1f", DataError, "is cut off"),
        (b"hello", DataError, "is not gzip"),
        (b"\x1f\x8bhello, hello, hello", DataError, "is damaged"),
        (SEALED[:-1], DataError, "is cut off"),
        (SEALED[: len(SEALED) // 2], DataError, "is cut off"),
        (SEALED + b"x", DataError, "bytes after its end"),
        (SEALED + SEALED, DataError, "bytes after its end"),
        (SEALED[:-8] + b"\0\0\0\0" + SEALED[-4:], DataError, "is damaged"),
        (gzip.compress(bytes(envelope.MAX_UNPACKED + 1)), DataError, "unpacks to more than"),
        (bytes(envelope.MAX_PACKED + 1), DataError, "is larger than"),
        (gzip.compress(BODY + b"\n"), DataError, "two lines"),
        (gzip.compress(HEADER + b"\n" + BODY), DataError, "two lines"),
        (gzip.compress(HEADER + b"\n" + BODY + b"\nmore"), DataError, "two lines"),
        (gzip.compress(b"{}\n" + BODY + b"\n"), DataError, "malformed header"),
        (gzip.compress(HEADER.replace(b":1,", b": 1,") + b"\n" + BODY + b"\n"), DataError, "malformed header"),
        (gzip.compress(HEADER.replace(b":1,", b":2,") + b"\n" + BODY + b"\n"), DataError, "has version 2"),
        (gzip.compress(b'{"datacrumbs":7}\n' + BODY + b"\n"), DataError, "has version 7"),
        (gzip.compress(HEADER + b"\n" + BODY.replace(b"1000,", b"1001,") + b"\n"), RefusedError, "was changed after"),
        (gzip.compress(HEADER + b"\n" + BODY + b" \n"), RefusedError, "was changed after"),
        (envelope.seal(PAYLOAD, Ed25519PrivateKey.generate()), RefusedError, "does not trust"),
        (sealed(b"not json"), DataError, "is not JSON"),
        (sealed(b"[" * 100 + b"]" * 100), DataError, "nested deeper"),
        (sealed(b"[" + b"0," * 2_000_001 + b"0]"), DataError, "more than 2000000 values"),
        (sealed(b'{"signed":1,"signed":2}'), DataError, "there twice"),
        (sealed(b'{"signed":NaN,"probes":1}'), DataError, "NaN"),
        (sealed(b'{"signed":"\\ud800","probes":1}'), DataError, "is not JSON"),
        (sealed([]), DataError, "does not consist"),
        (sealed({"signed": {}, "probes": {}, "more": 1}), DataError, "does not consist"),
        (sealed({"signed": 1, "probes": {}}), DataError, "'signed' does not hold"),
        (with_signed(extra=1), DataError, "'signed' does not hold"),
        (with_signed(uid=True), DataError, "signed.uid"),
        (with_signed(uid=-1), DataError, "signed.uid"),
        (with_signed(uid=2**32 - 1), DataError, "signed.uid"),
        (with_signed(expires=10**30), DataError, "signed.expires"),
        (with_signed(user=5), DataError, "signed.user"),
        (with_probes(version=2), DataError, "format version 2"),
        (with_probes(probes=[]), DataError, "names no function"),
        (with_probes(unknown=1), DataError, "unknown is unknown"),
        (with_probes(files=[]), DataError, r"probes\[1\].file"),
        (with_probes(files=[{"path": "relative", "build_id": "00"}]), DataError, "not an absolute path"),
        (with_probes(files=[{"path": "/a", "build_id": "zz"}]), DataError, "not a build id"),
        (with_probes(min_duration_ns=1.5), DataError, "min_duration_ns"),
    ],
)
def test_each_kind_of_damage_has_its_reason(raw: bytes, error: type[DataCrumbsError], reason: str) -> None:
    with pytest.raises(error, match=reason):
        unseal(raw)


def test_it_is_for_one_user_only() -> None:
    with pytest.raises(RefusedError, match=r"signed for ada \(uid 1000\), not for uid 0"):
        unseal(SEALED, uid=0)


@pytest.mark.parametrize(
    ("now", "reason"),
    [(2_000_000, "expired on 1970-01-24"), (1_000_000 - envelope.CLOCK_SKEW - 1, "valid only from 1970-01-12")],
)
def test_it_is_for_its_time_only(now: float, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        unseal(SEALED, now=now)


def test_clocks_may_differ_a_little() -> None:
    assert unseal(SEALED, now=1_000_000 - envelope.CLOCK_SKEW + 1).uid == 1000


def test_a_bomb_takes_no_more_memory_than_the_limit() -> None:
    bomb = zlib.compressobj(9, zlib.DEFLATED, 31)
    raw = b"".join(bomb.compress(bytes(1 << 20)) for _ in range(1024)) + bomb.flush()
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="unpacks to more"):
            unseal(raw)
        assert tracemalloc.get_traced_memory()[1] < 2.5 * envelope.MAX_UNPACKED
    finally:
        tracemalloc.stop()


@given(st.integers(0, 8 * len(SEALED) - 1))
def test_no_flipped_bit_goes_unnoticed(bit: int) -> None:
    """Except in the gzip header's text flag, time and system fields, which say nothing about the content (RFC 1952)."""
    flipped = bytearray(SEALED)
    flipped[bit // 8] ^= 1 << bit % 8
    try:
        result = unseal(bytes(flipped))
    except (DataError, RefusedError):
        return
    assert result == unseal(SEALED)
    assert bit == 8 * 3 or 4 <= bit // 8 < 10


@given(st.binary(max_size=200))
def test_whatever_the_bytes_the_outcome_is_an_error_of_ours(data: bytes) -> None:
    for raw in (data, SEALED[:10] + data, gzip.compress(data), gzip.compress(HEADER + b"\n" + data + b"\n")):
        with pytest.raises((DataError, RefusedError)):
            unseal(raw)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(PROBES.to_json())), inner),
        max_leaves=10,
    )
)
def test_whatever_a_signer_signs_the_reader_does_not_fall_over(value: Any) -> None:
    with pytest.raises(DataError):
        unseal(sealed({"signed": SIGNED.to_json(), "probes": value}))
