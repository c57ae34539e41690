"""Signatures of libraries that everybody knows: exactly what standards and ABIs say, and what a compiler says.

Each reader has its witnesses: the standards (golden lines below), the compiler (which is asked for the type of every
function that a header declares), the other readers, and bpftool for BTF.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from datacrumbs.configurator.arguments import dwarf, headers, known
from datacrumbs.configurator.arguments.signature import Signature, Type
from datacrumbs.configurator.sources import binary, library
from datacrumbs.core import btf, elf
from elftools.elf.elffile import ELFFile

MULTIARCH = f"/usr/lib/{platform.machine()}-linux-gnu"
MPI = Path(MULTIARCH, "openmpi/include/mpi.h")
HDF5 = Path("/usr/include/hdf5/openmpi/hdf5.h")
STDIO, UNISTD = Path("/usr/include/stdio.h"), Path("/usr/include/unistd.h")
FLAGS = ["-D_GNU_SOURCE", f"-I{MPI.parent}", f"-I{HDF5.parent}"]

GOLDEN = {
    STDIO: """
        fread: ptr:pointer, size:u64, n:u64, stream:pointer -> u64
        fwrite: ptr:pointer, size:u64, n:u64, _:pointer -> u64
        fopen: filename:string, modes:string -> pointer
        fdopen: fd:i32, modes:string -> pointer
        fclose: stream:pointer -> i32
        fflush: stream:pointer -> i32
        fseek: stream:pointer, off:i64, whence:i32 -> i32
        fseeko: stream:pointer, off:i64, whence:i32 -> i32
        ftell: stream:pointer -> i64
        rewind: stream:pointer -> void
        fgets: s:pointer, n:i32, stream:pointer -> pointer
        fputs: s:string, stream:pointer -> i32
        fprintf: stream:pointer, format:string -> i32
        setvbuf: stream:pointer, buf:pointer, modes:i32, n:u64 -> i32
        getline: lineptr:pointer, n:pointer, stream:pointer -> i64
        feof_unlocked: stream:pointer -> i32
        fwrite_unlocked: ptr:pointer, size:u64, n:u64, stream:pointer -> u64
        funlockfile: stream:pointer -> void
    """,
    UNISTD: """
        read: fd:i32, buf:pointer, nbytes:u64 -> i64
        write: fd:i32, buf:pointer, n:u64 -> i64
        pread: fd:i32, buf:pointer, nbytes:u64, offset:i64 -> i64
        pwrite: fd:i32, buf:pointer, n:u64, offset:i64 -> i64
        lseek: fd:i32, offset:i64, whence:i32 -> i64
        close: fd:i32 -> i32
        fsync: fd:i32 -> i32
        ftruncate: fd:i32, length:i64 -> i32
        unlink: name:string -> i32
        readlink: path:string, buf:pointer, len:u64 -> i64
        chown: file:string, owner:u32, group:u32 -> i32
        getpid: -> i32
        usleep: useconds:u32 -> i32
    """,
    MPI: """
        MPI_Init: argc:pointer, argv:pointer -> i32
        MPI_Wtime: -> float
        MPI_Bcast: buffer:pointer, count:i32, datatype:pointer, root:i32, comm:pointer -> i32
        MPI_File_open: comm:pointer, filename:string, amode:i32, info:pointer, fh:pointer -> i32
        MPI_File_close: fh:pointer -> i32
        MPI_File_read: fh:pointer, buf:pointer, count:i32, datatype:pointer, status:pointer -> i32
        MPI_File_write_at: fh:pointer, offset:i64, buf:pointer, count:i32, datatype:pointer, status:pointer -> i32
        MPI_File_read_at_all: fh:pointer, offset:i64, buf:pointer, count:i32, datatype:pointer, status:pointer -> i32
        MPI_File_seek: fh:pointer, offset:i64, whence:i32 -> i32
        MPI_File_set_size: fh:pointer, size:i64 -> i32
        MPI_File_get_size: fh:pointer, size:pointer -> i32
        MPI_File_set_view: fh:pointer, disp:i64, etype:pointer, filetype:pointer, datarep:string, info:pointer -> i32
        PMPI_File_sync: fh:pointer -> i32
    """,
    HDF5: """
        H5open: -> i32
        H5Fcreate: filename:string, flags:u32, _:i64, _:i64 -> i64
        H5Fopen: filename:string, flags:u32, _:i64 -> i64
        H5Fclose: file_id:i64 -> i32
        H5Fflush: object_id:i64, scope:i32 -> i32
        H5Dcreate2: loc_id:i64, name:string, type_id:i64, space_id:i64, lcpl_id:i64, dcpl_id:i64, dapl_id:i64 -> i64
        H5Dwrite: dset_id:i64, mem_type_id:i64, mem_space_id:i64, file_space_id:i64, _:i64, buf:pointer -> i32
        H5Dread: dset_id:i64, mem_type_id:i64, mem_space_id:i64, file_space_id:i64, _:i64, buf:pointer -> i32
        H5Dclose: dset_id:i64 -> i32
        H5Screate_simple: rank:i32, dims:pointer, maxdims:pointer -> i64
        H5Awrite: attr_id:i64, type_id:i64, buf:pointer -> i32
        H5Tinsert: parent_id:i64, name:string, offset:u64, member_id:i64 -> i32
    """,
}
"""By header. Names begin without underscores; `_` stands for one that versions write differently. Handles of MPI are
pointers in Open MPI.
"""
LIBC = """
    read: fd:i32, buf:pointer, nbytes:u64 -> i64
    write: fd:i32, buf:pointer, nbytes:u64 -> i64
    open64: file:string, oflag:i32 -> i32
    close: fd:i32 -> i32
    pread64: fd:i32, buf:pointer, count:u64, offset:i64 -> i64
    pwrite64: fd:i32, buf:pointer, count:u64, offset:i64 -> i64
    lseek64: fd:i32, offset:i64, whence:i32 -> i64
    readv: fd:i32, iov:pointer, iovcnt:i32 -> i64
    fsync: fd:i32 -> i32
    mmap64: addr:pointer, len:u64, prot:i32, flags:i32, fd:i32, offset:i64 -> pointer
    fopen: filename:string, mode:string -> pointer
    fclose: fp:pointer -> i32
    fread: buf:pointer, size:u64, count:u64, fp:pointer -> u64
    fwrite: buf:pointer, size:u64, count:u64, fp:pointer -> u64
    fseek: fp:pointer, offset:i64, whence:i32 -> i32
    strtol: nptr:string, endptr:pointer, base:i32 -> i64
"""
"""What glibc's sources have said for decades."""
KERNEL = """
    vfs_read: struct file * file, char * buf, size_t count, loff_t * pos -> ssize_t
    vfs_write: struct file * file, char * buf, size_t count, loff_t * pos -> ssize_t
    vfs_fsync_range: struct file * file, loff_t start, loff_t end, int datasync -> int
    vfs_fsync: struct file * file, int datasync -> int
    filemap_write_and_wait_range: struct address_space * mapping, loff_t lstart, loff_t lend -> int
    generic_file_read_iter: struct kiocb * iocb, struct iov_iter * iter -> ssize_t
    fget: unsigned int fd -> struct file *
    submit_bio: struct bio * bio -> void
    sync_filesystem: struct super_block * sb -> int
    dput: struct dentry * dentry -> void
"""
"""What has been so since Linux 5.14, the oldest that is supported."""


def golden(text: str) -> dict[str, str]:
    return dict(line.strip().split(": ", 1) for line in text.strip().splitlines())


def shown(kind: Type | None) -> str:
    return "void" if kind is None else str(kind.shown) if kind.passed == "integer" else kind.passed


def written(signature: Signature, like: str = "") -> str:
    """A signature as the golden lines have it; a name is `_` where it is in `like`."""
    anonymous = [word.strip().startswith("_:") for word in like.partition("->")[0].split(",")]
    anonymous += [False] * len(signature.parameters)
    words = [
        f"{'_' if skip else name.lstrip('_')}:{shown(kind)}"
        for (name, kind), skip in zip(signature.parameters, anonymous, strict=False)
    ]
    return f"{', '.join(words)} -> {shown(signature.returns)}".strip()


def needs(path: Path) -> None:
    if not path.exists():
        pytest.skip(f"{path} is not installed")


@pytest.mark.parametrize("header", GOLDEN, ids=lambda path: path.name)
def test_headers_of_known_libraries(header: Path) -> None:
    """Names and types of well-known functions come out as the standards have them."""
    needs(header)
    found, wanted = headers.read([str(header)]), golden(GOLDEN[header])
    assert {name: written(found[name], line) for name, line in wanted.items()} == wanted


def asked(header: Path, names: list[str], folder: Path) -> Mapping[str, Signature]:
    """What the compiler says of functions, in debugging information on pointers to them; those it knows."""
    source, made = folder / "ask.c", folder / "ask.o"
    for _ in range(4):
        lines = [f"#include <{header.name}>", *(f"__typeof__({name}) *p_{name} = {name};" for name in names)]
        source.write_text("\n".join(lines) + "\n")
        done = subprocess.run(["gcc", "-w", "-g", "-c", "-o", made, source, *FLAGS], capture_output=True, text=True)
        if done.returncode == 0:
            break
        unknown = {
            int(number) - 2 for number in re.findall(rf"^{re.escape(str(source))}:(\d+):", done.stderr, re.MULTILINE)
        }
        names = [name for index, name in enumerate(names) if index not in unknown]
    found: dict[str, Signature] = {}
    with made.open("rb") as stream:
        for unit in ELFFile(stream).get_dwarf_info().iter_CUs():
            for die in unit.get_top_DIE().iter_children():
                if die.tag == "DW_TAG_variable" and die.attributes["DW_AT_name"].value.startswith(b"p_"):
                    kind = die.get_DIE_from_attribute("DW_AT_type").get_DIE_from_attribute("DW_AT_type")
                    while kind.tag == "DW_TAG_typedef":
                        kind = kind.get_DIE_from_attribute("DW_AT_type")
                    found[die.attributes["DW_AT_name"].value[2:].decode()] = dwarf._signature(kind)
    return found


@pytest.mark.parametrize(("header", "most"), [(STDIO, 4), (UNISTD, 4), (MPI, 60), (HDF5, 8)], ids=lambda x: str(x)[-8:])
def test_every_declaration_is_what_the_compiler_understands(header: Path, most: int, tmp_path: Path) -> None:
    """Of every function that a header declares, each type is the compiler's, or said to be unknown: that of a few."""
    needs(header)
    declared = headers.read([str(header)])
    compiled = asked(header, list(declared), tmp_path)
    assert len(compiled) > 80
    unknown = []
    for name, theirs in compiled.items():
        ours = declared[name]
        assert len(ours.parameters) == len(theirs.parameters), name
        pairs = [(a[1], b[1]) for a, b in zip(ours.parameters, theirs.parameters, strict=True)]
        for mine, other in (*pairs, (ours.returns, theirs.returns)):
            if mine is not None and mine.passed == "unknown":
                unknown.append(name)
            else:
                assert mine == other, name
    assert len(set(unknown)) <= most, unknown


@pytest.fixture(scope="module")
def libc() -> Mapping[str, Signature]:
    """Signatures of the C library by symbol, from its debugging information."""
    path = library.locate("libc.so.6")
    image = elf.read(path)
    codes = [(image.address_of(code.offset) or 0, code) for code in binary.read(path).functions if not code.indirect]
    found, problem = dwarf.read(path, image.build_id, {address for address, _ in codes}, seconds=120)
    if not found:
        pytest.skip(f"libc6-dbg is not installed: {problem}")
    assert problem == ""
    return {name.symbol: found[address] for address, code in codes if address in found for name in code.names}


def test_debugging_information_of_the_c_library(libc: Mapping[str, Signature]) -> None:
    """Names and types of well-known functions come out as glibc's sources have them."""
    wanted = golden(LIBC)
    assert {name: written(libc[name]) for name in wanted} == wanted
    assert len(libc) > 1_500


@pytest.mark.parametrize("header", [STDIO, UNISTD], ids=lambda path: path.name)
def test_headers_and_debugging_information_agree(libc: Mapping[str, Signature], header: Path) -> None:
    """Two readers of two sources say the same of every function that both know."""
    needs(header)
    both = {name: one for name, one in headers.read([str(header)]).items() if name in libc}
    assert len(both) > 60
    for name, one in both.items():
        if any(kind.passed == "unknown" for _, kind in one.parameters):
            continue
        assert [shown(kind) for _, kind in one.parameters] == [shown(kind) for _, kind in libc[name].parameters], name
        assert one.returns is None or one.returns.passed == "unknown" or one.returns == libc[name].returns, name


@pytest.mark.skipif(not Path("/sys/kernel/btf/vmlinux").exists(), reason="this kernel has no BTF")
def test_functions_of_the_running_kernel() -> None:
    """Parameters and results of well-known kernel functions are what the kernel's sources say."""
    types = btf.kernel()
    found = {}
    for name, line in golden(KERNEL).items():
        prototype = types.functions().get(name)
        if prototype is None:
            continue  # inlined in this kernel
        parameters = [f"{types.written(p.type)} {p.name}" for p in types.parameters(prototype)]
        result = types.returns(prototype)
        found[name] = (f"{', '.join(parameters)} -> {types.written(result) if result else 'void'}", line)
    assert len(found) >= 7
    assert {name: ours for name, (ours, _) in found.items()} == {name: line for name, (_, line) in found.items()}


@pytest.mark.skipif(not Path("/sys/kernel/btf/vmlinux").exists(), reason="this kernel has no BTF")
def test_every_function_of_the_kernel_is_as_bpftool_reads_it() -> None:
    """All functions and the names and types of their parameters are those that the kernel's own tool finds."""
    if not shutil.which("bpftool"):
        pytest.skip("no bpftool")
    command = ["bpftool", "-j", "btf", "dump", "file", "/sys/kernel/btf/vmlinux", "format", "raw"]
    done = subprocess.run(command, capture_output=True, timeout=300)
    if done.returncode:
        pytest.skip(f"bpftool: {done.stderr[:200]!r}")
    listed = json.loads(done.stdout)["types"]
    prototypes = {x["id"]: x for x in listed if x["kind"] == "FUNC_PROTO"}
    types = btf.kernel()
    theirs = {x["name"]: prototypes[x["type_id"]] for x in listed if x["kind"] == "FUNC"}
    assert set(theirs) == set(types.functions())
    assert len(theirs) > 10_000
    for name, prototype in theirs.items():
        number = types.functions()[name]
        plain = [(x["name"].replace("(anon)", ""), x["type_id"]) for x in prototype.get("params", []) if x["type_id"]]
        assert [(p.name, p.type) for p in types.parameters(number)] == plain, name
        assert types.returns(number) == prototype["ret_type_id"], name


LIBRARIES = {
    "libc.so.6": [
        *(f"/usr/include/{name}.h" for name in ("stdio", "unistd", "fcntl", "stdlib", "dirent")),
        *(f"{MULTIARCH.replace('lib', 'include')}/sys/{name}.h" for name in ("uio", "stat")),
    ],
    "libhdf5_openmpi.so.103": [str(HDF5)],
    "libmpi.so.40": [str(MPI)],
}
TEMPLATES = ("mkstemp", "mkstemp64", "mkostemp", "mkostemp64", "mkdtemp")
"""Functions whose path is no `const char *`: they write into it."""


@pytest.mark.parametrize(("file", "paths"), LIBRARIES.items(), ids=list(LIBRARIES))
def test_what_is_known_of_functions_agrees_with_their_headers(file: str, paths: list[str]) -> None:
    """Each argument that the shipped tables name is one of that type in the header, and so are files and results."""
    there = [path for path in paths if Path(path).exists()]
    if not there:
        pytest.skip(f"no headers of {file}")
    declared, compared = headers.read(there), 0
    for name, line in known.captures(file).items():
        signature = declared.get(name)
        if signature is None:
            continue
        compared += 1
        kinds = [kind for _, kind in signature.parameters if kind.passed != "float"]
        for argument in line.arguments:
            if argument.index >= len(kinds):
                assert argument.name == "mode" and name.startswith("open"), name  # behind the "..."
                continue
            kind = kinds[argument.index].shown
            if argument.place is not None:
                assert kind in {"pointer", "string"}, name
            elif argument.type != "hex":
                assert argument.type == kind or (argument.type, kind) == ("i64", "pointer"), name
        for file_ in line.files:
            wanted = {"pointer"} if file_.stream else {"i64", "pointer"} if file_.handle else {"i32"}
            assert file_.descriptor < 0 or kinds[file_.descriptor].shown in wanted, name
            assert file_.path < 0 or kinds[file_.path].shown == ("pointer" if name in TEMPLATES else "string"), name
            assert file_.directory < 0 or kinds[file_.directory].shown == "i32", name
        result = shown(signature.returns)
        fits = {"void": {""}, "pointer": {"pointer", "string", "i64"}}
        assert line.returns in fits.get(result, {result}), name
    assert compared >= 30


def test_how_a_signature_is_written_tells_types_apart() -> None:
    """The golden lines would show another width, another sign, or a pointer in the place of a text."""
    types = [
        Type("integer", "i32"),
        Type("integer", "u32"),
        Type("integer", "i64"),
        Type("integer", "string"),
        Type("float"),
    ]
    assert len({written(Signature((("x", kind),), None)) for kind in types}) == len(types)
