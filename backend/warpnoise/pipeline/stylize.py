"""Stylizing a job: what is unfinished is read, edited in batches and written, all three at the same time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from warpnoise.job import Output, Settings, Shot
from warpnoise.media.png import write_png
from warpnoise.noise import make_noise
from warpnoise.pipeline.background import ReadAhead, WriteBehind
from warpnoise.pipeline.batches import BatchEditor, batched, places
from warpnoise.pipeline.frames import Prepared, prepare, read_sources, to_picture
from warpnoise.pipeline.guides import wanted_guides
from warpnoise.pipeline.inputs import InputDigests
from warpnoise.pipeline.movie import encode_if_finished
from warpnoise.pipeline.progress import Progress, Reporter
from warpnoise.pipeline.resume import FrameChain, effective
from warpnoise.sdedit import Editor, ModelFolder, load_model
from warpnoise.sdedit.check import check_settings
from warpnoise.sdedit.device import pick_batch


@dataclass(frozen=True)
class Summary:
    """What a run did. ``frames_done`` of ``frames_total`` are finished now, ``frames_kept`` of them were before.

    ``movie``: None as long as frames of the job, which others may be making, are unfinished.
    """

    frames_total: int
    frames_done: int
    frames_kept: int
    movie: Path | None
    seconds: float
    warnings: tuple[str, ...]


def stylize(
    job: Shot,
    settings: Settings | None = None,
    *,
    frames: Collection[int] | None = None,
    preview: bool = False,
    device: str | None = None,
    dtype: str | None = None,
    batch: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    load: Callable[[str, str | None, str | None], Editor] = load_model,
) -> Summary:
    """Stylize every frame of a job that is not finished, or those of ``frames``, and write ``stylized.mp4``.

    Frames whose inputs and settings are those of an earlier run are kept; where nothing is left to do, no weights
    are loaded and no noise is computed. A frame's file appears whole or not at all, and stays whatever comes after it.

    A frame's bits do not depend on which frames are made in the same run: the noise comes through the passes of all
    frames before it, wanted or not, and its place in a batch is counted from the shot's start. Several processes may
    make different frames of one folder at the same time; whoever then finds all of them finished writes the movie.

    ``stylized/`` is the result of these settings; that of others is kept in ``results/`` (see `warpnoise.job.results`).

    Args:
        job: an opened job folder; it is locked while this runs, or only ``frames`` and what lies between them.
        settings: instead of the job's own.
        frames: only these; None: all. Their colour is needed, and the passes of all frames up to the last of them.
        preview: the frames go to ``preview/``, and no result is touched. ``batch`` is 1 then if it is not given.
        device, dtype: as ``sdedit.load_model`` takes them.
        batch: frames at a time; None: what suits the device. Batches are always full, filled up with copies where
            frames are not wanted: for a few frames alone 1 is quickest, and differs by rounding only.
        progress: called in this thread after every denoising step, and when the stage changes.
        cancelled: asked before every denoising step and during every wait.
        load: what loads the model.

    Raises:
        SettingsError, ModelError, JobError, JobLockedError, MediaError: see their messages.
        Cancelled: ``cancelled()`` was true.
    """
    started = time.monotonic()
    settings = job.settings if settings is None else settings
    model = ModelFolder.open(settings.model)
    warnings = check_settings(model, settings)
    wanted = job.frames if frames is None else sorted(set(frames))
    if not wanted:
        return Summary(0, 0, 0, None, time.monotonic() - started, warnings)
    job.check(wanted)
    output = job.output("preview" if preview else "stylized")

    def same(one: Settings, other: Settings) -> bool:
        return one.model == other.model and effective(one, model) == effective(other, model)

    with InputDigests(job, cancelled) as inputs, contextlib.ExitStack() as working:
        chain = FrameChain(job, settings, model, inputs)
        if not preview:
            style = settings.style or next(iter(model.styles), None)  # by its name, for people
            named = settings.updated({"style": style})
            working.enter_context(
                job.result_of(named, same, lambda: len(chain.unfinished(wanted, output)) < len(wanted))
            )
        with job.lock(frames=None if frames is None else wanted):
            todo = chain.unfinished(wanted, output)
            kept = len(wanted) - len(todo)
            reporter = Reporter(Progress("loading", len(wanted), frames_done=kept, frames_kept=kept), progress)
            reporter.warn(*warnings)
            reporter.report()
            if todo:
                editor = load(settings.model, device, dtype)
                reporter.warn(*editor.check(settings))
                if batch is None:
                    batch = 1 if preview else pick_batch(editor.device, job.scene.height, job.scene.width)
                _make(job, output, settings, todo, chain, editor, batch, reporter, cancelled)
        movie = None
        if not preview:
            movie = encode_if_finished(job, chain, lambda: reporter.report("encoding"), cancelled)
        reporter.report("finished")
    return Summary(
        frames_total=len(wanted),
        frames_done=reporter.now.frames_done,
        frames_kept=kept,
        movie=movie,
        seconds=time.monotonic() - started,
        warnings=reporter.now.warnings,
    )


def _make(
    job: Shot,
    output: Output,
    settings: Settings,
    todo: list[int],
    chain: FrameChain,
    editor: Editor,
    batch: int,
    reporter: Reporter,
    cancelled: Callable[[], bool] | None,
) -> None:
    """Make the frames of ``todo``."""
    shape = editor.noise_shape(job.scene.height, job.scene.width)
    maps = editor.noise_maps(settings)
    batch = min(batch, len(job.frames))
    batches = places(todo, job.frames, batch)
    reporter.expect(batches=len(batches))

    def write(result: tuple[int, npt.NDArray[np.uint16]]) -> None:
        frame, picture = result
        _write_frame(output, frame, chain.digest(frame), picture)
        reporter.frame_written(frame)

    # Apple's GPUs lack what the noise is made with.
    noise_device = torch.device("cpu") if editor.device.type == "mps" else editor.device
    noise = make_noise(settings.noise, shape, settings.seed, noise_device, maps)
    sources = read_sources(
        job, set(todo), reporter.warn, geometry=editor.takes_geometry, guides=wanted_guides(settings)
    )
    edit = BatchEditor(editor, settings, batch, reporter.step_done, reporter.warn, cancelled).edit
    reporter.report("stylizing")
    with contextlib.ExitStack() as stack:
        writer = stack.enter_context(WriteBehind(write, size=batch))
        frames: Iterable[Prepared]
        if editor.device.type == "cpu":
            # Model and noise take turns here: each uses all cores, and side by side they would wait for each other.
            frames = prepare(stack.enter_context(ReadAhead(sources, batch, cancelled)), noise, maps)
        else:
            frames = stack.enter_context(ReadAhead(prepare(sources, noise, maps), batch, cancelled))
        for slots in batched(frames, batches, batch):
            for prepared, image in edit(slots):
                writer.put((prepared.frame, to_picture(image, prepared.picture.alpha)))


def _write_frame(output: Output, frame: int, digest: str, picture: npt.NDArray[np.uint16]) -> None:
    # Forgotten first: a process that dies between the two writes must not leave the new picture under the old digest.
    finished = output.digests()
    finished.forget(frame)
    write_png(output.picture(frame), picture)
    finished.record(frame, digest)
