"""The wrappers' command lines: what is sbatch's stays sbatch's, and an owner's comment stays in the comment."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from pathlib import Path

import pytest
from datacrumbs.core.errors import UsageError
from datacrumbs.slurm.words import comment_in_script, split
from hypothesis import given
from hypothesis import strategies as st

OURS = ["--datacrumbs-enable", "--datacrumbs-probe-file=/p"]


options_of_sbatch = st.sampled_from(
    [["-N4"], ["-n", "8"], ["--hold"], ["--exclusive"], ["--time=1:00"], ["--time", "1"], ["-Jname"], ["-W"]]
)


@given(st.lists(options_of_sbatch, max_size=3), st.lists(options_of_sbatch, max_size=3))
def test_what_is_not_ours_stays_in_order(before: list[list[str]], after: list[list[str]]) -> None:
    first, last = [x for y in before for x in y], [x for y in after for x in y]
    rest = ["job.sh", "--comment=of the script", ":x", "-N"]
    words = split([*first, *OURS, *last, *rest])
    assert words.enable and words.probe_file == "/p"
    assert [*words.options, *words.rest] == [*first, *last, *rest]


@pytest.mark.parametrize(
    ("arguments", "script", "comment"),
    [
        (["job.sh"], "job.sh", None),
        (["-N", "4", "job.sh"], "job.sh", None),
        (["-N4", "--time", "5", "job.sh", "x"], "job.sh", None),
        (["--exclusive", "job.sh"], "job.sh", None),
        (["--hold", "-W", "job.sh"], "job.sh", None),
        (["-vQ", "job.sh"], "job.sh", None),
        (["-k", "job.sh"], "job.sh", None),
        (["--comment", "a b", "job.sh"], "job.sh", "a b"),
        (["--comment=a", "--comm=b", "job.sh"], "job.sh", "b"),
        (["--wrap", "true"], None, None),
        (["--", "job.sh"], "job.sh", None),
        ([], None, None),
    ],
)
def test_script_and_comment_are_found(arguments: list[str], script: str | None, comment: str | None) -> None:
    words = split([*OURS, *arguments])
    assert (words.script, words.comment) == (script, comment)


def test_every_component_gets_the_comment() -> None:
    words = split([*OURS, "-N1", ":", "-N2", "job.sh"])
    assert words.with_comment("c") == ["--comment=c", "-N1", ":", "--comment=c", "-N2", "job.sh"]


@pytest.mark.parametrize(
    "arguments", [["--datacrumbs-probe-file"], ["--datacrumbs-probe", "/x"], ["--datacrumbs-enable=1"]]
)
def test_ours_are_checked(arguments: list[str]) -> None:
    with pytest.raises(UsageError):
        split(arguments)


@pytest.mark.parametrize(
    ("line", "comment"),
    [
        ("#SBATCH --comment=word", "word"),
        ("#SBATCH -N2 --comment 'two words' # and why", "two words"),
        ('#SBATCH --comment="{\\"a\\":1}"', '{"a":1}'),
        ("#SBATCH --comment='{\"a\":1}'", '{"a":1}'),
        ("##SBATCH --comment=no", None),
        ("# SBATCH --comment=no", None),
        ("#SBATCH --comment='unbalanced", "'unbalanced"),
    ],
)
def test_comments_on_sbatch_lines(line: str, comment: str | None) -> None:
    assert comment_in_script(f"#!/bin/sh\n\n{line}\nsrun x\n#SBATCH --comment=too late\n") == comment


def test_a_heterogeneous_script_is_not_guessed_at() -> None:
    with pytest.raises(UsageError):
        comment_in_script("#!/bin/sh\n#SBATCH -N1\n#SBATCH hetjob\n#SBATCH -N2\n")


@given(st.text(max_size=200))
def test_no_script_is_too_strange(text: str) -> None:
    with contextlib.suppress(UsageError):
        comment_in_script(f"#!/bin/sh\n#SBATCH {text}")


@pytest.fixture
def slurm(tmp_path: Path) -> dict[str, str]:
    """Stand-ins for Slurm's commands that write down how they are called: only the wrappers are under test here."""
    for name in ("sbatch", "salloc"):
        (tmp_path / name).write_text(
            f'#!/bin/sh\nfor word; do printf "%s\\0" "$word"; done >{tmp_path}/words\ncat >{tmp_path}/in\nexit 7\n'
        )
        (tmp_path / name).chmod(0o755)
    return {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}


def submit(bin_dir: Path, slurm: dict[str, str], folder: Path, *words: str, text: str = "") -> list[str]:
    probes = folder / "probes.json.gz"
    probes.write_bytes(b"")
    done = subprocess.run(
        [bin_dir / "datacrumbs_sbatch", "--datacrumbs-enable", "--datacrumbs-probe-file", "probes.json.gz", *words],
        env=slurm, cwd=folder, input=text, text=True, capture_output=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 7, done.stderr
    return (folder / "words").read_text().split("\0")[:-1]


def test_sbatch_gets_the_comment_and_gives_its_exit_code(bin_dir: Path, slurm: dict[str, str], tmp_path: Path) -> None:
    first, *others = submit(bin_dir, slurm, tmp_path, "-N2", "--comment", '{"account":7}', "job.sh", "$x")
    wanted = {"enable": "yes", "probe_file": str(tmp_path / "probes.json.gz")}
    assert json.loads(first.removeprefix("--comment=")) == {"account": 7, "datacrumbs": wanted}
    assert others == ["-N2", "job.sh", "$x"]


def test_a_script_on_stdin_arrives_and_its_comment_is_kept(
    bin_dir: Path, slurm: dict[str, str], tmp_path: Path
) -> None:
    script = "#!/bin/sh\n#SBATCH --comment='my own'\ntrue\n"
    (first,) = submit(bin_dir, slurm, tmp_path, text=script)
    assert json.loads(first.removeprefix("--comment="))["comment"] == "my own"
    assert (tmp_path / "in").read_text() == script


def test_a_comment_that_gets_too_long_is_refused(bin_dir: Path, slurm: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "p").write_bytes(b"")
    done = subprocess.run(
        [bin_dir / "datacrumbs_sbatch", *("--datacrumbs-enable", "--datacrumbs-probe-file=p", "--comment", "x" * 1000)],
        env=slurm, cwd=tmp_path, text=True, capture_output=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 64 and "Slurm takes 1024" in done.stderr
