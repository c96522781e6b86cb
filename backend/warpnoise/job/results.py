"""The results of one job, side by side: ``stylized/`` is that of the newest settings, others are kept in ``results/``.

Each result is a few files with the same names in both places: ``stylized/``, ``stylized.mp4``, their records, and
``records/settings.json``, which says what settings it was made with. To work with other settings, the present result is
moved to ``results/NAME/``, and the one of those settings, if there is one, is moved back: nothing is made twice. The
add-on, which lists and switches results, keeps to the same files (``warpnoise_addon/stylize/kept_results.py``).
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from warpnoise.errors import JobError, JobLockedError
from warpnoise.job.claims import joined
from warpnoise.job.settings import Settings
from warpnoise.media.atomic import remove, write_bytes

SETTINGS = "records/settings.json"
PARTS = ("stylized", "records/stylized", "stylized.mp4", "records/movie.json")
"""What is moved, in this order: pictures without records are made again, records without pictures as well."""


@dataclass(frozen=True)
class KeptResult:
    """A result in ``results/``."""

    folder: Path
    settings: Settings

    @property
    def name(self) -> str:
        return self.folder.name


def kept_results(job: Path) -> list[KeptResult]:
    """The results that are kept in a job folder beside the present one, by name. What is none is passed over."""
    folder = job / "results"
    there = sorted(folder.iterdir()) if folder.is_dir() else []
    read = ((path, _read(path / SETTINGS)) for path in there)
    return [KeptResult(path, settings) for path, settings in read if settings is not None]


@contextlib.contextmanager
def result_of(
    job: Path, settings: Settings, same: Callable[[Settings, Settings], bool], made: Callable[[], bool] = lambda: False
) -> Iterator[None]:
    """While the block runs, ``stylized/`` is the result of ``settings``, and no other process makes it another's.

    Args:
        same: whether two settings make the same pictures.
        made: whether a frame in ``stylized/`` was made with ``settings``, though they may be called otherwise: a
            server has other names for models.

    Raises:
        JobLockedError: others are at work on a result of other settings.
        JobError: a file cannot be moved or written.
    """

    def make_present(others: bool) -> None:
        present = _read(job / SETTINGS)
        if present is not None and same(present, settings):
            return
        if present is not None and not made():
            if others:
                raise JobLockedError(
                    f"Another process stylizes {job} with other settings. Wait until it is done, or cancel it; "
                    "to work on both, copy the folder."
                )
            _keep(job, present)
            kept = next((result for result in kept_results(job) if same(result.settings, settings)), None)
            if kept is not None:
                _move(kept.folder, job)
                shutil.rmtree(kept.folder, ignore_errors=True)
        write_bytes(job / SETTINGS, f"{settings.model_dump_json()}\n".encode(), error=JobError)

    with joined(job, make_present):
        yield


def _keep(job: Path, settings: Settings) -> None:
    """Moves the present result, if there is anything of it, to a folder of its own."""
    if not any((job / part).exists() for part in PARTS):
        return
    target = job / "results" / _name(job, settings)
    # First: from here on it is listed, whatever becomes of this process.
    write_bytes(target / SETTINGS, f"{settings.model_dump_json()}\n".encode(), error=JobError)
    _move(job, target)
    remove(job / SETTINGS, error=JobError)


def _name(job: Path, settings: Settings) -> str:
    """A name that says what it is, and that is free: ``oil``, ``oil-2``."""
    word = re.sub(r"[^\w-]+", "-", settings.style or Path(settings.model).name).strip("-")[:40] or "result"
    number, name = 1, word
    while (job / "results" / name).exists():
        number += 1
        name = f"{word}-{number}"
    return name


def _move(source: Path, target: Path) -> None:
    for part in PARTS:
        try:
            (target / part).parent.mkdir(parents=True, exist_ok=True)
            (source / part).rename(target / part)
        except FileNotFoundError:
            continue
        except OSError as refusal:
            raise JobError(
                f"Cannot move {source / part} to {target / part}, to keep an earlier result: "
                f"{refusal.strerror or refusal}. Close what has it open, and give this user the right to write there."
            ) from refusal


def _read(path: Path) -> Settings | None:
    """None: there is no such file, or it is damaged."""
    try:
        return Settings.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        return None
