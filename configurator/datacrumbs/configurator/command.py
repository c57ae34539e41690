"""`datacrumbs_probe_configurator`: from a host YAML to a signed probes file."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from datacrumbs.configurator import discover, refusals, report, signing
from datacrumbs.configurator.gather import gather
from datacrumbs.configurator.resolve import Resolution, resolve
from datacrumbs.configurator.spec import Entry, Spec
from datacrumbs.configurator.spec import parse as parse_spec
from datacrumbs.configurator.template import assignments, render
from datacrumbs.core import cli, config
from datacrumbs.core.errors import DataError, UsageError
from datacrumbs.core.files import read_regular, write_atomically
from datacrumbs.core.text import printable
from datacrumbs.core.yamlfile import MAX_BYTES
from rich.console import Console
from rich.progress import Progress

PROG: Final = "datacrumbs_probe_configurator"
CAPTURES: Final = ("paths", "integers", "none")
_PATIENCE: Final = 1.0
"""Seconds before a progress bar appears."""
_WIDTH: Final = 160
"""Columns of a table that goes into a file or a pipe."""


def main() -> int:
    """The console script."""
    return cli.main(PROG, run)


def run(argv: Sequence[str]) -> int:
    """Resolves a host YAML, and shows the result or has it signed and written."""
    options = _options(argv)
    if options.discover or options.program:
        return _discover(options)
    settings = config.load(options.config)
    spec = _read(options.host, options.set)
    with _progress(spec) as step:
        material = gather(spec, step)
        resolution = resolve(spec, material, arch=os.uname().machine, most=settings.max_functions)
    resolution = _narrow(resolution, options.capture)
    for path in options.drop_refused:
        resolution = refusals.dropped(resolution, refusals.read(path))
    if options.list:
        sys.stdout.writelines(f"{line}\n" for line in report.lines(resolution))
        return 0
    for remark in report.remarks(resolution):
        print(f"{PROG}: {printable(remark)}", file=sys.stderr)
    if options.dry_run:
        console = Console(highlight=False)
        console.width = console.width if console.is_terminal else _WIDTH
        console.print(report.table(resolution))
        return 0
    sealed = signing.sign(resolution.probes, options.socket or settings.signer_socket)
    write_atomically(options.out, sealed)
    print(f"{printable(str(options.out))}: {len(resolution.probes.probes)} functions, signed")
    return 0


def _options(argv: Sequence[str]) -> Namespace:
    parser = cli.parser(
        PROG,
        "Find the functions that a host YAML names and have them signed, for a runtime to probe.",
        f"""{PROG} posix.yaml /tmp/probes.json.gz
{PROG} posix.yaml --dry-run""",
    )
    parser.add_argument(
        "host", metavar="HOST.yaml", type=Path, nargs="?", help="which functions to probe: see docs/host-yaml.md"
    )
    parser.add_argument("out", metavar="OUT.json.gz", type=Path, nargs="?", help="the probes file to write")
    parser.add_argument("--dry-run", action="store_true", help="only show what would be probed, as a table")
    parser.add_argument("--list", action="store_true", help="only list the functions, one on a line")
    parser.add_argument("--set", metavar="VAR=VALUE", action="append", default=[], help="what @VAR@ stands for")
    parser.add_argument(
        "--capture", choices=CAPTURES, default="paths", help="how much to take of the arguments (default: %(default)s)"
    )
    parser.add_argument(
        "--drop-refused",
        metavar="REPORT",
        type=Path,
        action="append",
        default=[],
        help="leave out what a run refused: the file ….probes.json beside its trace",
    )
    parser.add_argument("--socket", metavar="PATH", type=Path, help="the signer's socket, if not the configured one")
    parser.add_argument("--config", metavar="PATH", type=Path, help="instead of /etc/datacrumbs/datacrumbs.yaml")
    parser.add_argument(
        "--discover", action="store_true", help="look for software worth probing, and write a HOST.yaml"
    )
    parser.add_argument("--for", metavar="PROGRAM", dest="program", help="the same for the libraries of one program")
    options = parser.parse_args(argv)
    if options.discover or options.program:
        return options
    if options.host is None:
        raise UsageError("HOST.yaml is missing", "name one, or add --discover to have one written")
    if options.out is None and not (options.dry_run or options.list):
        raise UsageError("OUT.json.gz is missing", "name the file to write, or add --dry-run")
    return options


def _discover(options: Namespace) -> int:
    """Writes a host YAML to start from, to the file that is named or to standard output."""
    found = discover.discover(os.environ, options.program or "")
    text = discover.host_yaml(found)
    if options.host is None:
        sys.stdout.write(text)
        return 0
    if options.host.exists():
        raise UsageError(f"{options.host} is there already", "name another file, or remove it")
    write_atomically(options.host, text.encode("utf-8", "surrogateescape"))
    print(f"{printable(str(options.host))}: {len(found)} files worth probing")
    return 0


def _read(host: Path, words: Sequence[str]) -> Spec:
    values = assignments(words)
    data = read_regular(host, MAX_BYTES)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{host}:{line}: is not UTF-8 text", "save it as UTF-8") from error
    return parse_spec(render(text, values, str(host)).encode("utf-8"), str(host))


def _narrow(resolution: Resolution, level: str) -> Resolution:
    probes = tuple(report.narrowed_probe(p, level) for p in resolution.probes.probes)
    return replace(resolution, probes=replace(resolution.probes, probes=probes))


@contextlib.contextmanager
def _progress(spec: Spec) -> Iterator[Callable[[Entry], None]]:
    """Shows on a terminal which entry is being looked at, once that takes more than a moment."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    bar = Progress(console=console, transient=True)
    task = bar.add_task("", total=len(spec.entries))
    timer = threading.Timer(_PATIENCE, bar.start)
    timer.daemon = True
    timer.start()

    def step(entry: Entry) -> None:
        done = spec.entries.index(entry)
        bar.update(task, completed=done, description=printable(entry.name))

    try:
        yield step
    finally:
        timer.cancel()
        timer.join()
        bar.stop()
