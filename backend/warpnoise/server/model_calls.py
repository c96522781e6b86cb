"""The calls about models: lists, downloads, a check of settings, and freeing the kept model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel

from warpnoise.errors import HubError
from warpnoise.hub.download import check_license
from warpnoise.hub.listing import InstalledModel, ModelList, OfferedModel, describe, describe_offer, list_models
from warpnoise.hub.remote import look_up
from warpnoise.hub.store import remove
from warpnoise.sdedit.one_file import set_base
from warpnoise.sdedit.places import resolve
from warpnoise.server.app import body_of
from warpnoise.server.downloads import Downloads
from warpnoise.server.schema import Body, DownloadView, SettingsToCheck


class NewDownload(Body):
    """Of ``POST /v2/downloads``. ``license``: the one that the user agreed to. ``online``: whether the user lets
    programs go online."""

    name: str
    license: str
    online: bool = False


class NewBase(Body):
    """Of ``POST /v2/models/base``. ``model``: a file, by its path or its name in the models folder. ``base``: a folder,
    or the id of a downloaded model."""

    model: str
    base: str


class Checked(BaseModel):
    """The warnings about settings, and the model that they name."""

    warnings: list[str]
    model: InstalledModel


def model_calls(
    downloads: Downloads,
    free: Callable[[], bool],
    check: Callable[[SettingsToCheck], Checked],
    *,
    allowed: bool,
    own: bool,
) -> APIRouter:
    """The calls.

    Args:
        free: lets go of the kept model; False while a job uses it.
        check: of ``POST /v2/check``.
        allowed: whether clients may download and remove models.
        own: whether the clients are this machine's user: they see paths, and the Hugging Face cache.
    """
    router = APIRouter()

    @router.get("/v2/models")
    def get_models() -> ModelList:
        models = list_models(cache=own)
        return models.model_copy(update={"downloads": allowed, "folder": models.folder if own else None})

    @router.get("/v2/models/hub/{owner}/{name}")
    def get_offer(owner: str, name: str, online: bool = False) -> OfferedModel:
        _check_allowed(allowed, online)
        return describe_offer(look_up(f"{owner}/{name}"))

    @router.delete("/v2/models/hub/{owner}/{name}")
    def delete_model(owner: str, name: str) -> dict[str, str | int]:
        _check_allowed(allowed, online=True)
        if not free():
            raise HubError("A job uses the backend's model. Wait until it is done, or cancel it, then remove.", "busy")
        return {"removed": f"{owner}/{name}", "freed": remove(f"{owner}/{name}")}

    @router.post("/v2/models/base")
    def post_base(request: Annotated[NewBase, Depends(body_of(NewBase))]) -> InstalledModel:
        if not own:
            raise HTTPException(403, "This server's models have their bases from whoever runs it.")
        set_base(resolve(request.model, "model"), request.base)
        return describe(request.model)

    @router.post("/v2/models/free")
    def free_model() -> dict[str, bool]:
        return {"freed": free()}

    @router.post("/v2/downloads", status_code=201)
    def post_download(request: Annotated[NewDownload, Depends(body_of(NewDownload))]) -> DownloadView:
        _check_allowed(allowed, request.online)
        offer = look_up(request.name)
        check_license(offer, request.license)
        return downloads.start(offer, request.license)

    @router.get("/v2/downloads")
    def get_downloads() -> dict[str, list[DownloadView]]:
        return {"downloads": downloads.all()}

    router.get("/v2/downloads/{name}", response_model=DownloadView)(downloads.get)
    router.post("/v2/downloads/{name}/cancel", status_code=202, response_model=DownloadView)(downloads.cancel)

    @router.post("/v2/check")
    def check_call(request: Annotated[SettingsToCheck, Depends(body_of(SettingsToCheck))]) -> Checked:
        return check(request)

    return router


def _check_allowed(allowed: bool, online: bool) -> None:
    if not allowed:
        raise HTTPException(
            403, "This server does not download or remove models. `warpnoise serve --downloads` allows it."
        )
    if not online:
        raise HubError(
            "Online access is off. Enable it to download models; in Blender: Preferences, System, Allow Online Access.",
            "offline",
        )
