"""The options of ``warpnoise serve``."""

from __future__ import annotations

from pathlib import Path

from pydantic import field_validator

from warpnoise.media.validation import Options, setting


class ServeOptions(Options):
    """Where the server listens, and what it does for its clients."""

    host: str = setting("127.0.0.1", "Host", "The address to listen on")
    port: int = setting(0, "Port", "The port; 0 chooses a free one", ge=0, le=65535)
    token_file: Path | None = setting(
        None,
        "Token File",
        "A file of mode 0600 that holds the token",
        null="the token in WARPNOISE_TOKEN, or else in a file in the user's state folder. The server creates that file "
        "if it is missing, and prints its path",
    )
    uploads: Path | None = setting(
        None,
        "Uploads",
        "A folder for job folders that clients on other machines send. The server then works only on these",
    )
    uploads_days: float = setting(7.0, "Uploads Days", "Delete uploads that no client has used for so many days", gt=0)
    uploads_size: float | None = setting(
        None, "Uploads Size", "The largest size of all uploads together, in GB", gt=0, null="the size of the disk"
    )
    models: Path | None = setting(
        None,
        "Models",
        "The models folder. Clients choose its models by name",
        null="WARPNOISE_MODELS, or else the user's folder",
    )
    downloads: bool = setting(
        False,
        "Downloads",
        "With --uploads, allow clients to download models from the Hugging Face hub into the models folder, and to "
        "remove them. Without --uploads, this is always allowed",
    )
    keep_model: float = setting(
        10.0, "Keep Model", "How long the last model stays in main memory", ge=0, metavar="MINUTES"
    )
    announce: bool = setting(False, "Announce", "Print a line of JSON with the host and the port when ready")
    exit_with_parent: bool = setting(False, "Exit with Parent", "End when standard input is closed")

    @field_validator("models")
    @classmethod
    def _is_there(cls, folder: Path | None) -> Path | None:
        if folder is not None and not folder.is_dir():
            raise ValueError(f"there is no folder {folder}")
        return folder
