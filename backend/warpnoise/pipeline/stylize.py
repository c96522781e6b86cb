"""Stylizes a shot: reads unfinished frames, edits them in batches and writes them, all three in parallel."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, starmap
from operator import itemgetter
from pathlib import Path

import torch

from warpnoise.errors import JobError, first_few
from warpnoise.job import ModelInfo, Result, ResultInfo, Settings, Shot
from warpnoise.job.digest_cache import DigestCache
from warpnoise.media.png import read_png
from warpnoise.noise import METHODS, WarpedNoise, make_noise
from warpnoise.noise.warmup import compile_kernels
from warpnoise.pipeline.accumulate import AccumulatedOf, accumulate_result
from warpnoise.pipeline.carry import NoisyFrame, carry_noise, make_lock
from warpnoise.pipeline.edit import BatchEditor, EditedFrame, batched, places
from warpnoise.pipeline.guides import check_guides, wanted_guides
from warpnoise.pipeline.made_of import MadeOf, all_recorded, effective, result_name, unfinished
from warpnoise.pipeline.movie import write_movie_of
from warpnoise.pipeline.pictures import to_picture
from warpnoise.pipeline.plan import NEEDS_OTHERS, Plan, key_pictures, make_plan
from warpnoise.pipeline.read import Source, read_sources
from warpnoise.pipeline.reporter import Reporter
from warpnoise.pipeline.segments import Carried, SegmentEditor
from warpnoise.pipeline.work_queues import prefetch, write_queue
from warpnoise.progress import Progress
from warpnoise.sdedit import ModelFolder, load_model
from warpnoise.sdedit.check import check_settings
from warpnoise.sdedit.device import pick_batch
from warpnoise.sdedit.editor import Editor

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Summary:
    """The outcome of a run.

    ``frames_done`` of ``frames_total`` are finished now, of which ``frames_kept`` were finished before. ``result`` is
    None if no frames were requested. ``movie`` is None while frames of the shot are unfinished, which others may be
    making.
    """

    frames_total: int
    frames_done: int
    frames_kept: int
    result: Result | None
    movie: Path | None
    seconds: float
    warnings: tuple[str, ...]


def stylize(
    shot: Shot,
    settings: Settings | None = None,
    *,
    frames: Collection[int] | None = None,
    preview: bool = False,
    device: str | None = None,
    dtype: str | None = None,
    batch: int | None = None,
    movie: bool = True,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    load: Callable[[str, str | None, str | None], Editor] = load_model,
    result: Result | None = None,
    model: str | None = None,
) -> Summary:
    """Stylize the unfinished frames of a shot, or only those in ``frames``, and write the movie.

    Each combination of settings and model has its own result folder, such as ``results/ink-3f9a21c0``. Finished frames
    whose inputs have not changed are kept. If all are finished, no weights are loaded and no noise is computed. A
    frame's file appears whole or not at all, and is kept even if the run fails later.

    With the same ``batch``, a frame has the same bits whichever frames the run makes: its noise always moves through
    all earlier frames, and its position in the shot determines its place in a batch. Several processes may make
    different frames of one result, or different results, at the same time. The process that finishes the last frame of
    a result writes its movie.

    Args:
        settings: settings to use instead of the shot's own.
        frames: the frames to stylize. Default: all. They need their colour, and the passes of all frames up to the last
            of them. If ``pull`` or ``attention`` is on, the run also makes the unfinished frames that they depend on,
            except in a preview.
        preview: make no movie, do not change the result in use, and use a ``batch`` of 1 by default. A later run makes
            the frames again. Finished frames stay, and are their own previews. Coherence uses the frames that are
            finished; if there are none, a preview is made without.
        device: "cuda", "cuda:1", "mps" or "cpu". Default: the best one.
        dtype: the model's precision, "float32", "float16" or "bfloat16". Default: half precision, if the device
            supports it.
        batch: the number of frames in a batch. Default: depends on the device. Batches are always full, because copies
            fill the places of frames that were not chosen. For a few single frames, 1 is fastest; the result differs
            only by rounding.
        movie: whether to write the movie when all frames of the shot are finished.
        progress: called in this thread after every denoising step, and when the stage changes.
        cancelled: called before every denoising step and during every wait.
        load: loads the model.
        result: the folder for the frames, for comparisons. Default: the folder of the settings in ``results/``, which
            becomes the result in use when it has a frame.
        model: the model's path, if ``settings.model`` is only a name for it.

    Returns:
        The numbers of frames, the result, the path of the movie, the seconds and the warnings. ``movie`` is None while
        frames of the shot are unfinished.

    Raises:
        SettingsError, ModelError, JobError, JobLockedError, MediaError: see their messages.
        Cancelled: ``cancelled()`` was true.
    """
    started = time.monotonic()
    settings = shot.settings if settings is None else settings
    source = settings.model if model is None else model
    folder = ModelFolder.open(source)
    warnings = check_settings(folder, settings, (shot.scene.width, shot.scene.height))
    check_guides(shot, settings)
    wanted = shot.frames if frames is None else sorted(set(frames))
    if not wanted:
        return Summary(0, 0, 0, None, None, time.monotonic() - started, warnings)
    shot.check(wanted)
    chosen = effective(settings, folder)
    asked = wanted[0], wanted[-1]  # frames before them that they need, others may be making: the same ones
    reporter = Reporter(Progress(frames_total=len(wanted)), progress)
    if settings.attention and not chosen.attention:
        warnings += ("`attention` has no effect: the model has no attention to key frames, or a ControlNet guides it.",)
    reporter.warn(*warnings)
    reporter.report()
    written_movie = None
    with DigestCache(shot.path, shot.results_folder if result is None else result.folder.parent, cancelled) as digests:
        made_with = ModelInfo(name=settings.model, digest=folder.digest_through(digests.digest))
        to_use = None if preview or result is not None else shot
        target = result or shot.result(result_name(chosen, made_with))
        stylized = target.raw if chosen.accumulation else target  # there are frames that others are drawn toward
        making = target if preview else stylized
        plan = None
        if preview and not _is_any_there(shot, stylized):
            log.info("preview: without coherence, because no frame is stylized yet")
        else:
            plan = make_plan(shot, chosen, wanted[-1], reporter.warn, cancelled, preview=preview)
        if plan is not None and not preview:
            wanted = plan.needed(wanted)
            try:
                shot.check(wanted)
            except JobError as missing:
                raise JobError(f"{missing} {NEEDS_OTHERS}") from None
        if settings.coherence == "auto":
            log.info("coherence: automatic, which is %s here", chosen.coherence)
        info = ResultInfo(settings=chosen, model=made_with)
        target.create(info)
        making.create(info)

        def made_of(whole: bool = not preview) -> MadeOf:
            return MadeOf(shot, chosen, made_with, digests, plan, None if whole else (*there,))

        there: list[int] = []
        if plan is not None and preview:
            there = _that_are_there(plan, wanted, stylized, made_of(whole=True), reporter.warn)

        with target.lease(*asked):
            left = wanted
            if preview:  # a frame of the shot is its own preview
                left = unfinished(shot, stylized, wanted, made_of(whole=True), digests)
                if stylized is not target:
                    _show(stylized, target, [frame for frame in wanted if frame not in left], made_of(whole=True))
            todo = unfinished(shot, making, left, made_of(), digests, preview=preview)
            kept = len(wanted) - len(todo)
            reporter.found(target.name, kept, len(wanted))
            reporter.report()
            if kept and to_use is not None:
                to_use.use(target)
            if todo:
                editor = load(source, device, dtype)
                reporter.warn(*editor.check(settings, measuring=reporter.measured, cancelled=cancelled))
                if batch is None:
                    batch = 1 if preview else pick_batch(editor.device, shot.scene.height, shot.scene.width)
                switching = [] if kept or to_use is None else [to_use]  # the first frame makes the result current

                def write(edited: EditedFrame) -> None:
                    picture = to_picture(edited.image, edited.source.picture.alpha)
                    making.write_frame(edited.frame, picture, edited.source.made_of, preview=preview)
                    if switching:
                        switching.pop().use(target)
                    reporter.frame_written(edited.frame, final=making is target)

                carried = None
                if plan is not None:
                    strengths = chosen.pull or 0.0, chosen.attention or 0.0
                    carried = Carried(plan, *strengths, set(todo), stylized, {*there, *wanted})
                _make(shot, settings, todo, made_of(), editor, batch, carried, write, reporter, cancelled)
                _check_there(making, wanted)
        if not preview and len(shot.info.frames) < len(shot.frames):
            shot = shot.read_again()  # other machines have rendered more of its frames since
        finished = (
            not preview
            and all_recorded(shot, stylized)
            and not unfinished(shot, stylized, shot.frames, made_of(), digests)
        )
        if finished and chosen.accumulation:
            reporter.report("accumulating")
            accumulated_of = AccumulatedOf(shot, chosen, made_of())
            accumulate_result(shot, target, chosen, shot.frames, accumulated_of, cancelled, reporter.frame_accumulated)
        if finished and movie:
            written_movie = write_movie_of(shot, target, lambda: reporter.report("encoding"), cancelled)
    reporter.report("finished")
    return Summary(
        frames_total=len(wanted),
        frames_done=reporter.now.frames_done,
        frames_kept=kept,
        result=target,
        movie=written_movie,
        seconds=time.monotonic() - started,
        warnings=reporter.now.warnings,
    )


def _make(
    shot: Shot,
    settings: Settings,
    todo: list[int],
    made_of: MadeOf,
    editor: Editor,
    batch: int,
    carried: Carried | None,
    write: Callable[[EditedFrame], None],
    reporter: Reporter,
    cancelled: Callable[[], bool] | None,
) -> None:
    """Make the frames of ``todo``. Where colours are ``carried``, a batch has one frame: each needs the one before."""
    shape = editor.noise_shape(shot.scene.height, shot.scene.width, settings)
    maps = editor.noise_maps(settings)
    batch = 1 if carried else min(batch, len(shot.frames))
    batches = places(todo, shot.frames, batch)
    reporter.expect(batches=len(batches))
    # Apple's GPUs lack what the noise is made with.
    noise_device = torch.device("cpu") if editor.device.type == "mps" else editor.device
    if METHODS[settings.noise].load() is WarpedNoise:  # the baselines have no kernels
        compile_kernels(lambda message: reporter.report("compiling"), noise_device)
    noise = make_noise(settings.noise, shape, settings.seed, noise_device, maps)
    sources = read_sources(
        shot,
        set(todo) if carried is None else carried.noisy,
        made_of,
        reporter.warn,
        geometry=editor.takes_geometry,
        guides=wanted_guides(settings),
        last=None if carried is None else carried.last,
    )
    lock = make_lock(editor, settings, reporter.warn)
    edit = BatchEditor(editor, settings, batch, reporter.step_done, reporter.warn, cancelled)
    reporter.report("stylizing")
    frames: Iterable[tuple[Source, NoisyFrame | None]]
    with contextlib.ExitStack() as stack:
        put = stack.enter_context(write_queue(write, batch))
        if editor.device.type == "cpu" or maps > 1:
            # Model and noise take turns on a CPU: each uses all cores, and side by side they would wait for each other.
            # So they do where the maps of the stochastic steps are read one by one.
            frames = carry_noise(stack.enter_context(prefetch(sources, batch, cancelled)), noise, maps, lock)
        else:
            frames = stack.enter_context(prefetch(carry_noise(sources, noise, maps, lock), batch, cancelled))
        edited: Iterable[EditedFrame]
        if carried is None:
            noisy = filter(None, map(itemgetter(1), frames))  # holds no more than it must
            edited = chain.from_iterable(starmap(edit.edit, batched(noisy, batches, shot.frames, batch)))
        else:
            edited = SegmentEditor(carried, edit, carried.reader(shot)).edit(frames)
        for each in edited:
            put(each)


def _is_any_there(shot: Shot, result: Result) -> bool:
    """Whether there is a frame that a preview can be drawn toward."""
    return bool(key_pictures(shot)) or any(
        (record := result.record(result.frame(frame))) is not None and not record.preview for frame in shot.frames
    )


def _that_are_there(
    plan: Plan, wanted: Sequence[int], result: Result, made_of: MadeOf, warn: Callable[[str], None]
) -> list[int]:
    """The finished frames that a preview is drawn toward."""
    needed = [frame for frame in plan.needed(wanted) if frame not in wanted]
    there = [frame for frame in needed if result.is_finished(result.frame(frame), made_of.digest(frame))]
    missing = [key for key in plan.keys if key in needed and key not in there and key not in plan.painted]
    if missing:
        warn(
            f"This preview is made without key frames that are not stylized yet ({first_few(missing)}): the whole shot "
            "will look different where they show. Stylize them first with `warpnoise keyframes`."
        )
    if there:
        log.info("preview: drawn toward the finished frames %s", ", ".join(map(str, there)))
    return there


def _show(stylized: Result, target: Result, frames: Sequence[int], made_of: MadeOf) -> None:
    """Frames that wait for their accumulation become their own previews; accumulated ones stay."""
    for frame in frames:
        record = target.record(target.frame(frame))
        if record is None or record.preview:
            target.write_frame(frame, read_png(stylized.frame(frame)), made_of.digest(frame), preview=True)


def _check_there(result: Result, frames: Sequence[int]) -> None:
    """Raises JobError: frames that were finished are gone."""
    gone = [frame for frame in frames if not result.frame(frame).is_file() or not result.settings_file.is_file()]
    if gone:
        raise JobError(
            f"{result.folder} lost frame {gone[0]} during the run: something deleted or moved it. Run again; "
            "finished frames that are still there stay."
        )


def key_frames(
    shot: Shot, settings: Settings, frames: Sequence[int], *, cancelled: Callable[[], bool] | None = None
) -> Plan | None:
    """The plan by which ``stylize`` makes ``frames`` with these settings; None where nothing is carried.

    Raises:
        SettingsError, ModelError, JobError, MediaError, Cancelled: as ``stylize``.
    """
    chosen = effective(settings, ModelFolder.open(settings.model))
    return make_plan(shot, chosen, max(frames), log.warning, cancelled)


def whole_segments(shot: Shot, settings: Settings, frames: Sequence[int] | None = None) -> list[list[int]]:
    """The units of chunks: ``frames`` (None: all) by segments, or each alone where nothing is carried."""
    wanted = shot.frames if frames is None else frames
    plan = key_frames(shot, settings, wanted)
    if plan is None:
        return [[frame] for frame in wanted]
    return [part for segment in plan.segments() if (part := [frame for frame in segment if frame in set(wanted)])]
