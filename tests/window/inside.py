"""Run by Blender at its start: a small animation, one editor that fills the window, a report of what goes on.

blender --python inside.py -- FOLDER [--mark] [--sidebar]

FOLDER/state.json is replaced four times a second. With ``--mark`` buttons have a colour that nothing else has, so that
they are found on a picture of the screen wherever Blender draws them. The editor is the scene's properties; with
``--sidebar`` the image editor and its sidebar.
"""

import json
import sys
from pathlib import Path

import bpy

MODULE = "bl_ext.user_default.warpnoise"
FRAMES = 8
SIZE = 64
MARK = (1.0, 0.0, 1.0, 1.0)

folder, *flags = sys.argv[sys.argv.index("--") + 1 :]
folder = Path(folder)
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
    scene.warpnoise.steps = 10
    scene.warpnoise.output = str(folder / "job")
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "scene.blend"))


def arrange() -> None:
    """One editor, as large as the window."""
    preferences = bpy.context.preferences
    preferences.view.show_splash = False
    preferences.use_preferences_save = False
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "PROPERTIES")
    if "--sidebar" in flags:
        area.type = "IMAGE_EDITOR"
        area.spaces.active.show_region_ui = True
    else:
        area.spaces.active.context = "RENDER"
    with bpy.context.temp_override(window=window, area=area):
        bpy.ops.screen.screen_full_area(use_hide_panels=False)


def mark_buttons() -> None:
    colors = bpy.context.preferences.themes[0].user_interface.wcol_tool
    colors.inner = colors.inner_sel = MARK


def report() -> float:
    global ticks
    ticks += 1
    if "--sidebar" in flags and ticks == 2:  # its tabs are there once it was drawn
        area = bpy.context.window_manager.windows[0].screen.areas[0]
        next(region for region in area.regions if region.type == "UI").active_panel_category = "Warpnoise"
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
