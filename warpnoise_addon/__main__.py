"""The add-on's command without Blender's program, in a Python that has the bpy wheel:

python -m warpnoise_addon FILE.blend stylize --frames 1-24 --output JOB
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

from .arguments import ACTIONS, make_parser

PROGRAM = "python -m warpnoise_addon FILE.blend"
USAGE = """\
usage: python -m warpnoise_addon FILE.blend stylize|export|compositor ...

Opens FILE.blend in the bpy module and does to it what `blender FILE.blend --command warpnoise` does.
`python -m warpnoise_addon stylize --help` shows the arguments.
"""


def main(arguments: list[str]) -> int:
    """Open the file, run the command, and return the exit status (docs/architecture.md)."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE, end="", file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    if arguments[0] in ACTIONS and not {"-h", "--help"} & set(arguments):
        print(f"warpnoise: the file is missing\n{USAGE}", end="", file=sys.stderr)
        return 2
    file, *rest = arguments if arguments[0] not in ACTIONS else ("", *arguments)
    try:
        make_parser(PROGRAM).parse_args(rest)  # before anything is loaded
    except SystemExit as end:
        return int(end.code or 0)
    path = Path(file).absolute()
    if not path.is_file():
        print(f"warpnoise: there is no file {path}", file=sys.stderr)
        return 2
    import bpy

    from . import command, register, unregister

    try:
        bpy.ops.wm.open_mainfile(filepath=str(path), load_ui=False)
    except RuntimeError as error:
        print(f"warpnoise: {path} cannot be opened: {error}", file=sys.stderr)
        return 2
    register()
    try:
        return command.run(rest, PROGRAM)
    finally:
        unregister()


def _leave(status: int) -> NoReturn:
    """Ends the process without Blender's end.

    The bpy modules 4.2 and 4.5 can crash while they free unregistered classes, when all work is done.
    """
    if "bpy" in sys.modules:
        session = Path(sys.modules["bpy"].app.tempdir)
        if session.name.startswith("blender_"):
            shutil.rmtree(session, ignore_errors=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    _leave(main(sys.argv[1:]))
