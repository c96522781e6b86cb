"""Run by Blender at its start: a small animation, one editor that fills the window, a report of what goes on.

blender --python in_the_window.py -- FOLDER [--mark] [--models] [--sidebar | --compositor | --preferences]

FOLDER/state.json is replaced four times a second. With ``--mark`` buttons have a colour that nothing else has, so that
they are found on a picture of the screen wherever Blender draws them. The editor is the scene's properties; with the
other flags the image editor or the compositor with the sidebar, or the add-on's preferences. ``--models`` lists the
models, and adds a LoRA and a ControlNet.
"""

import json
import sys
from pathlib import Path
from typing import Any

import addon_utils
import bpy

MODULE = "bl_ext.user_default.warpnoise"
FRAMES = 16
SIZE = 64
MARK = (1.0, 0.0, 1.0, 1.0)
EDITORS = {"--sidebar": "IMAGE_EDITOR", "--compositor": "CompositorNodeTree", "--preferences": "PREFERENCES"}

name, *flags = sys.argv[sys.argv.index("--") + 1 :]
folder = Path(name)
editor = next((EDITORS[flag] for flag in flags if flag in EDITORS), "")
session = sys.modules[f"{MODULE}.warpnoise_addon.stylize.state"]
ticks = 0


def build_scene() -> None:
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 2
    scene.cycles.use_denoising = False
    scene.render.resolution_x = scene.render.resolution_y = SIZE
    scene.frame_start, scene.frame_end = 1, FRAMES
    cube = bpy.data.objects["Cube"]
    for frame, turn in ((1, 0.0), (FRAMES, 0.5)):
        cube.rotation_euler.z = turn
        cube.keyframe_insert("rotation_euler", frame=frame)
    # On a busy machine too there must be frames left when a button was pressed, or the window closed.
    scene.warpnoise.use_steps, scene.warpnoise.steps = True, 120
    scene.warpnoise.output = str(folder / "job")
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "scene.blend"))


def arrange() -> None:
    """One editor, as large as the window."""
    preferences = bpy.context.preferences
    preferences.view.show_splash = False
    preferences.use_preferences_save = False
    window = bpy.context.window_manager.windows[0]
    full = window.screen.show_fullscreen  # as it was when the file was saved
    area = next(area for area in window.screen.areas if full or area.type == "PROPERTIES")
    area.ui_type = editor or "PROPERTIES"
    if editor == "PREFERENCES":
        preferences.active_section = "ADDONS"
        bpy.context.window_manager.addon_search = "Warpnoise"
    elif editor:
        area.spaces.active.show_region_ui = True
    else:
        area.spaces.active.context = "RENDER"
    if full:
        return
    with bpy.context.temp_override(window=window, area=area):
        bpy.ops.screen.screen_full_area(use_hide_panels=False)


def mark_buttons() -> None:
    colors: Any = bpy.context.preferences.themes[0].user_interface.wcol_tool
    colors.inner = colors.inner_sel = MARK


def unfold() -> None:
    """Shows the add-on's own part of the editor. It is there only once the editor was drawn."""
    window = bpy.context.window_manager.windows[0]
    area = window.screen.areas[0]
    regions: dict[str, Any] = {region.type: region for region in area.regions}
    if editor == "PREFERENCES":
        utils: Any = addon_utils
        listed = next(module for module in utils.modules(refresh=False) if module.__name__ == MODULE)
        utils.module_bl_info(listed)["show_expanded"] = True
        area.tag_redraw()
    elif editor:
        regions["UI"].active_panel_category = "Warpnoise"
    if editor == EDITORS["--compositor"]:
        with bpy.context.temp_override(window=window, area=area, region=regions["WINDOW"]):
            bpy.ops.node.view_all()
            for _ in range(5):
                bpy.ops.view2d.zoom_out()  # the sidebar lies over the nodes
            bpy.ops.view2d.pan(deltax=110, deltay=-60)


def list_models() -> None:
    window = bpy.context.window_manager.windows[0]
    area = window.screen.areas[0]
    settings = window.scene.warpnoise
    settings.model = "stabilityai/stable-diffusion-xl-base-1.0"
    lora = folder / "loras" / "ink-sketch.safetensors"
    lora.parent.mkdir(exist_ok=True)
    lora.touch()  # a path that is not there is drawn red
    settings.loras.add().path = "//loras/ink-sketch.safetensors"
    settings.loras[0].weight = 0.8
    settings.controls.add().path = "xinsir/controlnet-union-sdxl-1.0"
    region = next(region for region in area.regions if region.type == "UI")
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.warpnoise.list_models("INVOKE_DEFAULT")  # type: ignore[attr-defined]


def report() -> float:
    global ticks
    ticks += 1
    if ticks == 2:
        unfold()
    if ticks == 6 and "--models" in flags:
        list_models()
    scene, status = bpy.context.window_manager.windows[0].scene, session.last
    tree = getattr(scene, "compositing_node_group", None) or getattr(scene, "node_tree", None)
    state = {
        "ticks": ticks,
        "stage": status.stage,
        "running": session.running() is not None,
        "ended": session.running() is None and status.over,
        "frames_done": status.frames_done,
        "frames_kept": status.frames_kept,
        "error": status.error,
        "frame": scene.frame_current,
        "groups": [node.node_tree.name for node in tree.nodes if node.type == "GROUP"] if tree else [],
    }
    beside = folder / ".state.json"
    beside.write_text(json.dumps(state), encoding="utf-8")
    beside.replace(folder / "state.json")
    return 0.25


if not (folder / "scene.blend").exists():
    build_scene()
arrange()
if "--mark" in flags:
    mark_buttons()
bpy.app.timers.register(report, persistent=True)
