"""What tests of the Flux part share where there is no Flux: its CLI plugin over a fake base class, and its hooks."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import datacrumbs.flux
import pytest

FAKE = Path(__file__).resolve().parents[2] / "support" / "flux_fake"


@pytest.fixture(scope="session")
def plugins() -> Path:
    """The installed plugins and hooks."""
    return Path(datacrumbs.flux.__file__).parent / "plugins"


@pytest.fixture
def fake_flux(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The fake flux.cli.plugin, in the place of any real one."""
    for name in [n for n in sys.modules if n == "flux" or n.startswith("flux.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(FAKE))
    yield importlib.import_module("flux.cli.plugin")
    for name in [n for n in sys.modules if n == "flux" or n.startswith("flux.")]:
        del sys.modules[name]


@pytest.fixture
def cli_plugin(fake_flux: ModuleType, plugins: Path) -> ModuleType:
    """The CLI plugin, loaded by its path as Flux does, under a name that is in no one's way."""
    spec = importlib.util.spec_from_file_location("flux_cli_datacrumbs", plugins / "cli" / "datacrumbs.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
