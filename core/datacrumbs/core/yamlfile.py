"""YAML that people write, read so that every mistake is told with file, line and column.

`load` reads and bounds a file; `Node` and `Mapping` take it apart by type. Nothing is constructed from tags: a node is
asked for what it should be, and answers with that or with an error that says where it is and what was wanted.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import yaml
from datacrumbs.core.errors import DataCrumbsError, DataError
from datacrumbs.core.files import read_regular

MAX_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 32
MAX_NODES: Final = 50_000
MAX_ALIASES: Final = 256
MAX_TEXT: Final = 4096

_TAG: Final = "tag:yaml.org,2002:"
_WORDS: Final = {"str": "a text", "int": "a number", "float": "a number", "bool": "true or false", "null": "empty"}
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,18}\Z")


class Mark(Protocol):
    """A place in a YAML text, counted from 0: what PyYAML's two kinds of marks share."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Document:
    """Where nodes come from: the name for messages, and the class of error that its mistakes are."""

    name: str
    error: type[DataCrumbsError] = DataError

    def wrong(self, mark: Mark | None, what: str, hint: str = "") -> DataCrumbsError:
        """The error for a mistake at a mark: `file:line:column: what`."""
        place = f"{self.name}:{mark.line + 1}:{mark.column + 1}" if mark else self.name
        return self.error(f"{place}: {what}", hint)


def load(path: Path, *, error: type[DataCrumbsError] = DataError) -> Node:
    """Reads a YAML file.

    Args:
        path: the file; it must be regular and at most MAX_BYTES long.
        error: the class of its mistakes (`ConfigError` for the machine's own configuration).

    Raises:
        NoInputError: it is missing, unreadable or not a regular file.
        error: it is not YAML, or exceeds a limit.
    """
    return parse(read_regular(path, MAX_BYTES, error=error), str(path), error=error)


def parse(data: bytes, name: str, *, error: type[DataCrumbsError] = DataError) -> Node:
    """Reads YAML text; see `load`. `name` stands for the file in messages."""
    document = Document(name, error)
    if len(data) > MAX_BYTES:
        raise document.wrong(None, f"is larger than {MAX_BYTES} bytes", "split it")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as failure:
        line = data.count(b"\n", 0, failure.start) + 1
        raise error(f"{name}:{line}: is not UTF-8 text", "save it as UTF-8") from failure
    try:
        loader = _BoundedLoader(text, document)
        root = loader.get_single_node()
    except yaml.MarkedYAMLError as failure:
        what = failure.problem or failure.context or "cannot be understood"
        raise document.wrong(failure.problem_mark or failure.context_mark, f"not YAML: {what}") from failure
    except yaml.YAMLError as failure:
        raise document.wrong(None, f"not YAML: {str(failure).splitlines()[0]}") from failure
    except (ValueError, OverflowError) as failure:
        # PyYAML's scanner converts escapes such as "\Uffffffff" without a check of its own.
        raise document.wrong(None, f"not YAML: {failure}") from failure
    if root is None:
        raise document.wrong(None, "is empty")
    return Node(document, root)


class _BoundedLoader(yaml.SafeLoader):
    """PyYAML's composer with limits, so that a hostile file costs little; see `parse`."""

    def __init__(self, text: str, document: Document) -> None:
        super().__init__(text)
        self._document = document
        self._depth = 0
        self._nodes = 0
        self._aliases = 0

    def compose_node(self, parent: yaml.Node | None, index: object) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
        self._nodes += 1
        self._aliases += isinstance(event, yaml.AliasEvent)
        self._depth += 1
        for value, limit, what in (
            (self._depth, MAX_DEPTH, "levels"),
            (self._nodes, MAX_NODES, "values"),
            (self._aliases, MAX_ALIASES, "aliases"),
        ):
            if value > limit:
                raise self._document.wrong(event.start_mark, f"more than {limit} {what}", "simplify the file")
        node: yaml.Node | None = super().compose_node(parent, index)  # type: ignore[arg-type]
        self._depth -= 1
        return node


class Node:
    """A value in a YAML file, of a type that is yet to be asked for."""

    __slots__ = ("_document", "_node")

    def __init__(self, document: Document, node: yaml.Node) -> None:
        self._document = document
        self._node = node

    @property
    def line(self) -> int:
        """The line it starts in, counted from 1."""
        return int(self._node.start_mark.line) + 1

    @property
    def place(self) -> str:
        """`file:line:column`, counted from 1."""
        return f"{self._document.name}:{self.line}:{self._node.start_mark.column + 1}"

    def wrong(self, what: str, hint: str = "") -> DataCrumbsError:
        """The error that says `what` at this node's place."""
        return self._document.wrong(self._node.start_mark, what, hint)

    def is_empty(self) -> bool:
        """Whether nothing was written here (YAML's null)."""
        return self._is("null")

    def is_list(self) -> bool:
        """Whether it is a list."""
        return isinstance(self._node, yaml.SequenceNode)

    def mapping(self, known: Iterable[str]) -> Mapping:
        """The keys and values.

        Args:
            known: the keys that may appear.

        Raises:
            DataCrumbsError: it is no mapping, or a key is unknown, not a text or there twice.
        """
        if not isinstance(self._node, yaml.MappingNode):
            raise self._expected("a mapping (key: value)")
        allowed = list(known)
        members: dict[str, Node] = {}
        for key, value in self._node.value:
            name = Node(self._document, key).text()
            if name in members:
                raise self._document.wrong(key.start_mark, f"'{name}' is there twice", "keep one of them")
            if name not in allowed:
                raise self._document.wrong(key.start_mark, f"unknown key '{name}'", suggestion(name, allowed))
            members[name] = Node(self._document, value)
        return Mapping(self, members)

    def entries(self, most: int) -> list[tuple[str, Node]]:
        """The keys and values of a mapping whose keys are anybody's.

        Raises:
            DataCrumbsError: it is no mapping, has over `most` keys, or one is not a text or there twice.
        """
        if not isinstance(self._node, yaml.MappingNode) or len(self._node.value) > most:
            raise self._expected(f"a mapping (key: value) of at most {most} keys")
        pairs = [(Node(self._document, key), Node(self._document, value)) for key, value in self._node.value]
        result = [(key.text(), value) for key, value in pairs]
        seen: set[str] = set()
        for (name, _), (key, _) in zip(result, pairs, strict=True):
            if name in seen:
                raise key.wrong(f"'{name}' is there twice", "keep one of them")
            seen.add(name)
        return result

    def items(self, most: int = MAX_NODES) -> list[Node]:
        """The entries of a list of at most `most`."""
        if not isinstance(self._node, yaml.SequenceNode):
            raise self._expected("a list")
        if len(self._node.value) > most:
            raise self.wrong(f"a list of more than {most} entries", "shorten it")
        return [Node(self._document, item) for item in self._node.value]

    def text(self, most: int = MAX_TEXT) -> str:
        """The text, of 1 to `most` characters and without NUL."""
        if not self._is("str"):
            quote = isinstance(self._node, yaml.ScalarNode) and self._node.value
            raise self._expected("a text", f'write it in quotes: "{self._node.value}"' if quote else "")
        value = str(self._node.value)
        if not value or len(value) > most or "\0" in value:
            raise self.wrong(f"a text of 1 to {most} characters is wanted here")
        return value

    def written(self, most: int = MAX_TEXT) -> str:
        """What stands in the file, be it read as text, number or word; for values with a form of their own."""
        if not isinstance(self._node, yaml.ScalarNode) or self.is_empty():
            raise self._expected("a text")
        return str(self._node.value)[:most]

    def texts(self, most: int = MAX_NODES) -> tuple[str, ...]:
        """A list of texts; a lone text stands for a list of one."""
        return tuple(item.text() for item in self.items(most)) if self.is_list() else (self.text(),)

    def integer(self, least: int, most: int) -> int:
        """The whole number, in decimal, between two limits."""
        value = str(self._node.value)
        if not self._is("int") or not _INTEGER.match(value) or not least <= int(value) <= most:
            raise self._expected(f"a whole number from {least} to {most}")
        return int(value)

    def flag(self) -> bool:
        """Whether it says true (or YAML's yes, on), not false (or no, off)."""
        if not self._is("bool"):
            raise self._expected("true or false")
        return str(self._node.value).lower() in ("true", "yes", "on")

    def choice(self, choices: Sequence[str]) -> str:
        """One of several words."""
        value = self.text()
        if value not in choices:
            raise self.wrong(f"'{value}' is not one of {', '.join(choices)}", suggestion(value, choices))
        return value

    def _is(self, tag: str) -> bool:
        return isinstance(self._node, yaml.ScalarNode) and self._node.tag == _TAG + tag

    def _expected(self, wanted: str, hint: str = "") -> DataCrumbsError:
        if isinstance(self._node, yaml.ScalarNode):
            found = _WORDS.get(self._node.tag.removeprefix(_TAG), self._node.tag)
        else:
            found = "a list" if self.is_list() else "a mapping"
        return self.wrong(f"{wanted} is wanted here, this is {found}", hint)


class Mapping:
    """The members of a mapping whose keys are all known."""

    __slots__ = ("_members", "node")

    def __init__(self, node: Node, members: dict[str, Node]) -> None:
        self.node = node
        self._members = members

    def get(self, name: str) -> Node | None:
        """The value of a key; None where it is missing or empty."""
        value = self._members.get(name)
        return None if value is None or value.is_empty() else value

    def require(self, name: str) -> Node:
        """The value of a key that must be there."""
        value = self.get(name)
        if value is None:
            raise self.node.wrong(f"'{name}' is missing")
        return value

    def names(self) -> tuple[str, ...]:
        """The keys, in the order of the file."""
        return tuple(self._members)


def suggestion(word: str, known: Sequence[str]) -> str:
    """A hint that names the known word nearest to a misspelt one, or all of them where none is near."""
    by_lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower()[:64], by_lower, n=1, cutoff=0.6)
    return f"did you mean '{by_lower[near[0]]}'?" if near else f"known here: {', '.join(known)}"
