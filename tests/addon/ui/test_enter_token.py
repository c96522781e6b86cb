"""The file that a server's token is written to."""

from __future__ import annotations

import os
import stat

import pytest

from warpnoise_addon.errors import SettingsError
from warpnoise_addon.ui.backend_operators import write_token


def test_only_its_owner_can_read_it(tmp_path):
    path = tmp_path / "config" / "token"
    for token in ("first", "second"):
        write_token(path, token)
        assert path.read_text() == f"{token}\n"
    assert [p.name for p in path.parent.iterdir()] == ["token"]
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("token", ["", "two words", "ünïcode", "a\nline"])
def test_an_invalid_token(tmp_path, token):
    with pytest.raises(SettingsError, match="expected a token"):
        write_token(tmp_path / "token", token)
    assert not (tmp_path / "token").exists()


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be written"):
        write_token(tmp_path / "file" / "token", "token")
