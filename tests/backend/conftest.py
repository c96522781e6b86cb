"""What all tests of the backend share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # as the command does: it warns of image processors


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing is read from or written to the user's cache; processes that tests start inherit it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WARPNOISE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
