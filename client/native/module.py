"""Writes the C source of Python's extension module `_client` from the declarations in client.h; run by the build.

Usage: `module.py client.h _client.c`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from cffi import FFI


def declarations(header: str) -> str:
    """What cffi understands of the header: all but the preprocessor's lines and C++'s linkage."""
    bare = re.sub(r"#ifdef __cplusplus.*?#endif", "", header, flags=re.DOTALL)
    return re.sub(r"^#.*$", "", bare, flags=re.MULTILINE)


def main(header: str, output: str) -> None:
    """Reads the header, writes the source of `datacrumbs.client._client`."""
    ffi = FFI()
    ffi.cdef(declarations(Path(header).read_text()))
    ffi.set_source("datacrumbs.client._client", "#include <datacrumbs/client.h>")
    ffi.emit_c_code(output)


if __name__ == "__main__":
    main(*sys.argv[1:])
