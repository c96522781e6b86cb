"""The operator that writes a server's token into a private file, so that it is neither in preferences nor in a log.

Blender reads the annotations when it registers the class, so they must not be postponed.
"""

from pathlib import Path

import bpy
from bpy.props import StringProperty

from ..atomic import atomic_write
from ..errors import SettingsError
from .preferences import preferences
from .texts import sentence

FILE = "warpnoise-token"


class WARPNOISE_OT_enter_token(bpy.types.Operator):
    """Write the server's token into a file that only you can read, and name that file here"""

    bl_idname = "warpnoise.enter_token"
    bl_label = "Enter the Token"
    bl_options = {"INTERNAL"}  # noqa: RUF012  without REGISTER: what is entered is in no log

    token: StringProperty(
        name="Token",
        description="What `warpnoise serve` has in its token file",
        subtype="PASSWORD",
        options={"SKIP_SAVE", "HIDDEN"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return preferences(context) is not None

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_props_dialog(self, width=420)

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.prop(self, "token")
        self.layout.label(text=f"It is written to {token_path()}")

    def execute(self, context: bpy.types.Context) -> set[str]:
        token, self.token = self.token.strip(), ""
        try:
            write_token(token_path(), token)
        except SettingsError as error:
            self.report({"ERROR"}, sentence(str(error)))
            return {"CANCELLED"}
        preferences(context).token_file = str(token_path())
        return {"FINISHED"}


def token_path() -> Path:
    """In the folder of Blender's own user configuration."""
    return Path(bpy.utils.user_resource("CONFIG")) / FILE


def write_token(path: Path, token: str) -> None:
    """A file of mode 0600 from its first byte on, written beside and renamed.

    Raises:
        SettingsError: not a token, or the file cannot be written.
    """
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise SettingsError("expected a token: visible ASCII characters without spaces")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, f"{token}\n", private=True)
    except OSError as error:
        raise SettingsError(f"the token file {path} cannot be written: {error.strerror}") from None
