"""`datacrumbs_configure_template`: fills in @VAR@ placeholders.

Placeholders are capital letters, digits and underscores between two @. One that nobody set is an error, except in a
comment, where it may be part of an explanation.
"""

from __future__ import annotations

import re
import stat
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from datacrumbs.core import cli
from datacrumbs.core.errors import DataError, UsageError
from datacrumbs.core.files import open_regular, read_bounded, write_atomically
from datacrumbs.core.yamlfile import suggestion

PROG: Final = "datacrumbs_configure_template"
MAX_BYTES: Final = 1 << 20
_PLACEHOLDER: Final = re.compile(r"@([A-Z][A-Z0-9_]{0,63})@")
_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}\Z")


def render(text: str, values: Mapping[str, str], name: str) -> str:
    """The text with its placeholders filled in; lines keep their numbers.

    Args:
        text: the template.
        values: by variable; as `assignments` returns them.
        name: the template's file name for messages.

    Raises:
        DataError: a variable is not set, with file and line.
    """
    lines = text.split("\n")
    for index, line in enumerate(lines):
        comment = line.lstrip().startswith("#") and not line.startswith("#!")

        def value(match: re.Match[str], index: int = index, comment: bool = comment) -> str:
            variable = match[1]
            if variable in values:
                return values[variable]
            if comment:
                return match[0]
            raise DataError(
                f"{name}:{index + 1}:{match.start() + 1}: nothing is set for @{variable}@",
                suggestion(variable, list(values)) if values else f"add --set {variable}=VALUE",
            )

        lines[index] = _PLACEHOLDER.sub(value, line)
    return "\n".join(lines)


def assignments(words: Sequence[str]) -> dict[str, str]:
    """Reads `--set` options.

    Args:
        words: each as VAR=VALUE; of one variable the last counts.

    Raises:
        UsageError: a word has another form, or its value a line end.
    """
    values: dict[str, str] = {}
    for word in words:
        variable, equals, value = word.partition("=")
        if not equals or not _NAME.match(variable):
            raise UsageError(f"--set {word}: not VAR=VALUE", "write VAR in capital letters, as between the two @")
        if not value.isprintable():
            raise UsageError(f"--set {word}: the value holds control characters", "give a value on one line")
        values[variable] = value
    return values


def main() -> int:
    """The console script."""
    return cli.main(PROG, run)


def run(argv: Sequence[str]) -> int:
    """Renders one template into one file, which keeps the template's permissions."""
    parser = cli.parser(
        PROG,
        "Fill in the @VAR@ placeholders of a template.",
        f"{PROG} app.yaml.in app.yaml --set HDF5=/opt/hdf5/lib/libhdf5.so",
    )
    parser.add_argument("template", metavar="TEMPLATE", type=Path, help="the file with placeholders")
    parser.add_argument("out", metavar="OUT", type=Path, help="the file to write, replaced as a whole")
    parser.add_argument("--set", metavar="VAR=VALUE", action="append", default=[], help="what @VAR@ stands for")
    options = parser.parse_args(argv)
    values = assignments(options.set)
    with open_regular(options.template, follow=True) as fd:
        mode = stat.S_IMODE(Path(f"/proc/self/fd/{fd}").stat().st_mode) & 0o777
        data = read_bounded(fd, MAX_BYTES, options.template)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{options.template} is not UTF-8 text", "save it as UTF-8") from error
    write_atomically(options.out, render(text, values, str(options.template)).encode("utf-8"), mode=mode)
    print(f"wrote {options.out}", file=sys.stderr)
    return 0
