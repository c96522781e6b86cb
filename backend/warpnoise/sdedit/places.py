"""Where models are on this machine: in the models folder, downloaded into it, or in the Hugging Face cache.

The models folder is the one in WARPNOISE_MODELS, or else ``warpnoise/models`` in the user's data folder. Users put
models into it, and other files into its subfolders ``loras``, ``controls`` and so on. They can be named by the name of
the file or folder. Downloads go to ``hub/OWNER/NAME``. This module never uses the network.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

import platformdirs

from warpnoise.errors import ModelError
from warpnoise.media.bounded import given_path

MODELS_VARIABLE: Final = "WARPNOISE_MODELS"
HUB: Final = "hub"
"""The folder of downloads in the models folder."""
SUBFOLDERS: Final = ("loras", "controls", "embeddings", "ip_adapters")
"""The folders in the models folder for files that are not models."""
_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)


def is_hub_id(text: str) -> bool:
    """Whether a text has the form of a hub's id, ``owner/name``."""
    return _ID.fullmatch(text) is not None and ".." not in text and not text.endswith((".git", "."))


def models_folder() -> Path:
    chosen = os.environ.get(MODELS_VARIABLE)
    return Path(chosen) if chosen else platformdirs.user_data_path("warpnoise", appauthor=False) / "models"


def download_folder(hub_id: str) -> Path:
    """Where a download goes. Raises ModelError: not a hub id."""
    if not is_hub_id(hub_id):
        raise ModelError(f"{hub_id[:100]!r} is not a model name of the hub: expected OWNER/NAME, as on its page.")
    return models_folder() / HUB / hub_id


def find_on_disk(hub_id: str) -> Path | None:
    """The folder of a hub's model that is on this machine: downloaded by Warpnoise, or in the Hugging Face cache."""
    place = download_folder(hub_id)
    return place if place.is_dir() else find_in_cache(hub_id)


def find_in_cache(hub_id: str) -> Path | None:
    """The newest snapshot of ``main`` in the Hugging Face cache, which other programs fill."""
    repository = hugging_face_cache() / f"models--{hub_id.replace('/', '--')}"
    try:
        revision = (repository / "refs" / "main").read_text(encoding="ascii").strip()
    except (OSError, UnicodeError):
        return None
    snapshot = repository / "snapshots" / revision
    return snapshot if re.fullmatch(r"[0-9a-f]{4,64}", revision) and snapshot.is_dir() else None


def hugging_face_cache() -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def resolve(name_or_path: str | os.PathLike[str], what: str) -> Path:
    """The path of a folder or file that a setting names.

    Args:
        name_or_path: a path; a name in the models folder, for what is not a model in its subfolder ``WHATs``, with or
            without ``.safetensors``; or the id of a hub's model that is on this machine. The first that exists counts.
        what: the setting: "model", "lora", "control".

    Raises:
        ModelError: the system cannot have such a path, or the id's model is not here.
    """
    path = given_path(name_or_path, f"the {what}", error=ModelError)
    if path.exists() or not isinstance(name_or_path, str):
        return path
    if (named := find_named(name_or_path, what)) is not None:
        return named
    if not is_hub_id(name_or_path):
        return path
    found = find_on_disk(name_or_path)
    if found is None:
        raise ModelError(
            f"{what} {name_or_path}: there is no such folder or file, and no model of that name on this machine. If it "
            f"is on the Hugging Face hub, get it with: warpnoise models download {name_or_path}"
        )
    return found


def find_named(name: str, what: str) -> Path | None:
    """The file or folder of that name in the models folder."""
    if name.startswith(".") or name == HUB or name in SUBFOLDERS or any(mark in name for mark in "/\\:"):
        return None
    folder = models_folder() if what == "model" else models_folder() / f"{what}s"
    return next((path for path in (folder / name, folder / f"{name}.safetensors") if path.exists()), None)
