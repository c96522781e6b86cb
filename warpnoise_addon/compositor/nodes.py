"""Helpers that create the nodes of a compositor group."""

from __future__ import annotations

import bpy

from .. import compat

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
