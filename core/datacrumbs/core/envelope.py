"""The probes file: a resolved selection under a signature.

It is gzip over two lines of JSON, so `zcat probes.json.gz | jq` shows all of it:

    {"datacrumbs":1,"key":"<key id>","signature":"<base64>"}
    {"signed":{"uid":…,"user":…,"issued":…,"expires":…,"host":…},"probes":{…}}

The signature is Ed25519 over the exact bytes of the second line without its line end. The first line is matched, not
parsed, and the second is parsed only after its bytes are verified.
"""

from __future__ import annotations

import base64
import hashlib
import re
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from datacrumbs.core import jsontext
from datacrumbs.core.errors import DataError, RefusedError
from datacrumbs.core.keys import KEY_ID_LENGTH, KeyRing, key_id
from datacrumbs.core.probes import ProbeSet

VERSION: Final = 1
MAX_PACKED: Final = 16 << 20
"""Most bytes of a probes file; what its reader should hand to `read_bounded`."""
MAX_UNPACKED: Final = 64 << 20
CLOCK_SKEW: Final = 300.0
"""Seconds by which the clocks of signer and node may differ."""
_LATEST: Final = 1 << 40
"""Later than any time of day that `time.gmtime` must print, in seconds."""

_AGAIN: Final = "make it again with datacrumbs_probe_configurator"
_HEADER: Final = re.compile(
    rb'\{"datacrumbs":([0-9]{1,9}),"key":"([0-9a-f]{%d})","signature":"([A-Za-z0-9+/]{86}==)"\}' % KEY_ID_LENGTH
)
_OTHER_VERSION: Final = re.compile(rb'\{"datacrumbs":([0-9]{1,9})[,}]')


@dataclass(frozen=True, slots=True)
class Signed:
    """What the signer adds to a selection; it takes nothing of this from the request."""

    uid: int
    user: str
    issued: int
    """Seconds since 1970."""
    expires: int
    host: str
    """Where the signer runs."""

    def to_json(self) -> dict[str, Any]:
        """The `signed` member of the document."""
        return {name: getattr(self, name) for name in ("uid", "user", "issued", "expires", "host")}


@dataclass(frozen=True, slots=True)
class Sealed:
    """A probes file whose signature, owner and dates have been checked."""

    uid: int
    user: str
    issued: int
    expires: int
    host: str
    probes: ProbeSet
    digest: str
    """SHA-256 of the payload in hex: the same selection signed once has one digest everywhere."""
    key: str
    """Id of the key that signed it."""


def payload(signed: Signed, probes: ProbeSet) -> bytes:
    """The bytes to sign."""
    return jsontext.dump({"signed": signed.to_json(), "probes": probes.to_json()})


def seal(payload: bytes, key: Ed25519PrivateKey) -> bytes:
    """Signs a payload and packs it; the same payload and key always give the same bytes."""
    signature = base64.b64encode(key.sign(payload)).decode("ascii")
    header = f'{{"datacrumbs":{VERSION},"key":"{key_id(key.public_key())}","signature":"{signature}"}}'
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    return packer.compress(header.encode("ascii") + b"\n" + payload + b"\n") + packer.flush()


def unseal(raw: bytes, trusted: KeyRing, *, uid: int, now: float) -> Sealed:
    """Verifies a probes file, then reads it.

    Args:
        raw: the file's bytes, at most MAX_PACKED.
        trusted: the signers' public keys.
        uid: the user whose processes would be probed.
        now: seconds since 1970.

    Raises:
        DataError: it is damaged, or no probes file, or of another version.
        RefusedError: the signature is not by a trusted key, or not for this user or time.
    """
    header, body = _unpack(raw)
    key = _verify(header, body, trusted)
    document = jsontext.parse(body, "probes file", most_bytes=MAX_UNPACKED)
    if not isinstance(document, dict) or set(document) != {"signed", "probes"}:
        raise DataError("probes file does not consist of 'signed' and 'probes'", _AGAIN)
    signed = _read_signed(document["signed"])
    _check_validity(signed, uid, now)
    return Sealed(
        uid=signed.uid,
        user=signed.user,
        issued=signed.issued,
        expires=signed.expires,
        host=signed.host,
        probes=ProbeSet.from_json(document["probes"]),
        digest=hashlib.sha256(body).hexdigest(),
        key=key,
    )


def _unpack(raw: bytes) -> tuple[bytes, bytes]:
    if len(raw) > MAX_PACKED:
        raise DataError(f"probes file is larger than {MAX_PACKED} bytes", "give the right file")
    if not raw:
        raise DataError("probes file is empty", _AGAIN)
    if raw[:2] != b"\x1f\x8b"[: len(raw)]:
        raise DataError("probes file is not gzip", "give the file that datacrumbs_probe_configurator wrote")
    unpacker = zlib.decompressobj(31)
    try:
        text = unpacker.decompress(raw, MAX_UNPACKED + 1)
    except zlib.error as error:
        raise DataError(f"probes file is damaged: {error}", _AGAIN) from error
    if len(text) > MAX_UNPACKED:
        raise DataError(f"probes file unpacks to more than {MAX_UNPACKED} bytes", _AGAIN)
    if not unpacker.eof:
        raise DataError("probes file is cut off", _AGAIN)
    if unpacker.unused_data:
        raise DataError("probes file has bytes after its end", _AGAIN)
    lines = text.split(b"\n", 2)
    if len(lines) != 3 or lines[2]:
        raise DataError("probes file does not consist of two lines", _AGAIN)
    return lines[0], lines[1]


def _verify(header: bytes, body: bytes, trusted: KeyRing) -> str:
    """Checks the signature; returns the id of the key that made it."""
    match = _HEADER.fullmatch(header)
    version = match or _OTHER_VERSION.match(header)
    if version and int(version[1]) != VERSION:
        raise DataError(
            f"probes file has version {int(version[1])}, this DataCrumbs reads version {VERSION}",
            "make it again with this version's datacrumbs_probe_configurator",
        )
    if not match:
        raise DataError("probes file has a malformed header", _AGAIN)
    key = match[2].decode("ascii")
    public = trusted.keys.get(key)
    if public is None:
        raise RefusedError(
            f"probes file is signed with key {key}, which this machine does not trust",
            f"copy the signer's public key into {trusted.source or 'keys.d'}: datacrumbs_sign_probes --trust FILE",
            who="administrator",
        )
    try:
        public.verify(base64.b64decode(match[3]), body)
    except (InvalidSignature, ValueError) as error:
        raise RefusedError("probes file was changed after it was signed", _AGAIN) from error
    return key


def _read_signed(value: Mapping[str, Any]) -> Signed:
    def number(name: str, most: int) -> int:
        item = value[name]
        if not isinstance(item, int) or isinstance(item, bool) or not 0 <= item <= most:
            raise DataError(f"probes file: signed.{name} is not a whole number from 0 to {most}", _AGAIN)
        return item

    def text(name: str) -> str:
        item = value[name]
        if not isinstance(item, str) or len(item) > 256 or "\0" in item:
            raise DataError(f"probes file: signed.{name} is not a text of at most 256 characters", _AGAIN)
        return item

    if not isinstance(value, dict) or set(value) != {"uid", "user", "issued", "expires", "host"}:
        raise DataError("probes file: 'signed' does not hold what it should", _AGAIN)
    return Signed(
        number("uid", 2**32 - 2), text("user"), number("issued", _LATEST), number("expires", _LATEST), text("host")
    )


def _check_validity(signed: Signed, uid: int, now: float) -> None:
    if signed.uid != uid:
        raise RefusedError(
            f"probes file is signed for {signed.user} (uid {signed.uid}), not for uid {uid}",
            "make one as the user whose job is traced",
        )
    if now >= signed.expires:
        raise RefusedError(f"probes file expired on {_date(signed.expires)}", _AGAIN)
    if now + CLOCK_SKEW < signed.issued:
        raise RefusedError(
            f"probes file is valid only from {_date(signed.issued)}",
            "set this machine's clock, or the signer's",
            who="administrator",
        )


def _date(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
