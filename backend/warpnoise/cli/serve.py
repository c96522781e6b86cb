"""``warpnoise serve``: the process that the add-on talks to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from warpnoise.cli.shared_options import needs_extra


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="The port; 0 chooses a free one."
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file of mode 0600 that holds the token. Default: the token in WARPNOISE_TOKEN, or else in a file in the "
    "user's state folder. The server creates that file if it is missing, and prints its path.",
)
@click.option(
    "--uploads",
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder for job folders that clients on other machines send. The server then works only on these.",
)
@click.option(
    "--uploads-days",
    type=click.FloatRange(0, min_open=True),
    default=7.0,
    show_default=True,
    help="Delete uploads that no client has used for this many days.",
)
@click.option(
    "--uploads-size",
    type=click.FloatRange(0, min_open=True),
    help="The largest size of all uploads together, in GB. Default: the size of the disk.",
)
@click.option(
    "--models",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="The models folder. Clients choose its models by name. Default: WARPNOISE_MODELS, or else the user's folder.",
)
@click.option(
    "--downloads",
    is_flag=True,
    help="With --uploads, allow clients to download models from the Hugging Face hub into the models folder, and to "
    "remove them. Without --uploads, this is always allowed.",
)
@click.option(
    "--keep-model",
    type=click.FloatRange(0),
    default=10.0,
    show_default=True,
    metavar="MINUTES",
    help="How long the last model stays in main memory, in minutes.",
)
@click.option("--announce", is_flag=True, help="Print a line of JSON with the host and the port when ready.")
@click.option("--exit-with-parent", is_flag=True, help="End when standard input is closed.")
def serve_command(
    models: Path | None, uploads_days: float, uploads_size: float | None, keep_model: float, **options: Any
) -> None:
    """Serve jobs over HTTP, one at a time. Blender starts this command itself.

    Every request needs the token. To stop the server, use Ctrl-C, SIGTERM or the shutdown call. The running job then
    ends after the current step, and its finished frames are kept.

    \b
    Examples:
      warpnoise serve                                     on any free port of this machine
      WARPNOISE_TOKEN=... warpnoise serve --port 7820     with a token from the environment
      warpnoise serve --port 7820 --token-file ~/.warpnoise-token
      warpnoise serve --port 7820 --uploads /srv/warpnoise --models ~/models      for other machines: docs/backend.md
    """
    with needs_extra("serve"):
        from warpnoise.sdedit.places import MODELS_VARIABLE
        from warpnoise.server.schema import UploadLimits
        from warpnoise.server.serve import ServeOptions, serve

    if models is not None:
        os.environ[MODELS_VARIABLE] = str(models.resolve())
    limits = UploadLimits(days=uploads_days, total=None if uploads_size is None else round(uploads_size * 1e9))
    serve(ServeOptions(upload_limits=limits, idle_seconds=keep_model * 60, **options))
