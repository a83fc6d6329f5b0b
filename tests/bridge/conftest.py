"""A bridge on a free port, and an application that remembers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from agent_runtime.bridge.server import Bridge
from tests.support.game import TOKEN
from tests.support.handler import RecordingHandler


@pytest.fixture
def handler() -> RecordingHandler:
    return RecordingHandler()


@pytest.fixture
async def bridge(handler: RecordingHandler) -> AsyncIterator[Bridge]:
    async with Bridge(handler, token=TOKEN) as bridge:
        yield bridge
