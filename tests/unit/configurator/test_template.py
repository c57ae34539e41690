"""Templates: placeholders are filled in or told; the installed host YAMLs work as they are."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from datacrumbs.configurator import template
from datacrumbs.configurator.gather import gather
from datacrumbs.configurator.resolve import Resolution, resolve
from datacrumbs.configurator.spec import parse
from datacrumbs.core.errors import DataCrumbsError, DataError, OutputError, UsageError
from datacrumbs.core.probes import Syscall
from datacrumbs.core.syscalls import IO_CALLS

TEMPLATES = Path(__file__).resolve().parents[3] / "configurator" / "templates"


def test_placeholders_are_filled_in_and_lines_keep_their_numbers() -> None:
    text = "a: @ONE@/@TWO@\r\n\nb: @ONE@"
    assert template.render(text, {"ONE": "1", "TWO": "2"}, "t") == "a: 1/2\r\n\nb: 1"


def test_what_looks_like_a_placeholder_but_is_none_stays() -> None:
    text = "memcpy@@GLIBC_2.14 me@host.org @low@ @"
    assert template.render(text, {}, "t") == text


def test_a_variable_that_is_not_set_is_told_with_its_line() -> None:
    with pytest.raises(DataError, match="t:2:4: nothing is set for @HDF@") as caught:
        template.render("a\nb: @HDF@\n", {"HDF5": "x"}, "t")
    assert caught.value.hint == "did you mean 'HDF5'?"


def test_a_comment_may_speak_of_variables() -> None:
    assert template.render("# set @X@\n", {}, "t") == "# set @X@\n"
    with pytest.raises(DataError):
        template.render("#!@X@\n", {}, "t")


def test_values_are_not_rendered_again() -> None:
    assert template.render("@A@", {"A": "@B@", "B": "x"}, "t") == "@B@"


@pytest.mark.parametrize("word", ["A", "=1", "a=1", "A B=1", "A=x\ny", "A=\x1b[31m", "1A=x"])
def test_assignments_of_another_form_are_refused(word: str) -> None:
    with pytest.raises(UsageError):
        template.assignments([word])


def test_the_command_writes_atomically_and_keeps_the_permissions(tmp_path: Path) -> None:
    source, out = tmp_path / "t.in", tmp_path / "t"
    source.write_text("#!@SH@\n")
    source.chmod(0o750)
    assert template.run([str(source), str(out), "--set", "SH=/bin/sh"]) == 0
    assert out.read_text() == "#!/bin/sh\n"
    assert stat.S_IMODE(out.stat().st_mode) == 0o750
    with pytest.raises(DataError):
        template.run([str(source), str(out)])
    assert out.read_text() == "#!/bin/sh\n"
    assert sorted(os.listdir(tmp_path)) == ["t", "t.in"]


@pytest.mark.parametrize(("source", "out"), [("missing", "o"), (".", "o"), ("t", "."), ("t", "no/such/folder")])
def test_bad_files_are_told(tmp_path: Path, source: str, out: str) -> None:
    (tmp_path / "t").write_text("x")
    with pytest.raises((DataCrumbsError, OutputError)):
        template.run([str(tmp_path / source), str(tmp_path / out)])


def resolved(name: str) -> Resolution:
    spec = parse((TEMPLATES / name).read_bytes(), name)
    return resolve(spec, gather(spec), arch="x86_64", most=16_384)


def test_the_posix_template_selects_the_io_calls_and_no_others() -> None:
    calls = {probe.target.name for probe in resolved("posix.yaml").probes.probes if isinstance(probe.target, Syscall)}
    assert calls <= set(IO_CALLS)
    gone = {"mmap", "munmap"}
    assert set(IO_CALLS) - calls - gone <= {"fchmodat2", "cachestat", "futimesat", "io_pgetevents", "openat2"}


def test_the_libc_template_selects_streams() -> None:
    result = resolved("libc.yaml")
    assert {"fopen", "fclose", "fread", "fwrite", "fseek", "fflush", "opendir"} <= {
        p.name for p in result.probes.probes
    }
    assert {p.category for p in result.probes.probes} == {"C"}
    assert not result.notes


def test_the_template_for_both_is_the_sum() -> None:
    both, posix, libc = (len(resolved(n).probes.probes) for n in ("posix+libc.yaml", "posix.yaml", "libc.yaml"))
    assert both == posix + libc
