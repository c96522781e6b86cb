"""Models come from the hub whole, checked and resumed; what is wrong with one is said before it is in place."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from warpnoise.errors import Cancelled, HubError, ModelError
from warpnoise.hub import download as module
from warpnoise.hub.download import download
from warpnoise.hub.fetch import DownloadProgress
from warpnoise.hub.remote import look_up
from warpnoise.hub.store import NOTE, left_to_download, lock_download, partial_folder, read_note, remove
from warpnoise.sdedit import ModelFolder
from warpnoise.sdedit.places import download_folder

from .. import tiny_pipelines
from ..tiny_hub import Repository, TinyHub
from ..tiny_models import write_pixel_model

WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


def get(progress: Callable[[DownloadProgress], None] | None = None) -> Path:
    return download(look_up("studio/ink"), "apache-2.0", progress)


def nothing_is_in_place(places: Path) -> bool:
    return not download_folder("studio/ink").exists()


def test_an_offer_has_size_license_and_memory(hub: TinyHub, styled_model: Path) -> None:
    offer = look_up("studio/ink")
    assert (offer.family, offer.license, offer.gated) == ("Pixel model", "apache-2.0", False)
    assert offer.license_url == f"{hub.address}/studio/ink"
    assert {file.name for file in offer.files} == {
        file.relative_to(styled_model).as_posix() for file in styled_model.rglob("*") if file.is_file()
    }
    assert offer.weights == (styled_model / WEIGHTS).stat().st_size
    assert left_to_download(offer) == offer.size


def test_a_downloaded_model_is_the_hub_s_and_runs_by_its_id(hub: TinyHub, styled_model: Path) -> None:
    shown: list[DownloadProgress] = []
    place = get(shown.append)
    model = ModelFolder.open("studio/ink")
    assert (model.path, model.styles) == (place, ("ink", "clay"))
    assert model.digest == ModelFolder.open(styled_model).digest
    assert shown[-1].bytes_done == shown[-1].bytes_total == look_up("studio/ink").size
    note = read_note(place)
    assert note is not None and (note.id, note.license) == ("studio/ink", "apache-2.0")
    hub.asked.clear()
    assert get() == place and hub.asked == [("model_index.json", None)]


def test_a_pipeline_arrives_with_all_its_parts(hub: TinyHub, tmp_path: Path) -> None:
    folder = tiny_pipelines.write("sd15", tmp_path / "repository")
    hub.repositories["studio/ink"] = Repository(folder, card={"license": "creativeml-openrail-m"})
    offer = look_up("studio/ink")
    assert (offer.family, offer.license) == ("Stable Diffusion 1.x, 2.x", "creativeml-openrail-m")
    place = download(offer, offer.license)
    names = {file.relative_to(place).as_posix() for file in place.rglob("*") if file.is_file()}
    there = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    assert names - {".download"} == there
    assert ModelFolder.open("studio/ink").digest == ModelFolder.open(folder).digest


def test_only_what_diffusers_reads_is_downloaded(hub: TinyHub, styled_model: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(styled_model, tmp_path / "repository")
    for name in ("unet/diffusion_pytorch_model.bin", "whole.ckpt", "README.md", "other/model.safetensors", "run.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"x")
    shutil.copy(folder / WEIGHTS, (folder / WEIGHTS).with_suffix(".fp16.safetensors"))
    hub.repositories["studio/ink"] = Repository(folder)
    assert {file.name for file in look_up("studio/ink").files} == {
        "model_index.json",
        "styles.json",
        "scheduler/scheduler_config.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.fp16.safetensors",
    }


def test_a_broken_download_is_resumed(hub: TinyHub, places: Path, styled_model: Path) -> None:
    half = (styled_model / WEIGHTS).stat().st_size // 2
    hub.fault = lambda name, content: content[:half] if name == WEIGHTS else content
    with pytest.raises(HubError, match=r"cannot be reached .* downloaded parts are kept"):
        get()
    assert nothing_is_in_place(places)
    assert left_to_download(look_up("studio/ink")) == (styled_model / WEIGHTS).stat().st_size - half
    hub.fault = lambda name, content: content
    hub.asked.clear()
    first: list[DownloadProgress] = []
    get(first.append)
    assert (WEIGHTS, f"bytes={half}-") in hub.asked
    assert [name for name, _ in hub.asked] == ["model_index.json", WEIGHTS]
    assert ModelFolder.open("studio/ink").digest == ModelFolder.open(styled_model).digest


def test_a_hub_without_ranges_sends_the_file_again(hub: TinyHub, styled_model: Path) -> None:
    hub.fault = lambda name, content: content[:1000] if name == WEIGHTS else content
    with pytest.raises(HubError):
        get()
    hub.fault, hub.ranges = lambda name, content: content, False
    get()
    assert ModelFolder.open("studio/ink").digest == ModelFolder.open(styled_model).digest


def test_cancel_keeps_what_has_arrived(hub: TinyHub, places: Path) -> None:
    offer = look_up("studio/ink")
    seen: list[int] = []

    def cancelled() -> bool:
        return left_to_download(offer) < offer.size

    with pytest.raises(Cancelled, match="the next download continues from there"):
        download(offer, "apache-2.0", lambda now: seen.append(now.bytes_done), cancelled)
    assert nothing_is_in_place(places) and 0 < left_to_download(offer) < offer.size
    get()


@pytest.mark.parametrize("agreed", [None, "", "mit"])
def test_a_license_that_was_not_agreed_to(hub: TinyHub, places: Path, agreed: str | None) -> None:
    with pytest.raises(HubError, match=r"has the license apache-2\.0 .* agree to it first") as caught:
        download(look_up("studio/ink"), agreed)
    assert caught.value.code == "license" and not places.exists()


def test_a_license_of_the_owner_s_own(hub: TinyHub) -> None:
    hub.repositories["studio/ink"].card = {
        "license": "other",
        "license_name": "studio-community",
        "license_link": "https://example.org/license",
    }
    offer = look_up("studio/ink")
    assert (offer.license, offer.license_url) == ("studio-community", "https://example.org/license")


def test_a_gated_model(hub: TinyHub) -> None:
    hub.repositories["studio/ink"].gated = True
    with pytest.raises(HubError, match=r"requires an agreement: open .*/studio/ink in a browser") as caught:
        look_up("studio/ink")
    assert caught.value.code == "gated"


def test_damaged_bytes_are_thrown_away(hub: TinyHub, places: Path) -> None:
    hub.fault = lambda name, content: content[:-1] + b"\0" if name == WEIGHTS else content
    with pytest.raises(HubError, match="arrived damaged: its checksum is"):
        get()
    assert nothing_is_in_place(places)
    hub.fault = lambda name, content: content
    get()


def test_a_hub_that_sends_more_than_announced(hub: TinyHub, places: Path) -> None:
    hub.fault = lambda name, content: content + b"x" * 10_000_000 if name == WEIGHTS else content
    with pytest.raises(HubError, match="sends more than the"):
        get()
    assert nothing_is_in_place(places)
    assert sum(file.stat().st_size for file in places.rglob("*") if file.is_file()) < 5_000_000


def test_too_little_disk(hub: TinyHub, places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "free_disk", lambda folder: 1_000_000)
    offer = look_up("studio/ink")
    hub.asked.clear()
    with pytest.raises(HubError, match=r"needs .* more in .*, where 1\.0 MB are free") as caught:
        download(offer, "apache-2.0")
    assert caught.value.code == "disk" and hub.asked == []


def test_downloads_count_what_the_others_still_bring(
    hub: TinyHub, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While they run; one that broke brings nothing."""
    partial = partial_folder("studio/pencil")
    partial.mkdir(parents=True)
    note = {"id": "studio/pencil", "revision": "1", "family": "", "license": "", "license_url": "", "size": 10**12}
    (partial / NOTE).write_text(json.dumps(note))
    monkeypatch.setattr(module, "free_disk", lambda folder: 10**12)
    with (
        lock_download("studio/pencil"),
        pytest.raises(HubError, match=r"other downloads still need 1000\.0 GB of them"),
    ):
        get()
    get()


@pytest.mark.parametrize(
    "name", ["../escape.json", "unet/../../escape.json", "/etc/escape.json", "a\\b.json", ".hidden"]
)
def test_paths_that_escape_are_passed_over(hub: TinyHub, places: Path, tmp_path: Path, name: str) -> None:
    def change(info: dict[str, Any]) -> dict[str, Any]:
        info["siblings"].append({"rfilename": name, "size": 3, "blobId": "0" * 40})
        return info

    hub.change = change
    assert name not in {file.name for file in look_up("studio/ink").files}
    get()
    assert not list(tmp_path.rglob("*escape*"))


@pytest.mark.parametrize(
    ("key", "value", "match"),
    [
        ("size", -1, "no size for"),
        ("size", 1 << 50, "no size for"),
        ("size", "12", "no size for"),
        ("blobId", "short", "no checksum for"),
    ],
)
def test_lying_sizes_and_checksums(hub: TinyHub, key: str, value: Any, match: str) -> None:
    def change(info: dict[str, Any]) -> dict[str, Any]:
        for entry in info["siblings"]:
            entry.pop("lfs", None)
            entry[key] = value
        return info

    hub.change = change
    with pytest.raises(HubError, match=match):
        look_up("studio/ink")


@pytest.mark.parametrize("answer", [[], {"sha": "../.."}, {"sha": "0" * 40, "siblings": 3}, "text"])
def test_invalid_answers(hub: TinyHub, answer: Any) -> None:
    hub.change = lambda info: answer
    with pytest.raises(HubError, match=r"The hub's answer for studio/ink is damaged"):
        look_up("studio/ink")


def test_what_the_hub_has_not(hub: TinyHub) -> None:
    with pytest.raises(HubError, match="The hub has no model studio/pencil, or it is private"):
        look_up("studio/pencil")
    for name in ("ink", "../ink", "a/b/c", "https://hub/studio/ink"):
        with pytest.raises(HubError, match="is not a model name of the hub: expected OWNER/NAME"):
            look_up(name)


def test_a_family_that_does_not_run_is_refused_before_its_weights(
    hub: TinyHub, styled_model: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(styled_model, tmp_path / "repository")
    index = {"_class_name": "WanPipeline", "transformer": ["diffusers", "WanTransformer3DModel"]}
    (folder / "model_index.json").write_text(json.dumps(index))
    hub.repositories["studio/ink"] = Repository(folder)
    with pytest.raises(ModelError, match="studio/ink is a WanPipeline, which is not supported"):
        look_up("studio/ink")


def test_a_model_with_pickles_only_is_refused(hub: TinyHub, styled_model: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(styled_model, tmp_path / "repository")
    (folder / WEIGHTS).rename((folder / WEIGHTS).with_suffix(".bin"))
    hub.repositories["studio/ink"] = Repository(folder)
    with pytest.raises(HubError, match="has the weights of unet only as pickles"):
        look_up("studio/ink")


def test_no_connection(hub: TinyHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubError, match=r"http://127\.0\.0\.1:9 cannot be reached"):
        look_up("studio/ink")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(HubError, match="HF_HUB_OFFLINE is set") as caught:
        look_up("studio/ink")
    assert caught.value.code == "offline"


def test_a_newer_revision_replaces_the_model(hub: TinyHub, tmp_path: Path) -> None:
    place = get()
    folder = write_pixel_model(tmp_path / "newer")
    hub.repositories["studio/ink"] = Repository(folder, revision="f" * 40)
    assert get() == place
    assert ModelFolder.open("studio/ink").styles == () and not (place / "styles.json").exists()


def test_files_of_another_revision_are_compared_again(hub: TinyHub, styled_model: Path, tmp_path: Path) -> None:
    half = (styled_model / WEIGHTS).stat().st_size // 2
    hub.fault = lambda name, content: content[:half] if name == WEIGHTS else content
    with pytest.raises(HubError):
        get()
    folder = shutil.copytree(styled_model, tmp_path / "newer")
    data = bytearray((folder / WEIGHTS).read_bytes())
    data[half - 10] ^= 1
    (folder / WEIGHTS).write_bytes(data)
    sheet = (folder / "styles.json").read_text().replace("clay", "mud_")
    (folder / "styles.json").write_text(sheet)
    hub.fault = lambda name, content: content
    hub.repositories["studio/ink"] = Repository(folder, revision="f" * 40)
    place = get()
    assert (place / WEIGHTS).read_bytes() == bytes(data)
    assert (place / "styles.json").read_bytes() == sheet.encode()


@pytest.mark.slow
def test_one_download_of_a_model_at_a_time(hub: TinyHub) -> None:
    busy: list[str] = []

    def second(now: DownloadProgress) -> None:
        if not busy:
            with pytest.raises(HubError, match="is being downloaded already") as caught:
                get()
            busy.append(caught.value.code)

    get(second)
    assert busy == ["busy"]


def test_remove(hub: TinyHub, places: Path) -> None:
    get()
    size = sum(file.stat().st_size for file in download_folder("studio/ink").rglob("*") if file.is_file())
    assert remove("studio/ink") == size
    assert not [file for file in places.rglob("*") if file.is_file() and file.suffix != ".lock"]
    with pytest.raises(HubError, match="has not downloaded a model studio/ink"):
        remove("studio/ink")
    with pytest.raises(ModelError, match="get it with: warpnoise models download studio/ink"):
        ModelFolder.open("studio/ink")
