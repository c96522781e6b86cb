"""The installed and suggested models, as the command line and the server show them."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from warpnoise.errors import MissingBaseError, WarpnoiseError
from warpnoise.hub.remote import Offer
from warpnoise.hub.store import file_size, folder_size, free_disk, left_to_download, read_note
from warpnoise.job import Settings
from warpnoise.sdedit.check import unused_settings
from warpnoise.sdedit.families import FAMILIES, controlled_family
from warpnoise.sdedit.folder import DEFAULT_MODEL, ModelFolder
from warpnoise.sdedit.memory_plan import WORKING_MEMORY, model_sizes
from warpnoise.sdedit.model_files import read_config
from warpnoise.sdedit.one_file import SUFFIXES
from warpnoise.sdedit.places import (
    HUB,
    SUBFOLDERS,
    download_folder,
    find_in_cache,
    find_on_disk,
    hugging_face_cache,
    models_folder,
    resolve,
)

Source = Literal["default", "folder", "file", "hub", "cache"]


class InstalledModel(BaseModel):
    """A model that can be used now, or, with an ``error``, one that cannot, and why."""

    name: str
    """What the setting ``model`` takes."""
    title: str
    source: Source
    """"hub": downloaded by Warpnoise; "cache": in the Hugging Face cache."""
    family: str = ""
    size: int
    """Bytes on the disk."""
    memory: int | None = None
    """Bytes of the device, about, with all parts on it in half precision."""
    license: str | None = None
    styles: list[str] = []
    steps: int | dict[str, int] | None = None
    guidance: float | dict[str, float] | None = None
    strength: float | dict[str, float] | None = None
    takes: list[str] = []
    """Names of the settings that act with it."""
    references: int = 0
    """How many reference pictures it takes besides the render."""
    error: str | None = None
    error_code: str | None = None
    base: str = ""
    """With the error_code "base": a model of the hub that has the parts which the file lacks, if one is known."""


class HubModel(BaseModel):
    """A model or ControlNet of the hub. Sizes are in bytes."""

    name: str
    kind: Literal["model", "controlnet"]
    family: str
    size: int
    memory: int
    """Of the device, about."""
    license: str
    license_url: str = ""
    gated: bool = False
    installed: bool = False


class SuggestedModel(HubModel):
    """A model of the hub that suits Warpnoise. Its sizes are approximate."""

    title: str
    description: str
    commercial: bool


class OfferedModel(HubModel):
    """The facts about a download."""

    to_download: int
    """``size`` without the bytes that are here already."""
    free: int
    """On the disk of the models folder."""


class NamedFile(BaseModel):
    """A LoRA, ControlNet, embedding or IP-Adapter in the models folder."""

    name: str
    size: int
    family: str | None = None


class ModelList(BaseModel):
    """All models and files that can be used or downloaded."""

    folder: str | None
    installed: list[InstalledModel]
    suggested: list[SuggestedModel]
    loras: list[NamedFile]
    controls: list[NamedFile]
    embeddings: list[NamedFile]
    ip_adapters: list[NamedFile]
    downloads: bool = True
    """Whether models can be downloaded and removed."""


def list_models(*, cache: bool = True) -> ModelList:
    """``cache``: with the models in the Hugging Face cache."""
    named: dict[str, Any] = {kind: _named_files(models_folder() / kind, kind) for kind in SUBFOLDERS}
    return ModelList(folder=str(models_folder()), installed=installed(cache=cache), suggested=suggested(), **named)


def installed(*, cache: bool = True) -> list[InstalledModel]:
    """The models of this machine: the default one, those of the models folder, and those in the Hugging Face cache."""
    return [describe(name, source) for name, source in _candidates(cache)]


def suggested() -> list[SuggestedModel]:
    """The suggestions; ``suggested.json`` has them."""
    return [
        SuggestedModel(
            **row,
            license_url=f"https://huggingface.co/{row['name']}",
            installed=find_on_disk(row["name"]) is not None,
        )
        for row in _suggestions()
    ]


@functools.cache
def _suggestions() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(Path(__file__).with_name("suggested.json").read_text(encoding="utf-8"))
    return rows


def describe_offer(offer: Offer) -> OfferedModel:
    """The facts that a user needs before a download."""
    place = download_folder(offer.id)
    note = read_note(place)
    known = {model.name: model.memory for model in suggested()}
    return OfferedModel(
        name=offer.id,
        kind="controlnet" if offer.is_control else "model",
        family=offer.family,
        license=offer.license,
        license_url=offer.license_url,
        gated=offer.gated,
        size=offer.size,
        to_download=left_to_download(offer),
        memory=known.get(offer.id, offer.weights + WORKING_MEMORY),
        free=free_disk(place),
        installed=note is not None and note.revision == offer.revision,
    )


def describe(name: str, source: Source | None = None) -> InstalledModel:
    """One model. ``error`` says why it cannot be used."""
    titles = {row["name"]: row["title"] for row in _suggestions()}
    title = titles.get(name) or Path(name).name.removesuffix(".safetensors").removesuffix(".gguf")
    source = source or _source(name)
    about: dict[str, Any] = {"name": name, "title": title, "source": source, "size": _size_of(name)}
    try:
        model = ModelFolder.open(name)
    except WarpnoiseError as error:
        base = error.base if isinstance(error, MissingBaseError) else ""
        return InstalledModel(**about, error=str(error), error_code=error.code, base=base)
    note = read_note(models_folder() / HUB / name) if source == "hub" else None
    unused = unused_settings(model)
    return InstalledModel(
        **about,
        family=model.family.title if model.family else "Pixel model",
        memory=memory_need(model),
        license="GPL-3.0-or-later" if source == "default" else (note and note.license) or None,
        styles=list(model.styles),
        steps=model.steps,
        guidance=model.guidance,
        strength=model.sheet.strength,
        takes=[setting for setting in Settings.model_fields if setting not in unused],
        references=model.references,
    )


def memory_need(model: ModelFolder) -> int:
    """Bytes of the device, about, that a run needs with all parts on it."""
    return sum(model_sizes(model).parts.values()) + (WORKING_MEMORY if model.family else 0)


def _candidates(cache: bool) -> Iterator[tuple[str, Source]]:
    if DEFAULT_MODEL.is_dir():
        yield "default", "default"
    for path in _entries(models_folder()):
        if path.name in (HUB, *SUBFOLDERS):
            continue
        if (path / "model_index.json").is_file() or (path / "config.json").is_file():
            yield path.name, "folder"
        elif path.suffix in SUFFIXES and path.is_file():
            yield path.name, "file"
    downloaded = _downloaded()
    for hub_id, path in downloaded.items():
        if _is_model(path):
            yield hub_id, "hub"
    for path in _entries(hugging_face_cache()) if cache else ():
        hub_id = path.name.removeprefix("models--").replace("--", "/")
        if path.name.startswith("models--") and hub_id not in downloaded:
            snapshot = find_in_cache(hub_id)
            if snapshot is not None and (snapshot / "model_index.json").is_file() and _runs(snapshot):
                yield hub_id, "cache"


def _source(name: str) -> Source:
    if name == "default":
        return "default"
    known = dict(_candidates(cache=True))
    return known.get(name) or ("file" if Path(name).expanduser().is_file() else "folder")


def _is_model(folder: Path) -> bool:
    """Whether a downloaded folder is a model, not a ControlNet."""
    return (folder / "model_index.json").is_file() or _control_family(folder) is None


def _runs(snapshot: Path) -> bool:
    """Whether Warpnoise supports the family of a folder that another program filled. Lists leave out all others."""
    with contextlib.suppress(WarpnoiseError):
        name = read_config(snapshot / "model_index.json").get("_class_name")
        return name in FAMILIES or name in ("DDPMPipeline", "DDIMPipeline")
    return False


def _control_family(folder: Path) -> str | None:
    with contextlib.suppress(WarpnoiseError):
        return controlled_family(read_config(folder / "config.json").get("_class_name"))
    return None


def _named_files(folder: Path, kind: str) -> list[NamedFile]:
    if kind != "controls":
        return [
            NamedFile(name=path.name, size=_disk_size(path))
            for path in _entries(folder)
            if path.suffix == ".safetensors"
        ]
    controls = {path.name: path for path in _entries(folder) if path.is_dir()}
    controls |= {hub_id: path for hub_id, path in _downloaded().items() if not _is_model(path)}
    return [
        NamedFile(name=name, size=folder_size(path), family=_control_family(path)) for name, path in controls.items()
    ]


def _downloaded() -> dict[str, Path]:
    """The folders of downloads by their hub ids."""
    return {f"{owner.name}/{path.name}": path for owner in _entries(models_folder() / HUB) for path in _entries(owner)}


def _entries(folder: Path) -> list[Path]:
    """A folder's entries, except hidden ones and names that cannot be shown."""
    try:
        there = sorted(folder.iterdir())
    except OSError:
        return []
    return [path for path in there if not path.name.startswith(".") and path.name.isprintable()]


def _size_of(name: str) -> int:
    with contextlib.suppress(WarpnoiseError):
        return _disk_size(DEFAULT_MODEL if name == "default" else resolve(name, "model"))
    return 0


def _disk_size(path: Path) -> int:
    return folder_size(path) if path.is_dir() else file_size(path)
