"""The machine's configuration, /etc/datacrumbs/datacrumbs.yaml: every setting works by default.

docs/configuration.md describes the settings for administrators.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from datacrumbs.core.errors import ConfigError

if TYPE_CHECKING:
    from datacrumbs.core.yamlfile import Node

DEFAULT_PATH: Final = Path("/etc/datacrumbs/datacrumbs.yaml")
PLACEHOLDERS: Final = ("home", "user", "date", "host", "run_id")
"""What `trace_dir` may hold in braces."""


class Config(NamedTuple):
    """The settings; a file names only those that differ. (No dataclass: those take 10 ms to import, and jobs wait.)"""

    trace_dir: str = "{home}/datacrumbs/{date}"
    """Where traces go, as a pattern: see `trace_directory`."""
    run_dir: Path = Path("/run/datacrumbs")
    """Ready files and sockets."""
    keys_dir: Path = Path("/etc/datacrumbs/keys.d")
    """Public keys of the signers whose probes files this machine runs."""
    ring_mib: int = 64
    """Size of the ring between kernel and runtime in MiB: a power of two."""
    max_functions: int = 16_384
    """Most functions in one run."""
    max_files: int = 1_000_000
    """Most files whose names one run keeps; events on further files lack the name, and are counted."""
    profile_keys: int = 32_768
    """Processes, functions and files together that one interval of a profile has room for; 512 bytes each."""
    kernel_headers: Path | None = None
    """The kernel's headers for custom probes, where they are in none of the usual places."""
    signer_socket: Path = Path("/run/datacrumbs/signer.sock")
    signing_key: Path = Path("/var/lib/datacrumbs/signing.key")
    policy: Path = Path("/etc/datacrumbs/policy.yaml")
    start_seconds: int = 20
    """How long a job waits for its trace to begin, at most; then it runs untraced."""
    stop_seconds: int = 30
    """How long the end of a job waits for its trace to be closed, at most; then the runtime is killed."""

    def trace_directory(self, *, home: str, user: str, date: str, host: str, run_id: str) -> Path:
        """The folder for one run's trace.

        Args:
            home: the traced user's home.
            user: the traced user's name.
            date: of the run's start, as YYYY-MM-DD.
            host: the node's name.
            run_id: the run's id, already checked to hold no slash.
        """
        return Path(self.trace_dir.format(home=home, user=user, date=date, host=host, run_id=run_id))


def load(path: Path | None = None) -> Config:
    """Reads the configuration.

    Args:
        path: the file; None stands for DEFAULT_PATH, which may be missing.

    Raises:
        ConfigError: a mistake in the file, with line and column.
        NoInputError: the file cannot be read, or was named and is missing.
    """
    if path is None:
        if not DEFAULT_PATH.exists():
            return Config()
        path = DEFAULT_PATH
    # Here, because a job waits for whoever reads it, and few machines have the file: YAML takes 30 ms to import.
    from datacrumbs.core.yamlfile import load as load_yaml

    return read(load_yaml(path, error=ConfigError))


def read(node: Node) -> Config:
    """The configuration that a YAML document holds; see `load`."""
    if node.is_empty():
        return Config()
    settings: dict[str, Any] = {}
    members = node.mapping(_READERS)
    for name in members.names():
        value = members.get(name)
        if value is not None:
            settings[name] = _READERS[name](value)
    return Config(**settings)


def _trace_dir(node: Node) -> str:
    import string

    pattern = node.text()
    try:
        fields = [(name, spec, conversion) for _, name, spec, conversion in string.Formatter().parse(pattern)]
    except ValueError as error:
        raise node.wrong(f"not a pattern: {error}", "write {{ and }} for braces") from error
    for name, spec, conversion in fields:
        if name is None:
            continue
        if name not in PLACEHOLDERS or spec or conversion:
            raise node.wrong(f"unknown placeholder '{{{name}}}'", f"known: {', '.join(PLACEHOLDERS)}")
    if not pattern.startswith(("/", "{home}")):
        raise node.wrong("not an absolute path", "begin it with / or {home}")
    return pattern


def _path(node: Node) -> Path:
    path = Path(node.text())
    if not path.is_absolute() or ".." in path.parts:
        raise node.wrong(f"'{path}' is not an absolute path", "begin it with / and leave out '..'")
    return path


def _max_functions(node: Node) -> int:
    from datacrumbs.core.probes import MAX_PROBES

    return node.integer(1, MAX_PROBES)


def _ring_mib(node: Node) -> int:
    size = node.integer(1, 4096)
    if size & (size - 1):
        raise node.wrong(f"{size} is not a power of two", "write 32, 64, 128, …")
    return size


_READERS: Final[Mapping[str, Callable[[Node], Any]]] = {
    "trace_dir": _trace_dir,
    "run_dir": _path,
    "keys_dir": _path,
    "ring_mib": _ring_mib,
    "max_functions": _max_functions,
    "max_files": lambda node: node.integer(1, 1 << 24),
    "profile_keys": lambda node: node.integer(1, 1 << 22),
    "kernel_headers": _path,
    "signer_socket": _path,
    "signing_key": _path,
    "policy": _path,
    "start_seconds": lambda node: node.integer(1, 600),
    "stop_seconds": lambda node: node.integer(1, 600),
}
