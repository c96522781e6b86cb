"""Blender's name for this add-on: the extension's (`bl_ext.user_default.warpnoise`), or this package's."""

ADDON = __package__.rpartition(".warpnoise_addon")[0] or __package__
