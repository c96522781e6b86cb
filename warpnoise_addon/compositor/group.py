"""The node group: a render goes in, the stylized sequence is mixed in by a factor, alpha as well.

        Image (render) ---------------------------------------------+-> Mix -> Set Alpha -> Image
        Stylized Sequence -> scene-linear -> Undo Exposure ---------+            |
        Factor x (the job holds this frame) ------------------------+------> mixed alpha

Outside the job's frames the render goes through. With a frame step above 1 the sequence has a file for every step-th
frame only; a driver on the image node's offset holds each until the next (Blender's image sequences cannot skip
numbers). The driver is a simple expression, so it runs with scripts disabled.

Where the view's inverse g is not exact (AgX), the nodes correct it. With the view f and the frame y, start at t = y and
repeat t <- t + 0.7 (y - f(g(t))), then use g(t). The steps are shorter than Newton's because g overshoots in places.
"""

from __future__ import annotations

from pathlib import Path

import bpy

from .. import compat
from .colorspace import ViewInverse
from .sequence import Sequence

JOB_PROPERTY = "warpnoise_job"
"""The custom property that marks our groups; its value is the job folder."""
IMAGE_NODE = "Stylized Sequence"
CORRECTION_STEP = 0.7


def stylized_group(sequence: Sequence, view: ViewInverse) -> bpy.types.NodeTree:
    """The group of this job folder, new or brought up to date.

    An update makes the inside anew; the group, its sockets and its image stay, and so do the nodes that show it and
    their factors.
    """
    group = find_group(sequence.folder)
    if group is None:
        group = bpy.data.node_groups.new(f"Stylized {sequence.folder.name}", "CompositorNodeTree")
        _make_interface(group)
    group[JOB_PROPERTY] = _stored(sequence.folder)
    _make_nodes(group, _load_image(_image_of(group), sequence, view), sequence, view)
    return group


def find_group(folder: Path) -> bpy.types.NodeTree | None:
    """The group that shows this job folder's frames; also after the file was saved elsewhere."""
    for group in bpy.data.node_groups:
        if group.library is None and group.bl_idname == "CompositorNodeTree" and group.get(JOB_PROPERTY):
            places = [Path(bpy.path.abspath(str(group[JOB_PROPERTY])))]
            if image := _image_of(group):
                # Blender keeps the image's path right when the file moves; the property is only a text.
                # JOB/results/NAME/frames/0001.png
                places += list(Path(bpy.path.abspath(image.filepath)).parents)[3:4]
            if folder.resolve() in [place.resolve() for place in places]:
                return group
    return None


def _image_of(group: bpy.types.NodeTree) -> bpy.types.Image | None:
    node = group.nodes.get(IMAGE_NODE)
    return getattr(node, "image", None)


def _make_interface(group: bpy.types.NodeTree) -> None:
    group.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    group.interface.new_socket("Image", in_out="INPUT", socket_type="NodeSocketColor")
    factor = group.interface.new_socket("Factor", in_out="INPUT", socket_type="NodeSocketFloat")
    factor.subtype = "FACTOR"
    factor.min_value, factor.max_value, factor.default_value = 0.0, 1.0, 1.0
    factor.description = "0: the render, 1: the stylized frame"


def _make_nodes(group: bpy.types.NodeTree, image: bpy.types.Image, sequence: Sequence, view: ViewInverse) -> None:
    group.nodes.clear()
    nodes = Nodes(group)
    group_input = nodes.add("NodeGroupInput", "Render")
    shown = nodes.add("CompositorNodeImage", IMAGE_NODE)
    _show_sequence(shown, image, sequence)

    stylized = shown.outputs["Image"]
    if view.corrections:
        stylized = _corrected(nodes, stylized, shown.outputs["Alpha"], view)
    exposure = nodes.add("CompositorNodeExposure", "Undo Exposure")
    exposure.inputs["Exposure"].default_value = view.exposure
    nodes.link(stylized, exposure.inputs["Image"])

    first, last = sequence.first, sequence.shown_last
    time = nodes.add("CompositorNodeSceneTime", "Scene Time")
    in_range = nodes.math(
        "COMPARE", "Job Has Frame", time.outputs["Frame"], (first + last) / 2, (last - first) / 2 + 0.49
    )
    factor = nodes.math("MULTIPLY", "Factor in Range", group_input.outputs["Factor"], in_range)
    mixed = nodes.mix("Mix", "MIX", factor, group_input.outputs["Image"], exposure.outputs["Image"])

    # Mixing colours keeps the first one's alpha: render + factor * (stylized - render) is made beside it.
    render_alpha = nodes.add("CompositorNodeSeparateColor", "Render Alpha")
    nodes.link(group_input.outputs["Image"], render_alpha.inputs[0])
    difference = nodes.math("SUBTRACT", "Alpha Difference", shown.outputs["Alpha"], render_alpha.outputs["Alpha"])
    alpha = nodes.math("MULTIPLY_ADD", "Mixed Alpha", factor, difference, render_alpha.outputs["Alpha"])
    result = nodes.add("NodeGroupOutput", "Result")
    nodes.link(nodes.set_alpha("Keep Alpha", mixed, alpha), result.inputs[0])
    nodes.arrange()


def _corrected(
    nodes: Nodes, y: bpy.types.NodeSocket, alpha: bpy.types.NodeSocket, view: ViewInverse
) -> bpy.types.NodeSocket:
    """Scene-linear, premultiplied colour of display-referred, straight ``y``; see the module's docstring."""
    y = nodes.set_alpha("Opaque", y, 1.0)  # so that nothing divides by alpha on the way
    t = y
    x = nodes.convert("To Scene Linear", t, view.colorspace, view.scene_linear)
    for _ in range(view.corrections):
        error = nodes.mix("Error", "SUBTRACT", 1.0, y, nodes.convert("To View", x, view.scene_linear, view.colorspace))
        t = nodes.mix("Correct", "ADD", CORRECTION_STEP, t, error)
        x = nodes.convert("To Scene Linear", t, view.colorspace, view.scene_linear)
    return nodes.set_alpha("Premultiply", x, alpha, replace=False)


def _show_sequence(node: bpy.types.Node, image: bpy.types.Image, sequence: Sequence) -> None:
    node.image = image
    first, last = sequence.first, sequence.shown_last
    node.frame_start = first
    node.frame_duration = last - first + 1
    node.use_cyclic = False
    node.use_auto_refresh = True
    node.frame_offset = first - 1  # the file's number is frame - frame_start + 1 + frame_offset
    node.driver_remove("frame_offset")  # clearing the nodes leaves their drivers
    if sequence.step > 1:
        driver = node.driver_add("frame_offset").driver
        driver.type = "SCRIPTED"
        driver.expression = f"{first - 1} - fmod(floor(frame) - {first}, {sequence.step})"


def _load_image(image: bpy.types.Image | None, sequence: Sequence, view: ViewInverse) -> bpy.types.Image:
    if image is None:
        image = bpy.data.images.load(str(sequence.path), check_existing=False)
        image.name = f"Stylized {sequence.folder.name}"
        image[JOB_PROPERTY] = _stored(sequence.folder)
    image.source = "SEQUENCE"
    image.filepath = _stored(sequence.path)
    image.colorspace_settings.name = "Non-Color" if view.corrections else view.colorspace
    image.alpha_mode = "CHANNEL_PACKED" if view.corrections else "STRAIGHT"
    image.reload()  # frames that were done again since it was last shown
    return image


def _stored(path: Path) -> str:
    """As Blender stores paths: relative to the file if that is saved and the preferences want it so."""
    absolute = str(path.resolve())
    if bpy.data.filepath and bpy.context.preferences.filepaths.use_relative_paths:
        try:
            return bpy.path.relpath(absolute)
        except ValueError:  # another drive
            return absolute
    return absolute


Value = bpy.types.NodeSocket | float
"""What goes into a socket: another socket's value, or a constant."""


class Nodes:
    """Adds nodes and links to ``group``; every method that makes a node of one result returns its output socket."""

    def __init__(self, group: bpy.types.NodeTree) -> None:
        self._group = group

    def add(self, kind: str, name: str) -> bpy.types.Node:
        node = self._group.nodes.new(kind)
        node.name = node.label = name
        return node

    def link(self, value: Value, socket: bpy.types.NodeSocket) -> None:
        if isinstance(value, bpy.types.NodeSocket):
            self._group.links.new(value, socket)
        else:
            socket.default_value = value

    def math(self, operation: str, name: str, *values: Value) -> bpy.types.NodeSocket:
        node = self.add(compat.compositor_math_node(), name)
        node.operation = operation
        for value, socket in zip(values, node.inputs, strict=False):
            self.link(value, socket)
        return node.outputs[0]

    def mix(self, name: str, blend: str, factor: Value, a: Value, b: Value) -> bpy.types.NodeSocket:
        node, inputs, output = compat.new_mix_color(self._group, blend)
        node.name = node.label = name
        for value, socket in zip((factor, a, b), inputs, strict=True):
            self.link(value, socket)
        return output

    def convert(self, name: str, color: Value, source: str, target: str) -> bpy.types.NodeSocket:
        node = self.add("CompositorNodeConvertColorSpace", name)
        node.from_color_space, node.to_color_space = source, target
        self.link(color, node.inputs[0])
        return node.outputs[0]

    def set_alpha(self, name: str, color: Value, alpha: Value, replace: bool = True) -> bpy.types.NodeSocket:
        """``replace``: see `compat.set_alpha_mode`."""
        node = self.add("CompositorNodeSetAlpha", name)
        compat.set_alpha_mode(node, replace)
        self.link(color, node.inputs["Image"])
        self.link(alpha, node.inputs["Alpha"])
        return node.outputs["Image"]

    def arrange(self) -> None:
        """Columns from left to right: each node right of all that it takes something from."""
        columns: dict[bpy.types.Node, int] = {}

        def column(node: bpy.types.Node) -> int:
            if node not in columns:
                before = [link.from_node for link in self._group.links if link.to_node == node]
                columns[node] = 1 + max((column(other) for other in before), default=-1)
            return columns[node]

        rows: dict[int, int] = {}
        for node in self._group.nodes:
            x = column(node)
            node.location = (220.0 * x, -220.0 * rows.get(x, 0))
            rows[x] = rows.get(x, 0) + 1
