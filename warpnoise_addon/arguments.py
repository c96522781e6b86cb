"""The arguments of `warpnoise stylize` and `warpnoise export`, the add-on's command line. Imports no bpy."""

from __future__ import annotations

import argparse
from typing import Any

NOISE_METHODS = (
    "warped",
    "random",
    "fixed",
    "bilinear",
    "bicubic",
    "nearest",
    "pyoco-mixed",
    "pyoco-progressive",
    "control-a-video",
    "chained",
)

EXIT_STATUS = """\
exit status:
  0 done   1 anything else   2 bad arguments or settings   3 the scene or the job folder   4 a media file
  5 the model   6 the backend   130 cancelled (Ctrl-C or SIGTERM); finished frames stay
"""
EXAMPLES = """\
examples:
  blender scene.blend --command warpnoise stylize --output JOB
  blender scene.blend --command warpnoise stylize --frames 1:240:2 --output JOB --strength 0.6 --save out.blend
  blender scene.blend --command warpnoise stylize --output JOB --color renders/
  blender scene.blend --command warpnoise stylize --frames 1:240 --chunk 3/10 --output JOB     on one machine of ten
  blender scene.blend --command warpnoise stylize --preview 12 --output JOB --style oil          one frame, to look at
  blender scene.blend --command warpnoise export --frames 1:24 --output JOB     then: warpnoise stylize JOB
"""
# Arguments that are the operator's properties under another name.
_PROPERTIES = {"color": "color_folder", "passes": "passes_folder"}
_OTHERS = ("action", "json", "save", "scene", "exit_with_parent")


def make_parser(program: str) -> argparse.ArgumentParser:
    """The parser. Arguments that are not given are absent from its result: then the scene's own choice holds."""
    parser = argparse.ArgumentParser(
        prog=program,
        description="Stylize an animation with an image diffusion model, without flicker.",
        epilog=EXAMPLES + "\n" + EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="stylize|export")
    stylize = _add_action(
        actions,
        "stylize",
        "render the animation, stylize it, and add the result to the compositor",
        "Without an argument its value is the scene's, as set in the panel Properties > Render > Warpnoise. "
        "The backend is the Python in the variable WARPNOISE_PYTHON, or that of the add-on's preferences.",
    )
    stylize.add_argument("--device", metavar="cuda|mps|cpu", help="what the model runs on")
    stylize.add_argument("--batch", type=_count, metavar="N", help="frames at a time")
    stylize.add_argument("--save", metavar="FILE.blend", help="save the scene with the result in its compositor")
    stylize.add_argument(
        "--connect", action="store_true", help="connect the result even if the compositor has nodes already"
    )
    export = _add_action(
        actions,
        "export",
        "only render the job folder, for `warpnoise stylize JOB`",
        "The settings are written into JOB/job.json.",
    )
    export.add_argument("--exit-with-parent", action="store_true", help="end when standard input is closed")
    return parser


def _add_action(actions: Any, name: str, summary: str, description: str) -> argparse.ArgumentParser:
    parser = actions.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}. {description}",
        epilog=EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    parser.add_argument("--scene", metavar="NAME", help="the scene (the file's active one)")
    parser.add_argument("--frames", metavar="START:END[:STEP]", help="the frames (the scene's range)")
    parser.add_argument("--chunk", metavar="K/N", help="only part K of N equal parts of the frames, for a farm")
    parser.add_argument(
        "--preview",
        type=int,
        metavar="FRAME",
        help="only this frame, into JOB/preview, with the noise of the whole shot",
    )
    parser.add_argument("--output", metavar="JOB", help="the job folder (//warpnoise/SCENE)")
    parser.add_argument("--color", metavar="FOLDER", help="frames that are rendered already, instead of rendering them")
    parser.add_argument("--passes", metavar="FOLDER", help="multilayer EXRs with Depth, Vector and Cryptomatte Object")
    parser.add_argument(
        "--keep-existing",
        action="store_true",
        help="do not render frames again that are in JOB; only right if the scene has not changed",
    )
    settings = parser.add_argument_group("settings")
    settings.add_argument("--model", metavar="M", help="`default`, or the folder of a diffusers model")
    settings.add_argument("--style", metavar="S", help="a style by its name")
    settings.add_argument("--prompt", metavar="P", help="what the frames shall look like")
    settings.add_argument("--negative-prompt", metavar="P", help="what they shall not look like")
    settings.add_argument("--strength", type=_strength, metavar="X", help="0 leaves the render, 1 ignores it (0.5)")
    settings.add_argument(
        "--steps", type=_count, metavar="N", help="denoising steps of the whole schedule (the model's own)"
    )
    settings.add_argument("--guidance", type=_guidance, metavar="X", help="classifier-free guidance (the model's own)")
    settings.add_argument("--texture", type=_fraction, metavar="X", help="unevenness of flat surfaces (model's own)")
    settings.add_argument("--eta", type=_fraction, metavar="X", help="0: DDIM, 1: DDPM (0)")
    settings.add_argument("--seed", type=_seed, metavar="N", help="decides every bit of the noise (0)")
    settings.add_argument("--noise", choices=NOISE_METHODS, metavar="METHOD", help=", ".join(NOISE_METHODS))
    parser.add_argument("--json", action="store_true", help="progress and errors as lines of JSON")
    return parser


def operator_arguments(given: argparse.Namespace) -> dict[str, Any]:
    """The arguments of `bpy.ops.warpnoise.stylize` among those that were given."""
    return {_PROPERTIES.get(name, name): value for name, value in vars(given).items() if name not in _OTHERS}


def _number(text: str, kind: type, least: float, most: float, least_excluded: bool = False) -> Any:
    expected = f"expected a number {'above' if least_excluded else 'from'} {least:g} to {most:g}, got {text!r}"
    try:
        value = kind(text)
    except ValueError:
        raise argparse.ArgumentTypeError(expected) from None
    if not least <= value <= most or (least_excluded and value == least):
        raise argparse.ArgumentTypeError(expected)
    return value


def _strength(text: str) -> float:
    return _number(text, float, 0.0, 1.0, least_excluded=True)


def _fraction(text: str) -> float:
    return _number(text, float, 0.0, 1.0)


def _guidance(text: str) -> float:
    return _number(text, float, 0.0, 1000.0)


def _count(text: str) -> int:
    return _number(text, int, 1, 10_000)


def _seed(text: str) -> int:
    return _number(text, int, 0, 2**31 - 1)
