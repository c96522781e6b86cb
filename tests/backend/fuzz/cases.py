"""The cases: files that are mutated, and what reads them."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from warpnoise.errors import WarpnoiseError
from warpnoise.job import Shot
from warpnoise.job.result import Result
from warpnoise.media.exr import read_passes
from warpnoise.media.json_file import read_json
from warpnoise.media.picture_digest import picture_digest
from warpnoise.media.png import read_png, read_size, write_png
from warpnoise.motion import motions
from warpnoise.sdedit import ModelFolder

from warpnoise_addon.backend.answers import check, read_job
from warpnoise_addon.backend.picture_transfer import NoPictureError, NotThePicture, SentPicture, check_png
from warpnoise_addon.bounded_json import BadJsonError
from warpnoise_addon.bounded_json import read_json as read_addon_json
from warpnoise_addon.errors import WarpnoiseError as AddonError

from .. import synthetic
from .mutate import mutated_bytes, mutated_json, mutated_png

SIZE = 32, 24
LARGE = 256, 256
DECOYS = 30
"""Passes of four channels that nobody asks for, in the large EXR files."""
CLEAN = (WarpnoiseError, AddonError, BadJsonError, NoPictureError, NotThePicture)
"""What a damaged file may raise."""


@dataclass(frozen=True)
class Case:
    """``name`` says kind, number and what was mutated: with the seed it is enough to repeat the case."""

    name: str
    read: Callable[[], Any]


def cases(kind: str, count: int, seed: int, folder: Path) -> Iterator[Case]:
    """``count`` cases of a kind. A case's files are written to ``folder`` when it is asked for, one after the other."""
    made = {"exr": _exrs, "png": _pngs, "json": _jsons, "model": _models}[kind](folder / kind)
    for number in range(count):
        yield made(number, random.Random(f"{seed} {kind} {number}"))


_Maker = Callable[[int, random.Random], Case]


def _exrs(folder: Path) -> _Maker:
    sources = []
    planes = synthetic.Scene(*SIZE).planes(1)
    for layout in ("single", "multi"):
        for codec in ("NO", "ZIPS", "ZIP", "PIZ", "RLE"):
            path = folder / f"{layout}-{codec}.exr"
            synthetic.write_passes(path, planes, layout=layout, codec=codec)
            sources.append((path, SIZE))
    for layout in ("single", "multi"):
        path = folder / f"{layout}-decoys.exr"
        decoys = {f"Decoy{n:03d}.{c}": np.full(LARGE, n, np.float32) for n in range(DECOYS) for c in "XYZW"}
        synthetic.write_passes(path, synthetic.Scene(*LARGE).planes(1) | decoys, layout=layout)
        sources += [(path, LARGE)] * 2

    def make(number: int, random: random.Random) -> Case:
        source, size = random.choice(sources)
        path = folder / "mutated.exr"
        path.write_bytes(mutated_bytes(source.read_bytes(), random))

        def read() -> None:
            picture_digest(path)
            _every(lambda: read_passes(path, size, combined=True), lambda: read_passes(path), lambda: _sent(path))

        return Case(f"exr {number} {source.stem}", read)

    return make


def _pngs(folder: Path) -> _Maker:
    folder.mkdir(parents=True)
    sources = []
    generator = np.random.default_rng(0)
    for channels in (3, 4):
        path = folder / f"{channels}.png"
        write_png(path, generator.integers(0, 65536, (SIZE[1], SIZE[0], channels), np.uint16))
        sources.append(path)

    def make(number: int, random: random.Random) -> Case:
        source = random.choice(sources)
        path = folder / "mutated.png"
        mutated = mutated_png if random.random() < 0.7 else mutated_bytes
        path.write_bytes(mutated(source.read_bytes(), random))

        def read() -> None:
            picture_digest(path)
            _every(
                lambda: read_png(path),
                lambda: read_size(path),
                lambda: _sent(path),
                lambda: _received(path),
            )

        return Case(f"png {number} {source.stem}", read)

    return make


def _jsons(folder: Path) -> _Maker:
    job = synthetic.make_job(folder / "job", frames=2, width=SIZE[0], height=SIZE[1])
    content = json.loads((job.path / "job.json").read_text())
    result = Result(folder / "result")
    settings = {"schema": 2, "settings": {"strength": 0.5}, "model": {"name": "default", "digest": "ab" * 16}}
    record = {"made_of": "ab" * 16, "sha256": "cd" * 32}
    view = {
        "id": "1", "state": "running", "stage": "stylizing", "frames_done": 1, "frames_total": 2, "seconds_left": 1.0,
        "warnings": ["a"], "error": {"code": "job", "message": "b"}, "newest_frame": 1, "result": "ink-1",
    }  # fmt: skip
    status = {
        "version": "1", "interface": 2, "device": "cpu", "memory_total": 1, "uploads": {"largest_file": 1, "days": 7.0},
        "models": [{"name": "a", "styles": ["b"], "prompt": True}],
    }  # fmt: skip

    def make(number: int, random: random.Random) -> Case:
        what = random.choice(("job", "job", "settings", "record", "answer"))
        if what == "job":
            (job.path / "job.json").write_bytes(mutated_json(content, random))
            return Case(f"json {number} job", lambda: list(motions(Shot.open(job.path), warn=lambda text: None)))
        if what == "settings":
            (result.folder / "settings.json").parent.mkdir(exist_ok=True)
            (result.folder / "settings.json").write_bytes(mutated_json(settings, random))
            return Case(f"json {number} settings", result.info)
        if what == "record":
            (result.folder / "records").mkdir(parents=True, exist_ok=True)
            (result.folder / "records" / "0001.json").write_bytes(mutated_json(record, random))
            return Case(f"json {number} record", lambda: result.record(result.frame(1)))
        fits, answer = random.choice(((read_job, view), (partial(check, "status"), status)))
        path = folder / "answer.json"
        path.write_bytes(mutated_json(answer, random))

        def read() -> None:
            value = read_addon_json(path)
            if isinstance(value, dict):
                fits(value)

        return Case(f"json {number} answer", lambda: _every(read, lambda: read_json(path)))

    return make


def _models(folder: Path) -> _Maker:
    from warpnoise.sdedit import load_model  # it brings PyTorch, which the other kinds do without

    from ..tiny_models import write_pixel_model, write_stable_diffusion, write_styled_model

    sources = {
        "pixel": write_pixel_model(folder / "pixel"),
        "styled": write_styled_model(folder / "styled"),
        "diffusion": write_stable_diffusion(folder / "diffusion"),
    }

    def make(number: int, random: random.Random) -> Case:
        name = random.choice(list(sources))
        model = folder / "mutated"
        shutil.rmtree(model, ignore_errors=True)
        shutil.copytree(sources[name], model)
        files = [path for path in sorted(model.rglob("*")) if path.is_file()]
        configs = [path for path in files if path.suffix == ".json"]
        file = random.choice(configs if random.random() < 0.8 else files)
        if file.suffix == ".json":
            file.write_bytes(mutated_json(json.loads(file.read_text()), random))
        elif random.random() < 0.2:
            file.unlink()
        else:
            file.write_bytes(mutated_bytes(file.read_bytes(), random))

        def read() -> None:
            _ = (ModelFolder.open(model).digest, load_model(model, "cpu", "float32"))

        return Case(f"model {number} {name} {file.relative_to(model)}", read)

    return make


def _every(*reads: Callable[[], Any]) -> None:
    """All of them, whatever the first ones raise; then what the last one raised."""
    caught: Exception | None = None
    for read in reads:
        try:
            read()
        except CLEAN as error:
            problem = unclean(error)
            if problem:
                raise
            caught = error
    if caught is not None:
        raise caught


def _sent(path: Path) -> None:
    for _ in SentPicture(path).blocks():
        pass


def _received(path: Path) -> None:
    with path.open("rb") as file:
        check_png(file, *SIZE)


def unclean(error: BaseException) -> str:
    """Why an error is no message to a user; empty where it is one."""
    text = str(error)
    if not isinstance(error, CLEAN):
        return f"{type(error).__name__}: {text[:200]}"
    if not text.strip():
        return "no message"
    if len(text) > 3000:
        return f"a message of {len(text)} characters: {text[:150]}...{text[-60:]}"
    for sign in ("Traceback", "Error(", "Error:", "<class", "object at 0x"):
        if sign in text:
            return f"{sign!r} in: {text[:200]}"
    return ""
