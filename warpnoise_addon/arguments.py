"""The arguments of `warpnoise stylize`, `export` and `compositor`, the add-on's command line. Imports no bpy."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable
from functools import partial
from typing import Any

from .errors import SettingsError
from .settings import MEMORY, RUN_OPTIONS, SETTINGS, Setting

EXIT_STATUS = """\
exit status:
  0 success   1 any error not listed here   2 wrong arguments or settings   130 cancelled (Ctrl-C or SIGTERM)
  a problem with: 3 the scene or the job folder   4 a media file   5 the model   6 the backend
  Finished frames are kept.
"""
EXAMPLES = """\
examples:
  blender scene.blend --command warpnoise stylize --output JOB
  blender scene.blend --command warpnoise stylize --frames 1-240:2 --output JOB --strength 0.6 --save out.blend
  blender scene.blend --command warpnoise stylize --output JOB --color renders/
  blender scene.blend --command warpnoise stylize --frames 1-240 --chunk 3/10 --output JOB     on one machine of ten
  blender scene.blend --command warpnoise stylize --preview 12 --output JOB --style oil          preview one frame
  blender scene.blend --command warpnoise export --frames 1-24 --output JOB     then: warpnoise stylize JOB
  blender scene.blend --command warpnoise export --frames ALL --only 13-24 --output JOB      only frames 13 to 24
  blender scene.blend --command warpnoise compositor --output JOB --save out.blend            add the result in use
"""
ACTIONS = ("stylize", "export", "compositor")
_JOB = ("frames", "only", "chunk", "preview", "size", "color_folder", "passes_folder", "keep_existing")
_METAVARS = {"integer": "N", "number": "X", "string": "TEXT", "array": "VALUE[,KEY=VALUE...]"}
NO_ITEMS = "none"  # in place of a list's item; a file of that name is ./none
_OTHERS = ("action", "progress", "save", "scene", "exit_with_parent")


def make_parser(program: str) -> argparse.ArgumentParser:
    """The parser. Arguments that are not given are absent from its result: then the scene's own choice holds."""
    parser = argparse.ArgumentParser(
        prog=program,
        description="Stylize an animation with an image diffusion model, without flicker.",
        epilog=EXAMPLES + "\n" + EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="|".join(ACTIONS))
    stylize = _add_action(
        actions,
        "stylize",
        "render the animation, stylize it, and add the result to the compositor",
        "Arguments that you leave out are taken from the scene, as set in the panel Properties > Render > Warpnoise. "
        "The backend is the Python in the variable WARPNOISE_PYTHON, or else in the add-on's preferences.",
        *_JOB,
        "connect",
        "device",
        "batch",
        *MEMORY,
    )
    stylize.add_argument("--save", metavar="FILE.blend", help="save the scene with the result in its compositor")
    export = _add_action(
        actions,
        "export",
        "only render the job folder, for `warpnoise stylize JOB`",
        "The settings are written into JOB/job.json. With --only or --chunk, only the pictures and passes of these "
        "frames are rendered, and job.json lists the frames up to the first one that no machine has rendered.",
        *_JOB,
    )
    export.add_argument(
        "--earlier-motion",
        action="store_true",
        help="with --only or --chunk, also render the motion of earlier frames, so that these can be stylized at once",
    )
    export.add_argument("--exit-with-parent", action="store_true", help="end when standard input is closed")
    description = "This renders nothing and needs no backend."
    compositor = _add_action(actions, "compositor", "add the result in use to the compositor", description, "connect")
    compositor.add_argument("--save", metavar="FILE.blend", required=True, help="save the scene under this name")
    return parser


def _add_value(parser: Any, setting: Setting) -> None:
    many = setting.kind == "array"
    parser.add_argument(
        setting.option,
        dest=setting.name,
        action="append" if many else "store",
        type=partial(_parse, partial(_item, setting) if many else setting.parse),
        metavar=setting.hints.get("metavar", "NAME" if setting.choices else _METAVARS.get(setting.kind, "X")),
        help=_help(setting),
    )


def _add_action(actions: Any, name: str, summary: str, description: str, *options: str) -> argparse.ArgumentParser:
    """``options``: names of a run's options. With those of a job come the settings."""
    parser: argparse.ArgumentParser = actions.add_parser(
        name,
        help=summary,
        description=textwrap.fill(f"{summary[0].upper()}{summary[1:]}. {description}", 100),
        epilog=EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    parser.add_argument("--scene", metavar="NAME", help="the scene; default: the active one")
    for option in (RUN_OPTIONS[name] for name in ("output", *options)):
        if option.kind == "boolean":
            parser.add_argument(option.option, dest=option.name, action="store_true", help=_help(option))
        else:
            _add_value(parser, option)
    if set(_JOB) <= set(options):
        group = parser.add_argument_group("settings")
        for setting in SETTINGS.values():
            _add_value(group, setting)
    kinds = parser.add_mutually_exclusive_group()
    for kind, text in (("json", "lines of JSON"), ("openjd", "lines for Open Job Description")):
        text = f"print progress and errors as {text}"
        kinds.add_argument(f"--{kind}", dest="progress", action="store_const", const=kind.upper(), help=text)
    return parser


def operator_arguments(parsed: argparse.Namespace) -> dict[str, Any]:
    """The arguments of `bpy.ops.warpnoise.stylize` among those that were given."""
    return {
        name: _property(SETTINGS[name], value) if name in SETTINGS else value
        for name, value in vars(parsed).items()
        if name not in _OTHERS
    }


def _item(setting: Setting, text: str) -> dict[str, Any] | None:
    return None if text == NO_ITEMS else setting.parse_item(text)


def _property(setting: Setting, value: Any) -> Any:
    return setting.to_property([item for item in value if item is not None] if setting.kind == "array" else value)


def _parse(parse: Callable[[str], Any], text: str) -> Any:
    try:
        return parse(text)
    except SettingsError as error:
        raise argparse.ArgumentTypeError(str(error).partition(": ")[2] or str(error)) from None


def _help(setting: Setting) -> str:
    """Sentences: what it does, the choices, the default."""
    word = setting.description.partition(" ")[0]
    text = setting.description if word[1:] != word[1:].lower() else word.lower() + setting.description[len(word) :]
    sentences = [text.rstrip(".")]
    if setting.choices:
        sentences.append("Choices: " + ", ".join(choice[0] for choice in setting.choices))
    default = setting.null or (setting.text(setting.default) if setting.default not in (None, "", False) else "")
    if default:
        sentences.append(f"Default: {default}")
    if setting.kind == "array":
        sentences.append(f'Repeat the option to use several; "{NO_ITEMS}" leaves out those of the scene')
    return ". ".join(sentences).replace("%", "%%")
