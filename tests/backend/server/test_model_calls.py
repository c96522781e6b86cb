"""The calls about models, on a server over the loopback with a hub over the loopback."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from fastapi import FastAPI
from huggingface_hub import constants
from polling import poll
from safetensors.torch import save_file
from warpnoise.sdedit.places import download_folder
from warpnoise.server.app import create_app
from warpnoise.server.downloads import Downloads
from warpnoise.server.model_calls import model_calls
from warpnoise.server.schema import UploadLimits
from warpnoise.server.stylize_work import check
from warpnoise.server.uploads import Uploads

from .. import tiny_pipelines
from ..tiny_hub import Repository, TinyHub
from ..tiny_models import write_styled_model
from .conftest import STATUS, TOKEN, Running, serving


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_styled_model(tmp_path_factory.mktemp("toy") / "ink")


@pytest.fixture
def hub(tmp_path: Path, toy: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TinyHub]:
    monkeypatch.setenv("WARPNOISE_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    hub = TinyHub()
    hub.repositories["studio/ink"] = Repository(toy)
    monkeypatch.setattr(constants, "ENDPOINT", hub.address)
    yield hub
    hub.close()


@pytest.fixture
def calls(hub: TinyHub, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    options: dict[str, Any] = {"allowed": True, "own": True, **getattr(request, "param", {})}
    router = model_calls(
        Downloads(), lambda: True, lambda settings: check(settings, only_named=not options["own"]), **options
    )
    with (
        serving(lambda here: create_app(here.queue, TOKEN, lambda: STATUS, lambda: None, routers=[router])) as here,
        here.client() as client,
    ):
        yield client


ELSEWHERE = {"allowed": False, "own": False}
WANTED = {"name": "studio/ink", "license": "apache-2.0", "online": True}


def finished(calls: httpx.Client, download: dict[str, Any]) -> dict[str, Any]:
    return poll(
        lambda: calls.get(f"/v2/downloads/{download['id']}").json(), lambda now: bool(now["state"] != "running")
    )


@pytest.mark.slow
def test_a_model_is_looked_up_downloaded_listed_and_removed(calls: httpx.Client) -> None:
    offer = calls.get("/v2/models/hub/studio/ink", params={"online": "true"}).json()
    assert (offer["family"], offer["license"], offer["installed"]) == ("Pixel model", "apache-2.0", False)
    assert offer["to_download"] == offer["size"] < offer["free"]
    begun = calls.post("/v2/downloads", json=WANTED)
    assert begun.status_code == 201
    ended = finished(calls, begun.json())
    assert (ended["state"], ended["bytes_done"], ended["error"]) == ("done", offer["size"], None)
    assert calls.get("/v2/downloads").json() == {"downloads": [ended]}
    models = calls.get("/v2/models").json()
    (model,) = [model for model in models["installed"] if model["name"] == "studio/ink"]
    assert (model["source"], model["styles"], model["license"]) == ("hub", ["ink", "clay"], "apache-2.0")
    assert "style" in model["takes"] and "prompt" not in model["takes"] and "strength" in model["takes"]
    assert models["downloads"] and models["folder"]
    removed = calls.delete("/v2/models/hub/studio/ink").json()
    assert removed["removed"] == "studio/ink" and removed["freed"] >= offer["size"]
    assert not download_folder("studio/ink").exists()


@pytest.mark.slow
def test_cancel_and_resume(calls: httpx.Client, hub: TinyHub) -> None:
    def slowly(name: str, content: bytes) -> bytes:
        if name.endswith(".safetensors"):
            time.sleep(0.3)
        return content

    hub.fault = slowly
    begun = calls.post("/v2/downloads", json=WANTED).json()
    assert calls.post("/v2/downloads", json=WANTED).json()["id"] == begun["id"]
    assert calls.post(f"/v2/downloads/{begun['id']}/cancel").status_code == 202
    assert finished(calls, begun)["state"] == "cancelled"
    hub.fault = lambda name, content: content
    again = calls.post("/v2/downloads", json=WANTED).json()
    assert again["bytes_done"] > 0 and finished(calls, again)["state"] == "done"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({**WANTED, "online": False}, 400, "offline"),
        ({**WANTED, "license": "mit"}, 400, "license"),
        ({**WANTED, "name": "studio/pencil"}, 502, "hub"),
        ({**WANTED, "name": "../.."}, 502, "hub"),
        ({"name": "studio/ink"}, 422, "request"),
    ],
)
def test_downloads_that_are_refused(calls: httpx.Client, body: dict[str, Any], status: int, code: str) -> None:
    answer = calls.post("/v2/downloads", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert calls.get("/v2/downloads").json() == {"downloads": []}


def test_a_failed_download_reports_why(calls: httpx.Client, hub: TinyHub) -> None:
    hub.fault = lambda name, content: content[:-1] + b"\0" if name.endswith(".safetensors") else content
    ended = finished(calls, calls.post("/v2/downloads", json=WANTED).json())
    assert (ended["state"], ended["error"]["code"]) == ("failed", "hub")
    assert "arrived damaged" in ended["error"]["message"]


def test_more_downloads_at_a_time_are_refused(calls: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warpnoise.server.downloads.MOST_RUNNING", 0)
    answer = calls.post("/v2/downloads", json=WANTED)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "busy")


@pytest.mark.usefixtures("hub")
def test_a_server_that_takes_uploads_names_no_folder_of_its_own(tmp_path: Path) -> None:
    for broken in (tmp_path / "models" / "broken", tmp_path / "cache" / "models--studio--old" / "snapshots" / "abcd"):
        broken.mkdir(parents=True)
        (broken / "model_index.json").write_text("{")
    (tmp_path / "cache" / "models--studio--old" / "refs").mkdir()
    (tmp_path / "cache" / "models--studio--old" / "refs" / "main").write_text("abcd")

    def app(here: Running) -> FastAPI:
        here.uploads = Uploads(tmp_path / "spool", UploadLimits(), here.queue.busy)
        known = model_calls(Downloads(), lambda: True, lambda request: check(request), **ELSEWHERE)
        return create_app(here.queue, TOKEN, lambda: STATUS, lambda: None, here.uploads, [known])

    with serving(app) as here, here.client() as client:
        listed = client.get("/v2/models")
        refused = client.post("/v2/check", json={"settings": {"model": "studio/old"}})
        assert "broken/model_index.json is not JSON" in listed.text and refused.status_code == 400
        assert "model_index.json is not JSON" in refused.text
        assert str(tmp_path) not in listed.text + refused.text
    assert here.uploads is not None
    here.uploads.close()


@pytest.mark.parametrize("calls", [ELSEWHERE], indirect=True)
def test_a_server_elsewhere_downloads_nothing_unless_it_is_let(calls: httpx.Client, tmp_path: Path) -> None:
    for answer in (
        calls.post("/v2/downloads", json=WANTED),
        calls.get("/v2/models/hub/studio/ink", params={"online": "true"}),
        calls.delete("/v2/models/hub/studio/ink"),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    models = calls.get("/v2/models")
    assert not models.json()["downloads"] and str(tmp_path) not in models.text


@pytest.mark.slow
@pytest.mark.parametrize("calls", [ELSEWHERE], indirect=True)
def test_a_server_elsewhere_takes_names(calls: httpx.Client, toy: Path, tmp_path: Path) -> None:
    shutil.copytree(toy, tmp_path / "models" / "clay")
    (tmp_path / "models" / "loras").mkdir()
    (tmp_path / "models" / "loras" / "wash.safetensors").touch()

    def refused(**settings: Any) -> str:
        answer = calls.post("/v2/check", json={"settings": settings})
        assert answer.status_code == 400
        return str(answer.json()["error"]["message"])

    assert calls.post("/v2/check", json={"settings": {"model": "clay"}}).json()["model"]["name"] == "clay"
    assert "This server has no model" in refused(model=str(toy))
    assert "takes loras by their names, and has: wash.safetensors" in refused(loras=[{"path": "ink.safetensors"}])
    assert "takes loras by their names" in refused(loras=[{"path": "/etc/passwd"}])
    assert "is a pixel model, which takes no LoRA" in refused(loras=[{"path": "wash"}])


@pytest.mark.slow
def test_check_names_what_does_not_fit(calls: httpx.Client, toy: Path) -> None:
    answer = calls.post("/v2/check", json={"settings": {"model": str(toy), "prompt": "a fox"}}).json()
    assert answer["warnings"] == [f"The model {toy} takes no text: the prompt has no effect."]
    assert answer["model"]["styles"] == ["ink", "clay"]
    answer = calls.post("/v2/check", json={"settings": {"model": str(toy), "style": "chalk"}})
    assert answer.status_code == 400 and "has ink, clay" in answer.json()["error"]["message"]
    assert "get it with" in calls.post("/v2/check", json={"settings": {"model": "studio/ink"}}).text


@pytest.mark.slow
def test_check_says_before_the_render_what_loading_would(calls: httpx.Client, tmp_path: Path) -> None:
    model = str(tiny_pipelines.write("sd15", tmp_path / "sd15"))

    def refused(settings: dict[str, Any], **more: Any) -> str:
        answer = calls.post("/v2/check", json={"settings": {"model": model, **settings}, **more})
        assert answer.status_code == 400
        return str(answer.json()["error"]["message"])

    save_file({"unet.mid_block.attn.lora_A.weight": torch.zeros(2, 8)}, tmp_path / "lora.safetensors")
    assert calls.post("/v2/check", json={"settings": {"model": model}, "size": [64, 48]}).status_code == 200
    assert "prompt: it has 102 tokens" in refused({"prompt": "a " * 100})
    assert "made for another base" in refused({"loras": [{"path": str(tmp_path / "lora.safetensors")}]})
    assert "device: expected cuda" in refused({}, device="abacus")
    assert calls.post("/v2/check", json={"settings": {}, "quantize": "2bit"}).status_code == 422


@pytest.mark.slow
def test_a_file_is_given_its_base(calls: httpx.Client, tmp_path: Path) -> None:
    base, file = tiny_pipelines.write("sd15", tmp_path / "sd15"), tmp_path / "models" / "ink.safetensors"
    file.parent.mkdir(exist_ok=True)
    save_file({"input_blocks.0.0.weight": torch.zeros(1)}, file)
    (listed,) = (each for each in calls.get("/v2/models").json()["installed"] if each["name"] == file.name)
    assert listed["error_code"] == "base" and listed["base"] == "stabilityai/stable-diffusion-xl-base-1.0"
    assert calls.post("/v2/check", json={"settings": {"model": file.name}}).json()["error"]["code"] == "base"
    missing = calls.post("/v2/models/base", json={"model": file.name, "base": str(tmp_path)})
    assert missing.status_code == 400 and "is not a diffusers folder" in missing.text
    model = calls.post("/v2/models/base", json={"model": file.name, "base": str(base)}).json()
    assert (model["name"], model["error"], model["family"]) == (file.name, None, "Stable Diffusion 1.x, 2.x")
    assert calls.post("/v2/check", json={"settings": {"model": file.name}}).status_code == 200


@pytest.mark.parametrize("calls", [ELSEWHERE], indirect=True)
def test_a_server_elsewhere_takes_no_base(calls: httpx.Client) -> None:
    assert calls.post("/v2/models/base", json={"model": "a", "base": "b"}).status_code == 403


def test_the_kept_model_is_freed(calls: httpx.Client) -> None:
    assert calls.post("/v2/models/free").json() == {"freed": True}
