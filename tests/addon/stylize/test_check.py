"""The check-up: each thing that can be wrong is said, with what to do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from warpnoise_addon.errors import BackendError, BackendVersionError, SettingsError
from warpnoise_addon.setup.hardware import Hardware
from warpnoise_addon.stylize import check
from warpnoise_addon.stylize.backends import BackendPool
from warpnoise_addon.stylize.check import CheckSession, Finding
from warpnoise_addon.stylize.request import BackendChoice

from ..fake_python import write_fake_python
from ..fake_server import TOKEN, FakeServer

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a shell script stands for the backend's Python")
NO_CARD, CARD = Hardware("cpu"), Hardware("cuda", "NVIDIA Something 1000")


@pytest.fixture
def pool():
    pool = BackendPool()
    yield pool
    pool.discard()


@pytest.fixture
def look(pool, tmp_path, monkeypatch):
    """Checks a fake Python in a mode; findings that are not OK, and all."""
    monkeypatch.delenv("WARPNOISE_PYTHON", raising=False)

    def look(mode: str = "good", model: str = "default", hardware: Hardware = NO_CARD):
        choice = BackendChoice(str(write_fake_python(tmp_path, mode)))
        found: list[Finding] = []
        try:
            found.extend(CheckSession(pool, choice, model, lambda: hardware).check())
        except BackendError as error:
            found.append(Finding("END", str(error)))
        return [finding for finding in found if finding.level != "OK"], found

    return look


def test_nothing_is_wrong(look):
    wrong, found = look()
    assert wrong == []
    text = "\n".join(finding.text for finding in found)
    for expected in ("python-good", "backend 0.1.0 works", "PyTorch 2.9.0+cpu", "a fake device", "model: default"):
        assert expected in text


def test_a_card_that_is_not_used(look):
    wrong, _ = look(hardware=CARD)
    assert [finding.level for finding in wrong] == ["WARNING"]
    assert "Something 1000" in wrong[0].text and "press Set Up" in wrong[0].text


@pytest.mark.parametrize(
    ("mode", "words"), [("old", "too old"), ("new", "too new"), ("schema", "too new"), ("broken", "libtorch_cpu")]
)
def test_a_backend_that_does_not_fit(look, mode, words):
    wrong, _ = look(mode)
    assert wrong[-1].level == "END" and words in wrong[-1].text


def test_little_memory(look, monkeypatch):
    monkeypatch.setattr(check, "LITTLE_MEMORY", 1 << 40)
    wrong, _ = look()
    assert [finding.level for finding in wrong] == ["WARNING"] and "4.0 GB of memory" in wrong[0].text


def test_models(look, tmp_path):
    for wrong in (look("empty")[0], look(model=str(tmp_path / "gone"))[0]):
        assert [finding.level for finding in wrong] == ["ERROR"] and "there is no such folder" in wrong[0].text
    assert look(model=str(tmp_path))[0] == []


class TestServer:
    @pytest.fixture
    def server(self, tmp_path, monkeypatch):
        for name in ("WARPNOISE_URL", "WARPNOISE_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        (tmp_path / "token").write_text(TOKEN)
        server = FakeServer()
        yield server
        server.close()

    def look(self, pool: BackendPool, url: str, token: Path, model: str = "default") -> list[Finding]:
        choice = BackendChoice(url=url, token_file=str(token))
        return list(CheckSession(pool, choice, model, lambda: CARD).check())

    def test_one_that_works(self, server, pool, tmp_path):
        found = self.look(pool, server.url, tmp_path / "token")
        assert all(finding.level == "OK" for finding in found)
        assert "7 days" in "".join(finding.text for finding in found)
        assert self.look(pool, server.url, tmp_path / "token", "/my/model")[-1].level == "ERROR"

    def test_unencrypted(self, server, pool, tmp_path, monkeypatch):
        monkeypatch.setattr("warpnoise_addon.backend.locate.LOOPBACK", ())
        found = self.look(pool, server.url, tmp_path / "token")
        assert found[0].level == "WARNING" and "unencrypted" in found[0].text

    def test_the_wrong_token(self, server, pool, tmp_path):
        (tmp_path / "token").write_text("another-token-of-some-length")
        with pytest.raises(BackendError, match="does not accept the token"):
            self.look(pool, server.url, tmp_path / "token")

    def test_no_token(self, server, pool, tmp_path):
        with pytest.raises(SettingsError, match="cannot be read"):
            self.look(pool, server.url, tmp_path / "gone")

    def test_no_url(self, pool, tmp_path, monkeypatch):
        from warpnoise_addon.ui.preferences import NO_URL

        monkeypatch.delenv("WARPNOISE_URL", raising=False)
        for call in (lambda: self.look(pool, NO_URL, tmp_path), lambda: pool.acquire(BackendChoice(url=NO_URL))):
            with pytest.raises(SettingsError, match="expected https://SERVER"):
                call()

    def test_one_elsewhere_is_not_asked_while_offline(self, server, pool, tmp_path, monkeypatch):
        choice = BackendChoice(url=server.url, token_file=str(tmp_path / "token"), offline="online access is off")
        assert pool.acquire(choice).alive, "the loopback is no network"
        pool.discard()
        monkeypatch.setattr("warpnoise_addon.backend.locate.LOOPBACK", ())
        with pytest.raises(SettingsError, match="online access is off"):
            pool.acquire(choice)

    def test_no_server_answers(self, server, pool, tmp_path):
        server.close()
        with pytest.raises(BackendError, match="nobody answers"):
            self.look(pool, server.url, tmp_path / "token")

    def test_another_interface(self, server, pool, tmp_path, monkeypatch):
        monkeypatch.setattr("warpnoise_addon.backend.answers.INTERFACE", 3)
        with pytest.raises(BackendVersionError, match="too old"):
            self.look(pool, server.url, tmp_path / "token")
