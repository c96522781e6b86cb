"""Where Set Up puts its environments: in the extension's user folder, never in the extension itself."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..errors import WarpnoiseError
from ..package import ADDON
from ..setup.environments import Environments
from ..setup.install import update_plan
from ..setup.package import brought_package
from ..setup.plan import Plan


def environments() -> Environments:
    """Those of this Blender's user. The folder need not be there."""
    try:
        folder = bpy.utils.extension_path_user(ADDON, path="environments")
    except ValueError:  # it runs without being installed as an extension
        folder = str(Path(bpy.utils.user_resource("DATAFILES")) / "warpnoise" / "environments")
    return Environments(Path(folder))


def managed_python() -> str:
    """The folder of the environment that was set up; "": there is none."""
    current = environments().current
    return str(environments().path(current)) if current is not None else ""


def managed_update() -> Plan | None:
    """The plan that updates the environment to this extension's backend; None: it is up to date."""
    try:
        return update_plan(environments(), brought_package(), bpy.app.online_access)
    except WarpnoiseError:  # without a wheel there is nothing to update to
        return None
