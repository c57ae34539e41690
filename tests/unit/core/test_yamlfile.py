"""YAML that people write: every mistake has a place, and hostile files cost little."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from datacrumbs.core.errors import ConfigError, DataCrumbsError, DataError, NoInputError
from datacrumbs.core.yamlfile import MAX_BYTES, MAX_DEPTH, load, parse, suggestion
from hypothesis import given
from hypothesis import strategies as st


def refusal(text: str, keys: tuple[str, ...] = ("name", "regex")) -> DataCrumbsError:
    with pytest.raises(DataError) as caught:
        members = parse(text.encode(), "h.yaml").mapping(keys)
        for key in members.names():
            members.require(key).text()
    return caught.value


def test_an_unknown_key_is_told_with_place_and_suggestion() -> None:
    error = refusal("name: a\n  \nregx: b\n")
    assert error.message == "h.yaml:3:1: unknown key 'regx'"
    assert error.hint == "did you mean 'regex'?"


def test_a_key_that_resembles_none_lists_all() -> None:
    assert suggestion("zzzzzz", ["name", "regex"]) == "known here: name, regex"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nname: b\n", "h.yaml:2:1: 'name' is there twice"),
        ("- a\n", "h.yaml:1:1: a mapping (key: value) is wanted here, this is a list"),
        ("name: [a]\n", "h.yaml:1:7: a text is wanted here, this is a list"),
        ("name: 5\n", "h.yaml:1:7: a text is wanted here, this is a number"),
        ("name: on\n", "h.yaml:1:7: a text is wanted here, this is true or false"),
        ("name:\n", "h.yaml:1:1: 'name' is missing"),
        ('name: ""\n', "h.yaml:1:7: a text of 1 to 4096 characters is wanted here"),
        ('name: "a\\0b"\n', "h.yaml:1:7: a text of 1 to 4096 characters is wanted here"),
        ("name: !!python/object:os.system x\n", "h.yaml:1:7: a text is wanted here"),
        ("? [a]\n: b\n", "h.yaml:1:3: a text is wanted here, this is a list"),
        ("name: 'a\n", "h.yaml:2:1: not YAML: found unexpected end of stream"),
        ("name: a\n\tregex: b\n", "h.yaml:2:1: not YAML"),
        ("name: @a\n", "h.yaml:1:7: not YAML"),
        ("name: *a\n", "h.yaml:1:7: not YAML: found undefined alias"),
        ("name: a\n---\nname: b\n", "h.yaml:2:1: not YAML: but found another document"),
        ("%YAML 3.0\n---\nname: a\n", "h.yaml:1:1: not YAML: found incompatible YAML document"),
        ('name: "\\Uffffffff"\n', "h.yaml: not YAML"),
        ("name: a\x07\n", "h.yaml: not YAML"),
        ("", "h.yaml: is empty"),
        ("# only a remark\n", "h.yaml: is empty"),
    ],
)
def test_each_mistake_has_its_message(text: str, message: str) -> None:
    assert refusal(text).message.startswith(message)


def test_quotes_are_suggested_for_words_that_yaml_takes_for_something_else() -> None:
    assert refusal("name: on\n").hint == 'write it in quotes: "on"'


def test_bytes_that_are_no_text_are_told_with_their_line() -> None:
    with pytest.raises(DataError, match=r"h.yaml:2: is not UTF-8"):
        parse(b"name: a\nregex: \xff\n", "h.yaml")


@pytest.mark.parametrize(
    "hostile",
    [
        "[" * 5_000,
        "{a: " * 5_000,
        "- " * (MAX_DEPTH + 1) + "a",
        "a: &a [" + "x," * 60_000 + "]",
        "a: &a 1\nb: [" + "*a," * 300 + "]",
        "x" * (MAX_BYTES + 1),
    ],
    ids=["sequences", "mappings", "dashes", "values", "aliases", "bytes"],
)
def test_hostile_files_are_refused_soon(hostile: str) -> None:
    before = time.monotonic()
    with pytest.raises(DataError):
        parse(hostile.encode(), "h.yaml")
    assert time.monotonic() - before < 10


def test_expanding_aliases_take_no_memory() -> None:
    """A billion laughs: nobody ever expands them."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    assert len(parse("\n".join(lines).encode(), "h.yaml").mapping([f"a{i}" for i in range(10)]).names()) == 10


@given(st.binary(max_size=400) | st.text("abn:-[]{}'\"&*!|>#%@ \n\t0\\u", max_size=200).map(str.encode))
def test_whatever_the_bytes_the_outcome_is_a_node_or_an_error_of_ours(data: bytes) -> None:
    try:
        node = parse(data, "h.yaml")
        for key in node.mapping(["a", "b", "n"]).names():
            node.mapping(["a", "b", "n"]).require(key).texts()
    except DataError as error:
        assert error.message.startswith("h.yaml")


@given(st.dictionaries(st.sampled_from(["a", "b"]), st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1)))
def test_quoted_texts_come_back_as_they_were_written(values: dict[str, str]) -> None:
    text = "".join(f"{key}: '{value.replace(chr(39), chr(39) * 2)}'\n" for key, value in values.items()) or "{}"
    members = parse(text.encode(), "h.yaml").mapping(["a", "b"])
    assert {key: members.require(key).text() for key in members.names()} == values


def test_a_missing_file_a_folder_and_a_fifo_are_no_input(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for name, what in (("missing", "No such file"), (".", "is a directory"), ("fifo", "is a FIFO")):
        with pytest.raises(NoInputError, match=what):
            load(tmp_path / name, error=ConfigError)
