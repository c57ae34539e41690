"""What is put on a node is remembered, and all of it goes away again."""

from __future__ import annotations

from pathlib import Path

from datacrumbs.core.setup import Record, has_block, without_block


def test_all_that_was_put_goes_away_and_the_rest_stays(tmp_path: Path) -> None:
    """Twice is as good as once, both ways; a file of the site's is as it was."""
    conf, new, unit = tmp_path / "slurm.conf", tmp_path / "plugstack.conf", tmp_path / "datacrumbs" / "x.service"
    conf.write_text("ClusterName=x\n# the end, without a line end")
    conf.chmod(0o640)
    state = tmp_path / "lib-datacrumbs" / "setup.json"
    for _ in range(2):
        record = Record(state)
        record.add_block(conf, "Prolog=/x")
        record.add_block(new, "optional /x.so")
        record.write(unit, b"[Unit]\n")
    assert conf.read_text().count("Prolog=/x") == 1 and conf.stat().st_mode & 0o777 == 0o640
    assert has_block(conf) and "Prolog" not in without_block(conf)
    assert set(Record(state).remove()) == {str(conf), str(new), str(unit)}
    assert conf.read_text() == "ClusterName=x\n# the end, without a line end\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["slurm.conf"]
    assert Record(state).remove() == []


def test_a_block_is_replaced_in_place_of_added(tmp_path: Path) -> None:
    conf = tmp_path / "c"
    record = Record(tmp_path / "datacrumbs" / "r")
    record.add_block(conf, "a=1")
    record.add_block(conf, "a=2")
    assert conf.read_text() == "# BEGIN datacrumbs\na=2\n# END datacrumbs\n"
