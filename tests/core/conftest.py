"""What several files of these tests start with."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from between import between
from scripted import Script
from test_flow import Flow

from include.inventory.run import Rules


@pytest.fixture
def start_flow(tmp_path: Path) -> Iterator[Callable[[Script, Script], Flow]]:
    """Start a flow between scripted services."""
    with ExitStack() as running:
        yield lambda tenant, taker: running.enter_context(between(tmp_path, tenant, taker, rules=Rules()))
