"""Stylized frames in the compositor: the right frame, its colours, its alpha, and nobody's nodes touched."""

from __future__ import annotations

import json
from pathlib import Path

import bpy
import numpy as np
import pytest

from warpnoise_addon import compat
from warpnoise_addon.compositor import add_stylized
from warpnoise_addon.compositor.colorspace import view_inverse
from warpnoise_addon.errors import JobFolderError

from ..result_files import frames_of, write_result

W, H = 48, 32
LEVELS = 2 / 255


@pytest.fixture
def scene() -> bpy.types.Scene:
    """A scene of its own whose render is plain, so that what is seen comes from the compositor."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.collection.objects.link(camera := bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera")))
    scene.camera = camera
    scene.world = bpy.data.worlds.new("World")
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 1
    scene.cycles.use_denoising = False
    scene.render.resolution_x, scene.render.resolution_y = W, H
    scene.render.dither_intensity = 0.0
    scene.render.film_transparent = True
    scene.view_settings.view_transform = "Standard"
    return scene


def write_png(scene: bpy.types.Scene, path: Path, linear: np.ndarray) -> None:
    """What the scene's view makes of (H, W, 4) straight-alpha scene-linear values, as a 16-bit PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = bpy.data.images.new("fixture", W, H, alpha=True, float_buffer=True)
    premultiplied = linear.copy()
    premultiplied[..., :3] *= linear[..., 3:]
    image.pixels.foreach_set(np.ascontiguousarray(premultiplied, np.float32).ravel())
    settings = scene.render.image_settings
    before = compat.image_settings_values(settings)
    for name, value in compat.png16(settings, transparent=True).items():
        setattr(settings, name, value)
    image.save_render(str(path), scene=scene)
    for name, value in before.items():
        setattr(settings, name, value)
    bpy.data.images.remove(image)


def read_png(path: Path) -> np.ndarray:
    """(H, W, 4) values of the file, as they are."""
    image = bpy.data.images.load(str(path), check_existing=False)
    image.colorspace_settings.name = "Non-Color"
    image.alpha_mode = "CHANNEL_PACKED"
    values = np.empty(W * H * 4, np.float32)
    image.pixels.foreach_get(values)
    bpy.data.images.remove(image)
    return values.reshape(H, W, 4)


def colors(seed: int, alpha: bool = True) -> np.ndarray:
    """Scene-linear colours of every hue and eleven stops, saturation up to 0.7; alpha in blocks of 8 columns."""
    rng = np.random.default_rng(seed)
    hue = rng.random((H, W, 3))
    saturation = rng.uniform(0, 0.7, (H, W, 1))
    linear = ((1 - saturation) + saturation * hue / hue.max(-1, keepdims=True)) * 2.0 ** rng.uniform(-8, 3, (H, W, 1))
    opacity = np.repeat([1.0, 0.75, 0.25, 1.0, 0.0, 0.5], 8)[None, :, None] if alpha else np.ones((1, W, 1))
    return np.concatenate([linear, np.broadcast_to(opacity, (H, W, 1))], -1)


def make_job(scene, folder: Path, first=1, last=3, step=1, alpha=True) -> Path:
    write_result(folder)
    for frame in range(first, last + 1, step):
        name = f"{'-' if frame < 0 else ''}{abs(frame):04d}.png"
        write_png(scene, frames_of(folder) / name, colors(frame + 1000, alpha))
    job = {"schema": 2, "scene": {"frame_start": first, "frame_end": last, "frame_step": step}}
    (folder / "job.json").write_text(json.dumps(job))
    return folder


def render(scene, frame: int, path: Path) -> np.ndarray:
    settings = scene.render.image_settings
    for name, value in compat.png16(settings, transparent=True).items():
        setattr(settings, name, value)
    scene.frame_set(frame)
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    return read_png(path)


def same(shown: np.ndarray, expected: np.ndarray) -> None:
    """Equal within 2/255 where something is seen, and in alpha everywhere."""
    np.testing.assert_allclose(shown[..., 3], expected[..., 3], atol=LEVELS)
    seen = expected[..., 3] > 0
    difference = np.abs(shown - expected)[seen]
    assert difference.max() <= LEVELS, f"largest difference {difference.max() * 255:.2f}/255"


@pytest.mark.parametrize("view", ["Standard", "AgX", "Filmic"])
def test_factor_1_shows_the_stylized_frame(scene, tmp_path, view):
    scene.view_settings.view_transform = view
    job = make_job(scene, tmp_path / "job", first=5, last=7)
    added = add_stylized(scene, job)
    assert added.connected and added.warnings == ()
    for frame in (5, 7):
        shown = render(scene, frame, tmp_path / f"out{frame}.png")
        same(shown, read_png(frames_of(job) / f"{frame:04d}.png"))


def test_exposure_is_undone(scene, tmp_path):
    scene.view_settings.exposure = 1.5
    job = make_job(scene, tmp_path / "job")
    assert add_stylized(scene, job).warnings == ()
    same(render(scene, 2, tmp_path / "out.png"), read_png(frames_of(job) / "0002.png"))


def test_outside_the_jobs_frames_the_render_goes_through(scene, tmp_path):
    job = make_job(scene, tmp_path / "job", first=5, last=6)
    added = add_stylized(scene, job)
    for frame in (4, 7):
        assert render(scene, frame, tmp_path / f"out{frame}.png")[..., 3].max() == 0.0
    assert added.group.nodes["Stylized Sequence"].frame_duration == 2


def test_a_frame_step_holds_each_frame_until_the_next(scene, tmp_path):
    job = make_job(scene, tmp_path / "job", first=10, last=16, step=3, alpha=False)
    add_stylized(scene, job)
    for frame, file in ((10, 10), (11, 10), (12, 10), (13, 13), (15, 13), (16, 16), (18, 16)):
        same(render(scene, frame, tmp_path / f"out{frame}.png"), read_png(frames_of(job) / f"{file:04d}.png"))
    assert render(scene, 19, tmp_path / "out19.png")[..., 3].max() == 0.0


def test_five_digits(scene, tmp_path):
    job = make_job(scene, tmp_path / "job", first=9999, last=10000)
    add_stylized(scene, job)
    same(render(scene, 10000, tmp_path / "out.png"), read_png(frames_of(job) / "10000.png"))


def test_factor_mixes_color_and_alpha(scene, tmp_path):
    scene.render.film_transparent = False
    if scene.world.node_tree is None:  # from 5.0 a world always has one, and saying so is deprecated
        scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.2, 0.4, 0.1, 1.0)
    job = make_job(scene, tmp_path / "job")
    add_stylized(scene, job)
    node = group_nodes(scene)[0]
    node.inputs["Factor"].default_value = 0.0
    plain = render(scene, 1, tmp_path / "plain.png")
    assert np.ptp(plain.reshape(-1, 4), axis=0).max() < LEVELS  # the world alone
    node.inputs["Factor"].default_value = 0.5
    half = render(scene, 1, tmp_path / "half.png")
    stylized = read_png(frames_of(job) / "0001.png")
    np.testing.assert_allclose(half[..., 3], (1 + stylized[..., 3]) / 2, atol=LEVELS)
    premultiplied = (linear(plain)[..., :3] + linear(stylized)[..., :3] * stylized[..., 3:]) / 2
    np.testing.assert_allclose(linear(half)[..., :3] * half[..., 3:], premultiplied, atol=0.004)


def linear(srgb: np.ndarray) -> np.ndarray:
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def group_nodes(scene) -> list[bpy.types.Node]:
    return [node for node in compat.stored_compositor_tree(scene).nodes if compat.is_stylized_node(node)]


def links_of(tree) -> set[tuple[str, str, str, str]]:
    return {
        (link.from_node.name, link.from_socket.identifier, link.to_node.name, link.to_socket.identifier)
        for link in tree.links
    }


def user_tree(scene) -> bpy.types.NodeTree:
    """A tree in which somebody has put a blur between render and output."""
    tree = compat.new_compositor_tree(scene)
    output = compat.compositor_output(tree)
    blur = tree.nodes.new("CompositorNodeBlur")
    blur.name = "My Blur"
    tree.links.new(output.links[0].from_socket, blur.inputs[0])
    tree.links.new(blur.outputs[0], output)
    return tree


def test_a_users_tree_is_unchanged(scene, tmp_path):
    tree = user_tree(scene)
    before, names = links_of(tree), {node.name for node in tree.nodes}
    added = add_stylized(scene, make_job(scene, tmp_path / "job"))
    assert not added.connected
    assert links_of(tree) == before
    assert {node.name for node in tree.nodes} - names == {added.group.name}


def test_connect_puts_it_before_the_output(scene, tmp_path):
    tree = user_tree(scene)
    job = make_job(scene, tmp_path / "job")
    assert add_stylized(scene, job, connect=True).connected
    node = group_nodes(scene)[0]
    assert node.inputs["Image"].links[0].from_node.name == "My Blur"
    assert compat.compositor_output(tree).links[0].from_node == node
    same(render(scene, 1, tmp_path / "out.png"), read_png(frames_of(job) / "0001.png"))


def render_layers_tree() -> bpy.types.NodeTree:
    """Render layers to output, as a data-block that several scenes may use (from 5.0)."""
    if not compat.has_property(bpy.types.Scene, "compositing_node_group"):
        pytest.skip("up to 4.5 each scene has a compositor tree of its own")
    tree = bpy.data.node_groups.new("Shared", "CompositorNodeTree")
    tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    bpy.context.scene.compositing_node_group = tree
    layers, output = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new("NodeGroupOutput")
    tree.links.new(layers.outputs["Image"], output.inputs[0])
    return tree


def test_a_tree_of_two_scenes_is_not_connected_unasked(scene, tmp_path):
    tree = render_layers_tree()
    other = bpy.data.scenes.new("Other")
    other.compositing_node_group = tree
    before = links_of(tree)
    added = add_stylized(scene, make_job(scene, tmp_path / "job"))
    assert not added.connected
    assert links_of(tree) == before
    (warning,) = [text for text in added.warnings if "Shared" in text]
    assert "'Shared'" in warning and "'Other'" in warning
    assert add_stylized(scene, tmp_path / "job", connect=True).connected


def test_a_tree_inside_of_another_scenes_is_not_connected_unasked(scene, tmp_path):
    tree = render_layers_tree()
    other = bpy.data.scenes.new("Other")
    other.compositing_node_group = bpy.data.node_groups.new("Outer", "CompositorNodeTree")
    other.compositing_node_group.nodes.new("CompositorNodeGroup").node_tree = tree
    assert not add_stylized(scene, make_job(scene, tmp_path / "job")).connected


def test_a_tree_that_shows_another_scene_is_not_connected_unasked(scene, tmp_path):
    add_stylized(scene, make_job(scene, tmp_path / "one"))  # makes the tree that Blender has by default
    tree = compat.compositor_tree(scene)
    for node in [node for node in tree.nodes if compat.is_stylized_node(node)]:
        tree.nodes.remove(node)
    next(node for node in tree.nodes if node.bl_idname == "CompositorNodeRLayers").scene = bpy.data.scenes.new("Other")
    added = add_stylized(scene, make_job(scene, tmp_path / "two"))
    assert not added.connected
    assert any("your own nodes" in warning for warning in added.warnings)


def test_a_compositor_that_is_switched_off_stays_off(scene, tmp_path):
    user_tree(scene)
    if compat.has_property(scene, "compositing_node_group"):
        pytest.skip("from 5.0 a compositor cannot be switched off beside its tree")
    scene.use_nodes = False
    added = add_stylized(scene, make_job(scene, tmp_path / "job"))
    assert not added.connected and not scene.use_nodes
    assert "compositor is off" in added.warnings[0]


def test_again_updates_the_same_group(scene, tmp_path):
    job = make_job(scene, tmp_path / "job", last=2)
    first = add_stylized(scene, job)
    group_nodes(scene)[0].inputs["Factor"].default_value = 0.25
    make_job(scene, job, last=4)
    again = add_stylized(scene, job)
    assert again.group == first.group and again.connected
    assert len(group_nodes(scene)) == 1
    assert group_nodes(scene)[0].inputs["Factor"].default_value == 0.25
    assert again.group.nodes["Stylized Sequence"].frame_duration == 4
    assert len([image for image in bpy.data.images if "warpnoise_job" in image]) == 1


def test_another_job_gets_its_own_group(scene, tmp_path):
    first = add_stylized(scene, make_job(scene, tmp_path / "one"))
    job = make_job(scene, tmp_path / "two", first=2, last=2)
    second = add_stylized(scene, job)
    assert first.group != second.group and second.connected
    same(render(scene, 2, tmp_path / "out.png"), read_png(frames_of(job) / "0002.png"))


def test_frames_done_again_are_read_again(scene, tmp_path):
    job = make_job(scene, tmp_path / "job", last=1)
    add_stylized(scene, job)
    render(scene, 1, tmp_path / "out.png")
    write_png(scene, frames_of(job) / "0001.png", colors(7))
    add_stylized(scene, job)
    same(render(scene, 1, tmp_path / "out.png"), read_png(frames_of(job) / "0001.png"))


def test_a_saved_file_finds_its_group_again(scene, tmp_path):
    job = make_job(scene, tmp_path / "job")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    name = add_stylized(scene, job).group.name
    assert bpy.data.node_groups[name]["warpnoise_job"] == "//job"
    (tmp_path / "elsewhere").mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "elsewhere" / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "elsewhere" / "scene.blend"))
    scene = bpy.context.scene
    again = add_stylized(scene, job)
    assert again.group.name == name and len(group_nodes(scene)) == 1
    same(render(scene, 3, tmp_path / "out.png"), read_png(frames_of(job) / "0003.png"))


def test_missing_and_negative_frames_are_reported(scene, tmp_path):
    job = make_job(scene, tmp_path / "job", first=-2, last=4)
    (frames_of(job) / "0003.png").unlink()
    added = add_stylized(scene, job)
    assert added.group.nodes["Stylized Sequence"].frame_start == 0
    assert [words in text for words, text in zip(("before frame 0", "are missing"), added.warnings, strict=True)]


@pytest.mark.parametrize("what", ["no job", "broken", "no frames"])
def test_an_unfinished_job(scene, tmp_path, what):
    if what == "broken":
        (tmp_path / "job.json").write_text('{"scene": {"frame_start": 1}}')
    elif what == "no frames":
        make_job(scene, tmp_path, first=1, last=0)
    before = len(bpy.data.node_groups)
    with pytest.raises(JobFolderError, match=str(tmp_path)):
        add_stylized(scene, tmp_path)
    assert len(bpy.data.node_groups) == before


def test_only_negative_frames_are_a_warning(scene, tmp_path):
    before = len(bpy.data.node_groups)
    added = add_stylized(scene, make_job(scene, tmp_path / "job", first=-4, last=-1))
    assert (added.group, added.connected) == (None, False)
    assert added.warnings == ("only frames before frame 0 are finished: image sequences have no negative numbers",)
    assert len(bpy.data.node_groups) == before


def test_looks_and_inexact_views_are_reported(scene):
    assert view_inverse(scene).warnings == ()
    scene.view_settings.view_transform = "AgX"
    scene.view_settings.look = "AgX - Punchy"
    assert "AgX - Punchy" in view_inverse(scene).warnings[0]
    scene.view_settings.look = "None"
    scene.view_settings.view_transform = "Khronos PBR Neutral"
    scene.view_settings.gamma = 1.2
    inverse = view_inverse(scene)
    assert inverse.colorspace == "Khronos PBR Neutral sRGB"
    assert "Khronos" in inverse.warnings[0] and "gamma 1.2" in inverse.warnings[0]
    scene.view_settings.view_transform = "Raw"
    assert view_inverse(scene).colorspace == "Non-Color"
