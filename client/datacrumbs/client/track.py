"""datacrumbs_track and datacrumbs_untrack: make a program load the client library by itself, and undo it.

Tracking copies the program to a private folder, edits the copy, keeps the original as `F.datacrumbs-orig`, and renames
the edited one into place. A crash in between leaves either the original or the tracked program under its name, and the
next attempt carries on from there.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable, Sequence
from io import BufferedReader
from pathlib import Path

from datacrumbs.client import elf, patch
from datacrumbs.client.record import Record, backup_of, opened, record_of
from datacrumbs.client.refuse import file_reasons, image_reasons, running_reason
from datacrumbs.client.replace import move, publish, require_unchanged, sha256
from datacrumbs.core import cli
from datacrumbs.core.errors import NoInputError, RefusedError, UnavailableError, UsageError
from datacrumbs.core.files import read_error
from datacrumbs.core.text import printable

_LIBRARY = Path(__file__).resolve().with_name(patch.LIBRARY)
_INSTALLED_LIBRARY = Path(sys.prefix).parent / patch.LIBRARY
"""What `make install` links to the library of its private environment."""


def main_track() -> int:
    """The command `datacrumbs_track`."""
    return cli.main("datacrumbs_track", _run_track)


def main_untrack() -> int:
    """The command `datacrumbs_untrack`."""
    return cli.main("datacrumbs_untrack", _run_untrack)


def track(program: Path, library: Path) -> str:
    """Makes a program load the client library, by its absolute path, whenever it is started.

    Args:
        program: its file.
        library: the client library's file, absolute.

    Returns:
        What was done, for people.

    Raises:
        NoInputError, DataError, RefusedError, BusyError: why the program is left as it is; see refuse.py.
        OutputError: its folder cannot be written.
        UnavailableError: patchelf is missing.
    """
    path, note = _resolve(program)
    with opened(path) as file, tempfile.TemporaryDirectory(prefix="datacrumbs-") as work:
        status = os.fstat(file.fileno())
        image = elf.read(file, path)
        if patch.ours(image):
            return f"{note}{path} is tracked already: it loads {patch.ours(image)[0]}"
        file_reasons(path, file)
        with opened(library, follow=True) as library_file:
            image_reasons(path, status.st_size, image, elf.read(library_file, library))
        running_reason(path, status)
        original = sha256(file)
        note += _make_way(path, original)

        edited = _edited(file, Path(work), lambda copy: patch.add(copy, library))
        with edited.open("rb") as tracked:
            require_unchanged(path, status)
            publish(file, file, backup_of(path))
            Record(original, sha256(tracked), str(library)).write(path)
            publish(tracked, file, path)
    return f"{note}{path} is tracked: it loads {library}; its original is {backup_of(path).name}"


def untrack(program: Path) -> str:
    """Undoes `track`: brings the original back where the program is what `track` made, else takes the library out.

    Args:
        program: its file.

    Returns:
        What was done, for people.

    Raises:
        NoInputError, DataError, BusyError, OutputError, UnavailableError: as `track`.
    """
    path, note = _resolve(program)
    with opened(path) as file, tempfile.TemporaryDirectory(prefix="datacrumbs-") as work:
        status = os.fstat(file.fileno())
        entries = patch.ours(elf.read(file, path))
        if not entries:
            left = f"; {backup_of(path).name}, from before it was made anew, is left" if _has_backup(path) else ""
            return f"{note}{path} is not tracked{left}"
        running_reason(path, status)
        record = Record.read(path)
        if record and record.tracked == sha256(file) and record.original == _backup_hash(path):
            require_unchanged(path, status)
            move(backup_of(path), path)
            record_of(path).unlink(missing_ok=True)
            return f"{note}{path} is restored, byte for byte"

        file_reasons(path, file)
        edited = _edited(file, Path(work), lambda copy: patch.remove(copy, entries))
        with edited.open("rb") as untracked:
            require_unchanged(path, status)
            publish(untracked, file, path)
    why = (
        "it or its original changed since" if record and _has_backup(path) else "its original or the record is missing"
    )
    left = f"; {backup_of(path).name} is left" if _has_backup(path) else ""
    return f"{note}{path} no longer loads the library, but is not what it was byte for byte: {why}{left}"


def _resolve(program: Path) -> tuple[Path, str]:
    """The file that a name stands for, and what to say where that is another one."""
    try:
        path = program.resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        if isinstance(error, OSError):
            raise read_error(program, error) from error
        raise NoInputError(f"cannot read {program}: {error}", "check the name") from error
    absolute = Path(os.path.abspath(program))  # noqa: PTH100  # without following links, unlike resolve()
    return path, f"{program} is a link to {path}\n" if absolute.name != path.name else ""


def _make_way(path: Path, original: str) -> str:
    """Looks at a backup that is there already; returns what to say of one that is replaced.

    Raises:
        RefusedError: it is not certain to be ours.
    """
    if not _has_backup(path):
        return ""
    kept = _backup_hash(path)
    if kept == original:
        return ""  # an attempt that was interrupted
    record = Record.read(path)
    if record and record.original == kept:
        return f"{path} was made anew since it was tracked: the older original is replaced\n"
    raise RefusedError(f"{backup_of(path)} is in the way: it is no backup of this program", "move it elsewhere")


def _has_backup(path: Path) -> bool:
    return os.path.lexists(backup_of(path))


def _backup_hash(path: Path) -> str | None:
    try:
        with opened(backup_of(path)) as backup:
            return sha256(backup)
    except NoInputError:
        return None


def _edited(file: BufferedReader, work: Path, edit: Callable[[Path], None]) -> Path:
    """A private, edited copy of the open file."""
    copy = work / "program"
    with copy.open("xb") as out:
        file.seek(0)
        shutil.copyfileobj(file, out)
    edit(copy)
    return copy


def _library(given: str | None) -> Path:
    """The library to load, by the name that is most likely to outlive the next upgrade."""
    if given is None:
        if not _LIBRARY.is_file():
            raise UnavailableError(f"the client library is not installed at {_LIBRARY}", "name it with --library")
        linked = _INSTALLED_LIBRARY.is_file() and _INSTALLED_LIBRARY.samefile(_LIBRARY)
        return _INSTALLED_LIBRARY if linked else _LIBRARY
    path = Path(os.path.abspath(given))  # noqa: PTH100  # a link may outlive what it names
    if path.name != patch.LIBRARY or "$" in str(path):
        raise UsageError(f"--library must name a {patch.LIBRARY}, and its path hold no '$'", "see --help")
    return path


def _run_track(argv: Sequence[str]) -> int:
    parser = cli.parser(
        "datacrumbs_track",
        "Makes a program bring itself under tracing whenever it is started, however that happens: it will load the "
        "client library. Its original is kept beside it, for datacrumbs_untrack.",
        "datacrumbs_track --executable ./myapp && ./myapp && datacrumbs_untrack --executable ./myapp",
    )
    parser.add_argument("--executable", metavar="FILE", required=True, help="the program: a dynamic ELF file of yours")
    parser.add_argument("--library", metavar="FILE", help=f"another {patch.LIBRARY} than the installed one")
    options: Namespace = parser.parse_args(argv)
    return _say(track(Path(options.executable), _library(options.library)))


def _run_untrack(argv: Sequence[str]) -> int:
    parser = cli.parser(
        "datacrumbs_untrack",
        "Undoes datacrumbs_track: restores the original, byte for byte where the program is still what "
        "datacrumbs_track made of it.",
        "datacrumbs_untrack --executable ./myapp",
    )
    parser.add_argument("--executable", metavar="FILE", required=True, help="the tracked program")
    options: Namespace = parser.parse_args(argv)
    return _say(untrack(Path(options.executable)))


def _say(what: str) -> int:
    for line in what.splitlines():
        print(printable(line))
    return 0
