"""Downloads a model into the models folder. Downloads resume, are verified, and appear whole or not at all.

Files arrive in ``hub/.partial/OWNER--NAME``. The folder is renamed when every file has the hub's digest and the whole
is a model that Warpnoise supports. An interrupted download stays there, and the next one continues it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from warpnoise.errors import HubError, ModelError
from warpnoise.hub.fetch import DownloadProgress, Meter, fetch
from warpnoise.hub.remote import Offer
from warpnoise.hub.store import (
    NOTE,
    Note,
    bytes_to_come,
    disk_errors,
    free_disk,
    left_to_download,
    lock_download,
    missing_bytes,
    partial_folder,
    read_note,
    remove_folder,
    taking_room,
)
from warpnoise.media.atomic import write_bytes
from warpnoise.sdedit.folder import ModelFolder
from warpnoise.sdedit.memory_plan import gigabytes
from warpnoise.sdedit.model_files import find_weights, read_config
from warpnoise.sdedit.places import download_folder, models_folder

SPARE_DISK = 256 << 20
"""Bytes that stay free."""


def download(
    offer: Offer,
    agreed: str | None,
    progress: Callable[[DownloadProgress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Path:
    """Download a model, or the rest of it, and return its folder.

    Args:
        agreed: the license that the user has agreed to, as in ``offer.license``.

    Raises:
        HubError: the license differs, the disk has too little space, another download of the model is running, the
            connection fails, or a file differs from the hub's description.
        ModelError: Warpnoise does not support the downloaded model.
        Cancelled: ``cancelled()`` was true. It is called for every block.
    """
    check_license(offer, agreed)
    place, partial = download_folder(offer.id), partial_folder(offer.id)
    if (note := read_note(place)) is not None and note.revision == offer.revision and left_to_download(offer) == 0:
        return place
    with lock_download(offer.id), disk_errors(partial):
        with taking_room(offer.id):
            _make_room(offer, partial)
            _begin(offer, partial)
        meter = Meter(offer, partial, progress, cancelled)
        for file in sorted(offer.files, key=lambda file: file.size):  # small files show early that a model is unusable
            fetch(offer, file, partial / file.name, meter)
        _check(offer, partial)
        _put_in_place(partial, place)
    if progress is not None:
        progress(DownloadProgress(offer.size, offer.size))
    return place


def check_license(offer: Offer, agreed: str | None) -> None:
    """Raises HubError: the user agreed to another license, or to none."""
    if agreed != offer.license:
        raise HubError(
            f"{offer.id} has the license {offer.license or 'that its page names'} ({offer.license_url}). Read it and "
            "agree to it first.",
            "license",
        )


def _check(offer: Offer, folder: Path) -> None:
    """Raises ModelError: Warpnoise cannot use the downloaded files."""
    if (folder / "model_index.json").is_file() or not offer.is_control:
        ModelFolder.open(folder)
    else:
        read_config(folder / "config.json")
        find_weights(folder)


def _make_room(offer: Offer, partial: Path) -> None:
    partial.mkdir(parents=True, exist_ok=True)
    needed, free, coming = missing_bytes(offer, partial), free_disk(partial), bytes_to_come(offer.id)
    if needed + coming + SPARE_DISK > free:
        others = f", and other downloads still need {gigabytes(coming)} of them" if coming else ""
        raise HubError(
            f"{offer.id} needs {gigabytes(needed)} more in {models_folder()}, where {gigabytes(free)} are "
            f"free{others}. Free some space, or set WARPNOISE_MODELS to a folder on another disk.",
            "disk",
        )


def _begin(offer: Offer, partial: Path) -> None:
    """Record the offer in the folder. Files of another revision are checked against the hub's digests, or deleted."""
    note = read_note(partial)
    wanted = {partial / file.name for file in offer.files}
    for file in [path for path in partial.rglob("*") if path.is_file() and path.name != NOTE]:
        target = file.with_name(file.name.removesuffix(".part"))
        if target not in wanted:
            file.unlink()
        elif file == target and (note is None or note.revision != offer.revision):
            file.replace(file.with_name(file.name + ".part"))
    content = Note(id=offer.id, revision=offer.revision, license=offer.license, size=offer.size)
    write_bytes(partial / NOTE, content.model_dump_json().encode(), error=ModelError)


def _put_in_place(partial: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        remove_folder(place)
    partial.rename(place)
