"""``warpnoise ingest``: reads and converts existing frames for Blender's exporter, which starts it."""

from __future__ import annotations

import sys

import click


@click.command("ingest", hidden=True)
def command() -> None:
    """Read, check and convert existing frames for the Blender extension.

    Requests on standard input and answers on standard output are lines of JSON (docs/architecture.md). The command
    ends when standard input closes.
    """
    from warpnoise.ingest import serve

    serve(sys.stdin, sys.stdout)
