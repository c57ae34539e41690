"""A job's metadata: how its owner asks for a trace.

    {"datacrumbs":{"enable":"yes","probe_file":"/abs/path.json.gz"}}

stands in Slurm's comment of a job, or in Flux's job attributes, possibly beside members that are not ours. People type
it by hand, so what is meant clearly is understood, and what is wrong is said with what to write instead.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NamedTuple

from datacrumbs.core import jsontext
from datacrumbs.core.errors import DataError

MAX_BYTES: Final = 64 << 10
"""Most bytes of a job's metadata, others' members included."""
MAX_PATH: Final = 4096
KEY: Final = "datacrumbs"
EXAMPLE: Final = '{"datacrumbs":{"enable":"yes","probe_file":"/abs/path.json.gz"}}'

_ON: Final = frozenset({"yes", "true", "on", "1", "y"})
_OFF: Final = frozenset({"no", "false", "off", "0", "n", ""})
_REPLACED: Final = {
    "composite": "name a signed probes file with probe_file; datacrumbs_probe_configurator makes one from a host YAML",
    "probes": "name a signed probes file with probe_file; datacrumbs_probe_configurator makes one from a host YAML",
}
"""Keys of old, and what stands in their place."""
_KNOWN: Final = ("enable", "probe_file")
_OURS: Final = re.compile(r"probe_file|enable")
_WRITE: Final = f"write {EXAMPLE}"


class Metadata(NamedTuple):
    """What the owner of a job asks for: a trace of these probes."""

    probe_file: str
    """Absolute path; nothing else is known of it."""

    def dump(self) -> str:
        """The metadata as text, as `parse` reads it."""
        return jsontext.dump({KEY: {"enable": "yes", "probe_file": self.probe_file}}).decode()


def parse(text: str | bytes) -> Metadata | None:
    """What a job's metadata asks for.

    Args:
        text: a job's comment, or other JSON that may hold our member; hostile.

    Returns:
        None where no trace is asked for.

    Raises:
        DataError: a trace is asked for in a way that cannot be followed; the hint says what to write.
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if KEY.encode() not in data.lower():
        return None
    if len(data) > MAX_BYTES:
        raise DataError(f"the job's metadata is larger than {MAX_BYTES} bytes", "leave out what is not needed")
    data = _unwrapped(data.strip())
    if not data.startswith(b"{"):
        _check_words(data)
        return None
    try:
        document = jsontext.parse(data, "the job's metadata", most_bytes=MAX_BYTES, most_values=MAX_BYTES)
    except DataError as error:
        raise DataError(error.message, _hint_for(data)) from error
    wanted = _member(document)
    return None if wanted is None else _read(wanted)


def compose(metadata: Metadata, comment: str = "") -> str:
    """Puts our metadata into a job's comment, and keeps what its owner has there.

    Args:
        metadata: what to ask for; it takes the place of what the comment asks for so far.
        comment: the owner's own. The members of a JSON object stay members; other text becomes the member "comment".
    """
    members: dict[str, Any] = {}
    if comment.strip():
        try:
            document = json.loads(comment)
        except (ValueError, RecursionError):
            document = None
        members = dict(document) if isinstance(document, dict) else {"comment": comment}
    return jsontext.dump({**members, **json.loads(metadata.dump())}).decode()


def check_probe_file(path: object) -> str:
    """The path of a probes file, if it can be one.

    Raises:
        DataError: it is no text, not absolute, too long, or holds control characters.
    """
    if not isinstance(path, str):
        raise DataError(f"probe_file is not a text but {_kind(path)}", _WRITE)
    if not path:
        raise DataError("probe_file is empty", "name the file that datacrumbs_probe_configurator wrote")
    if "$" in path.split("/", 1)[0] or path.startswith("~"):
        raise DataError(
            f"probe_file '{path}' is not an absolute path: no shell looks at it", "write the path out, from / on"
        )
    if not path.startswith("/"):
        raise DataError(
            f"probe_file '{path}' is not an absolute path",
            "write the whole path, from / on: nodes do not know where you submitted from",
        )
    if len(path.encode("utf-8", "surrogatepass")) >= MAX_PATH:
        raise DataError(f"probe_file has {MAX_PATH} or more bytes", "choose a shorter path")
    if any(ord(c) < 32 or ord(c) == 127 or 0x80 <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000 for c in path):
        raise DataError("probe_file holds control characters", "rename the file")
    return path


def _unwrapped(data: bytes) -> bytes:
    """Without quotes around all of it, which a script may hand on with its text."""
    for quote in (b"'", b'"'):
        if data.startswith(quote + b"{") and data.endswith(b"}" + quote):
            return data[1:-1]
    return data


def _check_words(data: bytes) -> None:
    """A comment in words may name us; only one that looks like our metadata without its braces is a mistake."""
    text = data.decode("utf-8", "replace")
    if text.lower().startswith(KEY) and _OURS.search(text):
        raise DataError("the job's metadata is not a JSON object", _WRITE)


def _hint_for(data: bytes) -> str:
    if b'"' not in data:
        if b"'" in data:
            return f"JSON has double quotes: {_WRITE}"
        return f"its quotes were lost; put all of it into single quotes: #SBATCH --comment='{EXAMPLE}'"
    return _WRITE


def _member(document: dict[str, Any]) -> Any:
    if KEY in document:
        return document[KEY]
    for name in document:
        if name.lower() == KEY:
            raise DataError(f"unknown member '{name}' of the job's metadata", f"write it in small letters: '{KEY}'")
        if name.startswith(f"{KEY}."):
            raise DataError(f"unknown member '{name}' of the job's metadata", _WRITE)
    return None


def _read(wanted: Any) -> Metadata | None:
    if wanted is None or wanted is False:
        return None
    if not isinstance(wanted, dict):
        raise DataError(f"'{KEY}' in the job's metadata is not an object but {_kind(wanted)}", _WRITE)
    for name in wanted:
        if name in _REPLACED:
            raise DataError(f"'{name}' in the job's metadata is no longer known", _REPLACED[name])
    if "enable" in wanted and not _is_on(wanted["enable"]):
        return None
    for name in wanted:
        if name not in _KNOWN:
            from difflib import get_close_matches  # here: it takes 1 ms to import, and jobs wait

            near = get_close_matches(name.lower().replace("-", "_"), _KNOWN, 1, 0.5)
            raise DataError(
                f"unknown key '{name}' in the job's metadata", f"did you mean '{near[0]}'?" if near else _WRITE
            )
    if "enable" not in wanted:
        raise DataError('the job\'s metadata does not say "enable"', _WRITE)
    if "probe_file" not in wanted:
        raise DataError("the job's metadata names no probe_file", _WRITE)
    return Metadata(check_probe_file(wanted["probe_file"]))


def _is_on(value: Any) -> bool:
    word = value if isinstance(value, str) else json.dumps(value) if isinstance(value, int) else None
    if word is not None and word.strip().lower() in _ON:
        return True
    if value is None or (word is not None and word.strip().lower() in _OFF):
        return False
    raise DataError(
        f"enable is {json.dumps(value)[:64]} in the job's metadata, which is neither yes nor no", 'write "enable":"yes"'
    )


def _kind(value: object) -> str:
    if value is None:
        return "null"
    names = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "an object",
        str: "a text",
    }
    return names.get(type(value), "something else")
