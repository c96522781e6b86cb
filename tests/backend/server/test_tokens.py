from __future__ import annotations

import os

import pytest
from warpnoise.errors import ServerError
from warpnoise.server.tokens import find_token, matches, read_token_file, write_token_file

TOKEN = "0123456789abcdef"


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("WARPNOISE_TOKEN", raising=False)
    return tmp_path / "state"


def write(path, text, mode=0o600):
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_environment_gives_the_token_and_loses_it(monkeypatch):
    monkeypatch.setenv("WARPNOISE_TOKEN", TOKEN)
    assert find_token() == (TOKEN, None)
    assert "WARPNOISE_TOKEN" not in os.environ


def test_an_explicit_file_has_priority(tmp_path, monkeypatch):
    monkeypatch.setenv("WARPNOISE_TOKEN", "another-token-0123456789")
    path = write(tmp_path / "token", f"  {TOKEN}\n")
    assert find_token(path) == (TOKEN, path)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_without_either_one_is_made_in_a_private_file_and_kept():
    token, path = find_token()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o077 == 0
    assert len(token) >= 32 and path.read_text() == token + "\n"
    assert find_token() == (token, path)
    assert [entry.name for entry in path.parent.iterdir()] == ["token"]


def test_made_tokens_differ(own_state):
    first, path = find_token()
    path.unlink()
    assert find_token()[0] != first


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_file_that_others_may_read_is_refused(tmp_path, mode):
    with pytest.raises(ServerError, match=f"mode {mode:04o}.*chmod 600"):
        read_token_file(write(tmp_path / "token", TOKEN, mode))


@pytest.mark.parametrize("text", ["", "\n", "short", "with a space in it 0123", "0123456789abcdef\nsecond"])
def test_an_invalid_token_is_refused_and_not_repeated(tmp_path, text):
    with pytest.raises(ServerError, match="holds no usable token: expected at least 16") as caught:
        read_token_file(write(tmp_path / "token", text))
    assert not text.strip() or text.strip() not in str(caught.value)


def test_an_empty_variable_is_refused(monkeypatch):
    monkeypatch.setenv("WARPNOISE_TOKEN", "")
    with pytest.raises(ServerError, match="variable WARPNOISE_TOKEN holds no usable token"):
        find_token()


def test_a_missing_file_and_bytes_that_are_no_text(tmp_path):
    with pytest.raises(ServerError, match="cannot be read: No such file"):
        read_token_file(tmp_path / "nowhere")
    (tmp_path / "token").write_bytes(b"\xff" * 20)
    with pytest.raises(ServerError, match="not ASCII"):
        read_token_file(tmp_path / "token")


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ServerError, match=r"Cannot write.*WARPNOISE_TOKEN"):
        write_token_file(tmp_path / "file" / "token", TOKEN)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (f"Bearer {TOKEN}", True),
        (f"bearer {TOKEN}", True),
        (f"Bearer {TOKEN}0", False),
        (f"Bearer {TOKEN[:-1]}", False),
        ("Bearer \xff\xfe", False),
        ("Bearer", False),
        (TOKEN, False),
        ("", False),
    ],
)
def test_matches(header, expected):
    assert matches(header, TOKEN) is expected
