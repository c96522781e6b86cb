"""``warpnoise serve``: the process that the add-on talks to."""

from __future__ import annotations

import os
from typing import Any

import click

from warpnoise.cli.shared_options import needs_extra, options_of
from warpnoise.sdedit.places import MODELS_VARIABLE
from warpnoise.server.serve_options import ServeOptions


@click.command("serve")
@options_of(ServeOptions)
def serve_command(chosen: dict[str, Any]) -> None:
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
    options = ServeOptions(**chosen)
    if options.models is not None:
        os.environ[MODELS_VARIABLE] = str(options.models.resolve())
    with needs_extra("serve"):
        from warpnoise.server.serve import serve
    serve(options)
