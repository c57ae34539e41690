"""A function's arguments and result in one line, as core/syscalls.py has it for system calls and a few words more.

    fwrite: "_, size:u64, nmemb:u64, stream -> u64; ret*size"

Each argument is one of

    fd, stream      a descriptor, a `FILE *`: of the file that the call is about
    dir             a descriptor of the folder where the next `path` starts
    path            a pointer to a path
    name:type       a value to capture; `string` is the text behind a `char *`
    name:type*N     a value N bytes into the memory that the argument points to; N may be missing
    name:type@N     the same, read when the call returns
    name:handle     a library's handle for an open file; likewise with * and @
    float           is passed in a vector register, which nobody can look into
    _               not captured

`-> type` is what it returns: a type, `fd`, `stream`, or `handle` where that is a new one. After the semicolon stands
how many bytes the call moves: names of arguments, or `ret`, that are multiplied.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, cast

from datacrumbs.core.probes import (
    ARGUMENT_TYPES,
    MAX_ARGUMENTS,
    MAX_PATHS,
    MAX_TEXTS,
    RESULT,
    Argument,
    ArgumentType,
    Capture,
    FileRef,
    Place,
    ResultType,
)

MAX_LENGTH: Final = 1_000
_REGISTERS: Final = 6
_ARGUMENT: Final = re.compile(r"(\w{1,64}):(\w+)(?:([*@])\s*(\d{1,6})?)?\Z")
HANDLE_TYPE: Final[ArgumentType] = "i64"


@dataclass(slots=True)
class _Reading:
    handle: str
    arguments: list[Argument] = field(default_factory=list)
    files: list[FileRef] = field(default_factory=list)
    folder: int = -1
    index: int = 0

    def word(self, word: str) -> None:
        match word:
            case "_":
                pass
            case "float":
                return  # takes no place among the others
            case "fd":
                self.files.append(FileRef(descriptor=self._in_register()))
            case "stream":
                self.files.append(FileRef(descriptor=self._in_register(), stream=True))
            case "dir":
                self.folder = self._in_register()
            case "path":
                self.files.append(FileRef(path=self._in_register(), directory=self.folder))
                self.folder = -1
            case _:
                self._value(word)
        self.index += 1

    def _in_register(self) -> int:
        if self.index >= _REGISTERS:
            raise ValueError(f"only the first {_REGISTERS} arguments can be files")
        return self.index

    def _value(self, word: str) -> None:
        match = _ARGUMENT.match(word)
        if not match:
            raise ValueError(f"'{word}' is not an argument: write it as name:type")
        name, kind, mark, offset = match.groups()
        if kind == "handle":
            if not self.handle:
                raise ValueError("handles are known for MPI and HDF5 alone")
            kind = HANDLE_TYPE
            if mark == "@":
                self._new_handle()
            else:
                self.files.insert(0, FileRef(descriptor=self._in_register(), handle=self.handle))
        if kind not in ARGUMENT_TYPES:
            raise ValueError(f"'{kind}' is not a type: {', '.join(ARGUMENT_TYPES)}")
        place = Place("", int(offset or 0), dereference=True, returned=mark == "@") if mark else None
        if place and (kind == "string" or self.index >= _REGISTERS):
            raise ValueError(f"'{word}' cannot be read: it is behind two pointers")
        self.arguments.append(Argument(name, self.index, cast("ArgumentType", kind), place))

    def _new_handle(self) -> None:
        first = self.files.pop(0) if self.files else FileRef()
        self.files.insert(0, FileRef(first.descriptor, first.path, first.directory, returned=True, handle=self.handle))

    def result(self, word: str) -> ResultType:
        first = self.files[0] if self.files else FileRef()
        match word:
            case "fd" | "stream":
                stream = word == "stream"
                self.files[:1] = [FileRef(first.descriptor, first.path, first.directory, returned=True, stream=stream)]
                return "pointer" if stream else "i32"
            case "handle":
                if not self.handle:
                    raise ValueError("handles are known for MPI and HDF5 alone")
                self._new_handle()
                return HANDLE_TYPE
            case _ if word in ARGUMENT_TYPES or not word:
                return cast("ResultType", word)
        raise ValueError(f"'{word}' is not a type: {', '.join(ARGUMENT_TYPES)}, fd, stream")

    def factor(self, name: str) -> int:
        places = [i for i, argument in enumerate(self.arguments) if argument.name == name]
        if name != "ret" and not places:
            raise ValueError(f"'{name}' is not among the arguments")
        return RESULT if name == "ret" else places[0]


def parse(text: str, handle: str = "") -> Capture:
    """What a line says.

    Args:
        text: the line.
        handle: the kind of handle that the word stands for.

    Raises:
        ValueError: it says nothing that makes sense; the message is for the line's author.
    """
    if len(text) > MAX_LENGTH:
        raise ValueError(f"a line of more than {MAX_LENGTH} characters")
    signature, _, moved = text.partition(";")
    parameters, _, result = signature.partition("->")
    reading = _Reading(handle)
    for word in filter(None, (word.strip() for word in parameters.split(","))):
        reading.word(word)
    returns = reading.result(result.strip())
    size = tuple(reading.factor(name.strip()) for name in moved.split("*")) if moved.strip() else ()
    texts = sum(argument.type == "string" for argument in reading.arguments) + (returns == "string")
    if len(reading.arguments) > MAX_ARGUMENTS or len(reading.files) > MAX_PATHS or texts > MAX_TEXTS:
        raise ValueError(f"over {MAX_ARGUMENTS} values, {MAX_PATHS} files or {MAX_TEXTS} texts")
    if RESULT in size and not returns:
        raise ValueError("'ret' has no type: add '-> u64'")
    return Capture(tuple(reading.arguments), tuple(reading.files), returns, size)
