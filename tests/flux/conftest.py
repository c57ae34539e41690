"""What tests under a real Flux share: the node of fluxsite.py, and an instance of four brokers on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fluxsite import NUMBERS, Instance, Site, opened_site
from nodes.errors import LackError


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """The node."""
    try:
        with opened_site() as site:
            yield site
    except LackError as error:
        pytest.skip(f"flux: {error}")


@pytest.fixture(scope="session")
def session_instance(site: Site) -> Iterator[Instance]:
    instance = Instance(site)
    yield instance
    assert instance.process.poll() is None, f"the broker died: {instance.log()}"
    instance.stop()


@pytest.fixture
def instance(session_instance: Instance, site: Site) -> Iterator[Instance]:
    """A running instance; after each test it lives, no node is drained, and nothing of a run is left."""
    yield session_instance
    assert session_instance.process.poll() is None, session_instance.log()
    session_instance.run("queue", "idle", "--quiet", check=False)
    assert session_instance.drained() == ""
    site.wait_until_nothing_is_left()


@pytest.fixture
def work(site: Site) -> str:
    """A folder on the node, with one below it for each of 16 workers."""
    name = f"work-{next(NUMBERS)}"
    for path in (site.shared / name, *(site.shared / name / str(i) for i in range(16))):
        path.mkdir()
    return f"/shared/{name}"
