"""Signatures from C headers: every declaration that can be made out, whatever macros and extensions are around it.

tree-sitter reads on after what it does not understand, so no preprocessor and no compiler's flags are needed. A
declaration such as `H5_DLL herr_t H5Dclose(hid_t dset_id);` keeps its parameters, and the word before the name is its
type. Types are those of the headers that are read, and the usual ones of the standard libraries.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from datacrumbs.configurator.arguments.signature import (
    FLOAT,
    POINTER,
    TEXT,
    UNKNOWN,
    VOID,
    Signature,
    Type,
    integer,
)
from datacrumbs.core.errors import DataCrumbsError
from datacrumbs.core.files import read_regular

MAX_FILES: Final = 400
MAX_BYTES: Final = 8 << 20
_INCLUDE: Final = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*["<]([^">\n]+)[">]', re.MULTILINE)
_WORD: Final = re.compile(r"[A-Za-z_]\w*|\*")
_ASIDE: Final = re.compile(rb"/\*.*?\*/|//[^\n]*|^[ \t]*#(?:[^\n\\]|\\.)*", re.DOTALL | re.MULTILINE)
"""Comments and directives of the preprocessor."""
_QUALIFIERS: Final = frozenset(
    [
        "const",
        "volatile",
        "restrict",
        "__restrict",
        "__restrict__",
        "extern",
        "static",
        "inline",
        "__inline",
        "__inline__",
        "register",
        "_Noreturn",
        "__extension__",
        "struct",
        "union",
        "enum",
    ]
)
_USUAL: Final[dict[str, Type | None]] = {
    "void": VOID,
    **dict.fromkeys(("float", "double", "float_t", "double_t"), FLOAT),
    **dict.fromkeys(("bool", "_Bool", "uint8_t"), integer(1, signed=False)),
    **dict.fromkeys(("char", "int8_t"), integer(1, signed=True)),
    **dict.fromkeys(("short", "int16_t"), integer(2, signed=True)),
    "uint16_t": integer(2, signed=False),
    **dict.fromkeys(
        ("int", "int32_t", "pid_t", "__pid_t", "clockid_t", "wchar_t", "herr_t", "htri_t"), integer(4, signed=True)
    ),
    **dict.fromkeys(
        [
            "uint32_t",
            "mode_t",
            "__mode_t",
            "uid_t",
            "__uid_t",
            "gid_t",
            "__gid_t",
            "id_t",
            "socklen_t",
            "__socklen_t",
            "useconds_t",
            "__useconds_t",
            "wint_t",
        ],
        integer(4, signed=False),
    ),
    **dict.fromkeys(
        [
            "long",
            "int64_t",
            "ssize_t",
            "off_t",
            "off64_t",
            "loff_t",
            "time_t",
            "intptr_t",
            "__intptr_t",
            "ptrdiff_t",
            "intmax_t",
            "hid_t",
            "hssize_t",
            "__off_t",
            "__off64_t",
            "__ssize_t",
            "MPI_Offset",
            "MPI_Aint",
            "MPI_Count",
        ],
        integer(8, signed=True),
    ),
    **dict.fromkeys(
        ["size_t", "uint64_t", "uintptr_t", "uintmax_t", "dev_t", "ino_t", "ino64_t", "hsize_t", "haddr_t", "__dev_t"],
        integer(8, signed=False),
    ),
    **dict.fromkeys(("va_list", "__gnuc_va_list"), POINTER),
}
"""Types of the standard libraries on 64-bit Linux, and those that MPI and HDF5 make with macros."""


def read(paths: Iterable[str]) -> Mapping[str, Signature]:
    """The functions that headers declare, and those that they include from their own folders.

    Raises:
        NoInputError: a header that is named is missing or unreadable.
    """
    import tree_sitter_c  # here, because few host YAMLs name headers
    from tree_sitter import Language, Parser

    parser = Parser(Language(tree_sitter_c.language()))
    types: dict[str, Type | None] = dict(_USUAL)
    declared: dict[str, tuple[Any, bytes]] = {}
    for text in _texts(paths):
        tree = parser.parse(text)
        for kind, node in _declarations(tree.root_node):
            if kind == "typedef":
                _learn(node, text, types)
            else:
                name = _name_of(node, text)
                if name and name not in declared:
                    declared[name] = (node, text)
    return {name: _signature(node, text, types) for name, (node, text) in declared.items()}


def _texts(paths: Iterable[str]) -> Iterator[bytes]:
    """Included files first: their types are needed by those that include them."""
    seen: set[Path] = set()

    def visit(path: Path, *, named: bool) -> Iterator[bytes]:
        real = path.resolve()
        if real in seen or len(seen) >= MAX_FILES:
            return
        seen.add(real)
        try:
            text = read_regular(path, MAX_BYTES)
        except DataCrumbsError:
            if named:
                raise
            return
        for name in _INCLUDE.findall(text):
            inner = path.parent / name.decode("utf-8", "replace")
            if inner.is_file():
                yield from visit(inner, named=False)
        yield text

    for path in paths:
        yield from visit(Path(path), named=True)


def _declarations(root: Any) -> Iterator[tuple[str, Any]]:
    """Type definitions and function declarators, outside of functions' bodies."""
    stack = [root]
    while stack:
        node = stack.pop()
        if node.type == "type_definition":
            yield "typedef", node
        elif node.type == "function_declarator":
            yield "function", node
        elif node.type not in ("compound_statement", "parameter_list", "field_declaration_list"):
            stack.extend(reversed(node.children))


def _text(node: Any, text: bytes) -> str:
    return text[node.start_byte : node.end_byte].decode("utf-8", "replace")


def _name_of(node: Any, text: bytes) -> str:
    inner = node.child_by_field_name("declarator")
    return _text(inner, text) if inner is not None and inner.type == "identifier" else ""


def _learn(node: Any, text: bytes, types: dict[str, Type | None]) -> None:
    """A typedef; one of a structure, or of what is not known, makes a type that cannot be passed."""
    base, declarator = node.child_by_field_name("type"), node.child_by_field_name("declarator")
    if base is None or declarator is None:
        return
    depth = declarator
    while depth is not None and depth.type in ("pointer_declarator", "function_declarator", "parenthesized_declarator"):
        depth = depth.child_by_field_name("declarator") or (depth.named_children[0] if depth.named_children else None)
    if depth is None or depth.type not in ("type_identifier", "identifier"):
        return
    name = _text(depth, text)
    if name in _USUAL:
        return
    if declarator.type != "type_identifier" and declarator.type != "identifier":
        types[name] = POINTER
    elif base.type == "enum_specifier":
        types[name] = integer(4, signed=True)
    elif base.type in ("struct_specifier", "union_specifier"):
        types[name] = UNKNOWN
    else:
        types[name] = _type(_text(base, text), types)


def _signature(node: Any, text: bytes, types: Mapping[str, Type | None]) -> Signature:
    parameters: list[tuple[str, Type]] = []
    listed = node.child_by_field_name("parameters")
    for child in listed.named_children if listed is not None else ():
        if child.type == "parameter_declaration":
            parameter = _parameter(child, text, types)
            if parameter is not None:
                parameters.append(parameter)
        elif child.type in ("variadic_parameter", "comment"):
            continue
        else:
            parameters.append(("", UNKNOWN))
    return Signature(tuple(parameters), _returns(node, text, types))


def _parameter(node: Any, text: bytes, types: Mapping[str, Type | None]) -> tuple[str, Type] | None:
    if node.has_error:
        return "", UNKNOWN
    declarator = node.child_by_field_name("declarator")
    before = text[node.start_byte : declarator.start_byte if declarator is not None else node.end_byte]
    name, pointers, depth = "", 0, declarator
    while depth is not None:
        if depth.type in ("identifier", "field_identifier"):
            name = _text(depth, text)
            break
        pointers += depth.type in (
            "pointer_declarator", "array_declarator", "abstract_pointer_declarator", "abstract_array_declarator",
            "function_declarator", "abstract_function_declarator",
        )  # fmt: skip
        inner = depth.child_by_field_name("declarator")
        named = [child for child in depth.named_children if child.type.endswith("declarator")]
        depth = inner if inner is not None else named[0] if named else None
    words = before.decode("utf-8", "replace")
    if pointers:
        plain = _WORD.findall(words)
        is_text = pointers == 1 and "const" in plain and [w for w in plain if w not in _QUALIFIERS] == ["char"]
        return name, TEXT if is_text else POINTER
    kind = _type(words, types)
    return None if kind is VOID else (name, kind)


def _returns(node: Any, text: bytes, types: Mapping[str, Type | None]) -> Type | None:
    """The type before a function's name: of `DLL herr_t name(` the last word, for macros may stand before it."""
    top = node
    while top.parent is not None and top.parent.type == "pointer_declarator":
        top = top.parent
    if top is not node:
        return POINTER
    start = node.parent.start_byte if node.parent is not None else node.start_byte
    # After what the parser does not understand, a declaration may hold comments, directives and the one before it.
    between = _ASIDE.sub(b" ", text[start : node.start_byte])
    before = _WORD.findall(re.split(rb"[;{}]", between)[-1].decode("utf-8", "replace"))
    return POINTER if "*" in before else _type(" ".join(before), types)


def _type(words: str, types: Mapping[str, Type | None]) -> Type | None:
    found = _WORD.findall(words)
    if "*" in found:
        return POINTER
    if "enum" in found:
        return integer(4, signed=True)
    if {"struct", "union"} & set(found):
        return UNKNOWN
    plain = [word for word in found if word not in _QUALIFIERS]
    unsigned, long = "unsigned" in plain, plain.count("long")
    if long and "double" in plain:
        return Type("memory", words=2)
    basic = [
        word for word in plain if word in ("char", "short", "int", "long", "unsigned", "signed", "float", "double")
    ]
    if basic:
        size = 1 if "char" in basic else 2 if "short" in basic else 8 if long else 4
        return FLOAT if {"float", "double"} & set(basic) else integer(size, signed=not unsigned)
    return types.get(plain[-1], UNKNOWN) if plain else UNKNOWN
