"""The models that clients can name: the default one, and those in the folder of ``warpnoise serve --models``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from warpnoise.errors import ModelError, WarpnoiseError
from warpnoise.sdedit import ModelFolder
from warpnoise.server.schema import ModelView

DEFAULT = "default"


def named_models(folder: Path | None) -> tuple[ModelView, ...]:
    """All that can be named and used. They are looked for anew each time, so that one can be added."""
    return tuple(view for name, path in _candidates(folder) if (view := _view(name, path)) is not None)


def find_model(name: str, folder: Path | None, only_named: bool) -> str:
    """What `ModelFolder.open` takes for ``name``: that of a model in ``folder``, ``default``, or a path.

    Raises:
        ModelError: ``only_named`` and there is no such name.
    """
    found = dict(_candidates(folder)).get(name)
    if found is not None:
        return found
    if only_named:
        names = ", ".join(view.name for view in named_models(folder)) or "none"
        raise ModelError(f"This server has no model {name!r}. It has: {names}. `warpnoise serve --models` adds more.")
    return name


def _candidates(folder: Path | None) -> Iterator[tuple[str, str]]:
    yield DEFAULT, DEFAULT
    if folder is not None and folder.is_dir():
        for path in sorted(folder.iterdir()):
            if (path / "model_index.json").is_file() and path.name != DEFAULT:
                yield path.name, str(path.resolve())


def _view(name: str, path: str) -> ModelView | None:
    try:
        model = ModelFolder.open(path)
    except WarpnoiseError:
        return None
    return ModelView(name=name, styles=list(model.styles), prompt=model.takes_prompt)
