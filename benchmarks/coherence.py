"""How far coherence goes beyond warped noise, and what it costs: its goals, measured.

    python benchmarks/coherence.py shots SHOT... --output FOLDER [--styles ink] [--options plain,balanced]
    python benchmarks/coherence.py pans SHOT... --output FOLDER --model FOLDER [--pixels 1,2]
    python benchmarks/coherence.py light --output FOLDER [--styles photoreal]
    python benchmarks/coherence.py time SHOT --output FOLDER
    python benchmarks/coherence.py picture SHOT --output FOLDER --picture docs/images/coherence.jpg
    python benchmarks/coherence.py report FOLDER... --page docs/results.md

A SHOT is a folder of ``training.shots``, job/ in it. ``shots`` stylizes the start of each with every option, style and
seed; ``pans`` does so on pans over its first frame; ``light`` on shots that are made here: a shadow and a highlight
that move over a still wall, and a cylinder that turns before it. Each sequence adds a line to FOLDER/figures.jsonl as
soon as it is finished. Run a command again and it continues. ``time`` stylizes the same frames with each option in
turn, so that they share the load. ``report`` writes the goals, met or missed, into the page's part *Coherence*.

An option is a preset ("balanced") or strengths ("pull=0.9+accumulation=0.5"); "plain" is warped noise alone.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from warpnoise.compare.experiment.pan import make_pan
from warpnoise.compare.experiment.shot_motion import ShotMotion
from warpnoise.compare.experiment.tasks import OFF
from warpnoise.compare.metrics.coherence import CoherenceMeter, low_band_drift
from warpnoise.job import Result, Settings, Shot
from warpnoise.pipeline import stylize
from warpnoise.sdedit import ModelFolder

sys.path.insert(0, str(Path(__file__).resolve().parent))

from coherence_light import LIGHT_SHOTS, changed_light, picture
from coherence_report import PLAIN, read_lines, write_report

LAGS = (1, 4, 8, 16)
PAN_LAGS = (1, 4, 8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("shots", "pans", "light", "time", "picture", "report"))
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--model", default=Settings().model)
    parser.add_argument("--styles", default="ink", help="names, with commas")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--options", default="plain,balanced")
    parser.add_argument("--frames", type=int, default=18, help="of each shot (default %(default)s)")
    parser.add_argument("--pixels", default="1,2", help="a frame, of pans")
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--page", type=Path)
    arguments = parser.parse_args()
    folders, output = arguments.folders, arguments.output
    if arguments.part == "report":
        write_report(folders, arguments.page)
        return
    output.mkdir(parents=True, exist_ok=True)
    if arguments.part == "shots":
        for style, seed in ((s, int(n)) for s in arguments.styles.split(",") for n in arguments.seeds.split(",")):
            for folder in folders:
                measure_shot(start_of(folder, arguments), folder.name, LAGS, arguments, style, seed)
    elif arguments.part == "pans":
        for folder in folders:
            for pixels in map(int, arguments.pixels.split(",")):
                name, job = f"{folder.name}, pan of {pixels} px", Shot.open(folder / "job")
                place = output / name / "job"
                pan = (
                    Shot.open(place) if place.exists() else make_pan(job, place, pixels, arguments.frames, job.settings)
                )
                for seed in map(int, arguments.seeds.split(",")):
                    measure_shot(pan, name, PAN_LAGS, arguments, arguments.styles.split(",")[0], seed)
    elif arguments.part == "light":
        for style in arguments.styles.split(","):
            measure_light(arguments, style)
    elif arguments.part == "time":
        measure_time(start_of(folders[0], arguments), arguments)
    else:
        draw(start_of(folders[0], arguments), arguments)


def start_of(folder: Path, arguments: argparse.Namespace) -> Shot:
    """The first frames of a shot, as a job in OUTPUT/SHOT/job: only whole shots are accumulated."""
    place = arguments.output / folder.name / "job"
    if not place.exists():
        content = json.loads((folder / "job" / "job.json").read_text())
        content["frames"] = content["frames"][: arguments.frames]
        content["scene"]["frame_end"] = content["frames"][-1]["frame"]
        for kind in ("color", "passes"):
            shutil.copytree(folder / "job" / kind, place / kind)
        (place / "job.json").write_text(json.dumps(content))
    return Shot.open(place)


def settings_of(job: Shot, arguments: argparse.Namespace, style: str, seed: int) -> Settings:
    model = ModelFolder.open(arguments.model)
    return job.settings.updated(
        {"model": arguments.model, "style": style if style in model.styles else None, "seed": seed}
    )


def changes(option: str) -> dict[str, Any]:
    if option == PLAIN:
        return dict(OFF)
    if "=" not in option:
        return {"coherence": option}
    return {**OFF, **{name: float(value) for name, value in (part.split("=") for part in option.split("+"))}}


def measure_shot(
    job: Shot, name: str, lags: Sequence[int], arguments: argparse.Namespace, style: str, seed: int
) -> None:
    """A line for each option that has none."""
    lines = [line for line in read_lines(arguments.output) if line["part"] == arguments.part]
    done = {(line["shot"], line["style"], line["seed"], line["option"]) for line in lines}
    left = [option for option in arguments.options.split(",") if (name, style, seed, option) not in done]
    if not left:
        return
    motion = ShotMotion(job, lags, lambda _: None)
    settings = settings_of(job, arguments, style, seed)
    folder = arguments.output / name / f"{style}-{seed}"
    for option in left:
        result, plain = Result(folder / option), Result(folder / PLAIN)
        stylize(job, settings.updated(changes(option)), result=result, device="cpu", movie=False)
        meter, drifts = CoherenceMeter(motion.lags), []
        for frame, found in motion:
            pixels = picture(result.frame(frame))
            meter.add(pixels, found.values())
            drifts.append(low_band_drift(pixels, picture(plain.frame(frame))) * 255)
        figures = meter.result()
        append(
            arguments,
            shot=name,
            style=style,
            seed=seed,
            option=option,
            frames=len(job.frames),
            warp_error=figures.warp_error,
            incoherence=figures.incoherence,
            gradient_energy=figures.gradient_energy,
            drift=float(np.sqrt(np.mean(np.square(drifts)))),
        )


def measure_light(arguments: argparse.Namespace, style: str) -> None:
    lines = [line for line in read_lines(arguments.output) if line["part"] == "light"]
    done = {(line["shot"], line["style"], line["option"]) for line in lines}
    for name, make in LIGHT_SHOTS.items():
        place = arguments.output / name / "job"
        job = Shot.open(place) if place.exists() else make(place)
        plain = Result(arguments.output / name / style / PLAIN)
        for option in [PLAIN, *(each for each in arguments.options.split(",") if each != PLAIN)]:
            result = Result(arguments.output / name / style / option)
            settings = settings_of(job, arguments, style, 0).updated(changes(option))
            stylize(job, settings, result=result, device="cpu", movie=False)
            if option == PLAIN or (name, style, option) in done:
                continue
            renders, plains, carried = (
                [picture(file(frame)) for frame in job.frames] for file in (job.color, plain.frame, result.frame)
            )
            append(arguments, shot=name, style=style, option=option, **changed_light(renders, plains, carried))


def measure_time(job: Shot, arguments: argparse.Namespace, rounds: int = 3) -> None:
    """Seconds of the CPU a frame: the least of some rounds, kernels being compiled."""
    seconds: dict[str, list[float]] = {}
    settings = settings_of(job, arguments, arguments.styles.split(",")[0], 0)
    for number in range(rounds + 1):
        for option in arguments.options.split(","):
            result = Result(arguments.output / "time" / f"{option}-{number}")
            began = time.process_time()
            stylize(job, settings.updated(changes(option)), result=result, device="cpu", movie=False)
            if number:
                seconds.setdefault(option, []).append((time.process_time() - began) / len(job.frames))
    for option, each in seconds.items():
        append(arguments, shot=job.path.parent.name, option=option, frames=len(job.frames), seconds=min(each))


def draw(job: Shot, arguments: argparse.Namespace) -> None:
    """Some frames of the shot with each option, seed 0: a row for each."""
    frames = [job.frames[index] for index in np.linspace(0, arguments.frames - 1, 4).round().astype(int)]
    folder = arguments.output / job.path.parent.name / f"{arguments.styles.split(',')[0]}-0"
    rows = [
        [picture(Result(folder / option).frame(frame)) for frame in frames] for option in arguments.options.split(",")
    ]
    sheet = np.concatenate([np.concatenate(row, 1) for row in rows], 0)
    cv2.imwrite(
        str(arguments.picture), np.asarray((sheet[..., ::-1] * 255).round(), np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 90]
    )


def append(arguments: argparse.Namespace, **line: Any) -> None:
    model = ModelFolder.open(arguments.model)
    head = {"part": arguments.part, "latent": "vae" in model.parts, "model": model.digest[:12]}
    with (arguments.output / "figures.jsonl").open("a") as file:
        print(json.dumps(head | line), file=file)


if __name__ == "__main__":
    main()
