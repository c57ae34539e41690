"""A job's metadata: what people mean is understood, what is wrong is said with what to write, nothing else escapes."""

from __future__ import annotations

import json

import pytest
from datacrumbs.core import metadata
from datacrumbs.core.errors import DataError
from datacrumbs.core.metadata import Metadata, compose, parse
from hypothesis import given
from hypothesis import strategies as st

FILE = "/home/ada/probes.json.gz"

paths = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=200).map(lambda x: "/" + x)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=10,
)
nearly = st.sampled_from(
    ["datacrumbs", "Datacrumbs", "enable", "probe_file", "probes", "yes", FILE, "{", "}", '"', ":"]
)


def ask(**members: object) -> str:
    return json.dumps({"datacrumbs": members})


@given(paths)
def test_what_is_dumped_is_read(path: str) -> None:
    assert parse(Metadata(path).dump()) == Metadata(path)
    assert parse(Metadata(path).dump().encode()) == Metadata(path)


@given(st.dictionaries(st.text(max_size=12), values, max_size=4), paths)
def test_other_members_do_not_matter(others: dict[str, object], path: str) -> None:
    others = {k: v for k, v in others.items() if not k.lower().startswith("datacrumbs")}
    assert parse(json.dumps(others)) is None
    both = {**others, "datacrumbs": {"enable": "yes", "probe_file": path}}
    assert parse(json.dumps(both)) == Metadata(path)


@given(
    st.text(max_size=300)
    | st.binary(max_size=300)
    | st.lists(nearly, max_size=14).map("".join)
    | values.map(lambda value: json.dumps({"datacrumbs": value}))
    | st.tuples(values, values).map(lambda two: ask(enable=two[0], probe_file=two[1]))
)
def test_nothing_but_an_answer_or_an_error_with_a_hint(text: str | bytes) -> None:
    """Whatever a user writes: no trace wanted, a file with an absolute path, or a sentence and what to do."""
    try:
        answer = parse(text)
    except DataError as error:
        assert error.message and error.hint and error.who == "user"
    else:
        assert answer is None or answer.probe_file.startswith("/")


@pytest.mark.parametrize("yes", ["yes", "YES", " Yes ", "true", True, "1", 1, "on", "y"])
def test_every_usual_yes_is_one(yes: object) -> None:
    assert parse(ask(enable=yes, probe_file=FILE)) == Metadata(FILE)


@pytest.mark.parametrize("no", ["no", "No", "false", False, "0", 0, "off", "", None])
def test_every_usual_no_is_one(no: object) -> None:
    assert parse(ask(enable=no, probe_file="not even a path")) is None


@pytest.mark.parametrize(
    "comment",
    [
        "",
        "my run",
        "compares datacrumbs with others",
        "enable datacrumbs later",
        '{"account":7}',
        '{"datacrumbs":null}',
    ],
)
def test_other_comments_ask_for_nothing(comment: str) -> None:
    assert parse(comment) is None


@pytest.mark.parametrize(
    ("comment", "says"),
    [
        ("{datacrumbs:{enable:yes,probe_file:/a/b.json.gz}}", "#SBATCH --comment='"),
        ("{'datacrumbs':{'enable':'yes','probe_file':'/a'}}", "double quotes"),
        ('{"datacrumbs":{"enable":"yes","probe_file":"/a"}', "not JSON"),
        ('"datacrumbs":{"enable":"yes","probe_file":"/a"}x', ""),
        ("datacrumbs={enable=yes}", "not a JSON object"),
        ('{"Datacrumbs":{"enable":"yes"}}', "small letters"),
        ('{"datacrumbs.enable":"yes"}', "unknown member"),
        ('{"datacrumbs":"yes"}', "not an object but a text"),
        ('{"datacrumbs":{"enable":"yes"},"datacrumbs":{"enable":"no"}}', "twice"),
        (ask(probe_file=FILE), 'does not say "enable"'),
        (ask(enable="yes"), "names no probe_file"),
        (ask(enable="maybe", probe_file=FILE), "neither yes nor no"),
        (ask(enable=["yes"], probe_file=FILE), "neither yes nor no"),
        (ask(enable="yes", probe_file="probes.json.gz"), "write the whole path"),
        (ask(enable="yes", probe_file="~/probes.json.gz"), "no shell looks at it"),
        (ask(enable="yes", probe_file="$HOME/probes.json.gz"), "no shell looks at it"),
        (ask(enable="yes", probe_file=""), "empty"),
        (ask(enable="yes", probe_file=7), "not a text but a number"),
        (ask(enable="yes", probe_file="/a\nX=1"), "control characters"),
        (ask(enable="yes", probe_file="/" + "a" * 4096), "4096"),
        (ask(enable="yes", probefile=FILE), "did you mean 'probe_file'"),
        (ask(enable="yes", **{"probe-file": FILE}), "did you mean 'probe_file'"),
        (ask(enable="yes", composite="posix"), "name a signed probes file with probe_file"),
        (ask(enable="yes", probes=["read"]), "name a signed probes file with probe_file"),
        ('{"datacrumbs":' + "[" * 600 + "]" * 600 + "}", "nested"),
        ('{"datacrumbs":"' + "x" * 65536 + '"}', "larger than"),
    ],
)
def test_mistakes_are_told_with_what_to_write(comment: str, says: str) -> None:
    if not says:
        assert parse(comment) is None
        return
    with pytest.raises(DataError) as caught:
        parse(comment)
    assert says in f"{caught.value.message}; {caught.value.hint}"


def test_quotes_around_all_of_it_do_not_matter() -> None:
    assert parse(f"  '{Metadata(FILE).dump()}' ") == Metadata(FILE)


@given(st.text(max_size=60) | st.dictionaries(st.text(max_size=12), values, max_size=3).map(json.dumps))
def test_a_comment_keeps_what_its_owner_wrote(comment: str) -> None:
    """The wrappers put our member beside the owner's; words that are no object stand under "comment"."""
    try:
        document = json.loads(comment)
    except ValueError:
        document = None
    composed = compose(Metadata(FILE), comment)
    got = json.loads(composed)
    assert got.pop("datacrumbs") == {"enable": "yes", "probe_file": FILE}
    if isinstance(document, dict):
        document.pop("datacrumbs", None)
        assert got == document
    elif comment.strip():
        assert got == {"comment": comment}
    else:
        assert got == {}


def test_the_example_in_messages_is_right() -> None:
    assert parse(metadata.EXAMPLE) == Metadata("/abs/path.json.gz")
