"""Builds Cycles shader graphs: nodes by type, and links as keyword arguments."""

from __future__ import annotations

import bpy

Colour = tuple[float, float, float]


class NodeGraph:
    """Wraps a node tree. Inputs are keywords (spaces as underscores); sockets are linked, other values are set."""

    def __init__(self, tree: bpy.types.NodeTree, clear: bool = True) -> None:
        self.tree = tree
        if clear:
            tree.nodes.clear()

    def add(self, kind: str, properties: dict[str, object] | None = None, /, **inputs: object) -> bpy.types.Node:
        """Adds a node of type `ShaderNode<kind>`; `properties` are set before the inputs, which may depend on them."""
        node = self.tree.nodes.new(f"ShaderNode{kind}")
        for name, value in (properties or {}).items():
            setattr(node, name, value)
        for name, value in inputs.items():
            self.feed(node.inputs[name.replace("_", " ")], value)
        return node

    def feed(self, socket: bpy.types.NodeSocket, value: object) -> None:
        """Links `value` to `socket` if it is an output; otherwise sets it as the default."""
        if isinstance(value, bpy.types.NodeSocket):
            self.tree.links.new(value, socket)
        elif socket.type == "RGBA" and isinstance(value, tuple) and len(value) == 3:
            socket.default_value = (*value, 1.0)
        else:
            socket.default_value = value

    def math(self, operation: str, a: object, b: object = 0.0) -> bpy.types.NodeSocket:
        node = self.add("Math", {"operation": operation})
        self.feed(node.inputs[0], a)
        self.feed(node.inputs[1], b)
        return node.outputs[0]

    def vector(self, operation: str, a: object, b: object = (0.0, 0.0, 0.0)) -> bpy.types.NodeSocket:
        node = self.add("VectorMath", {"operation": operation})
        self.feed(node.inputs[0], a)
        self.feed(node.inputs[1], b)
        return node.outputs["Value" if operation in ("DOT_PRODUCT", "LENGTH", "DISTANCE") else "Vector"]

    def scale(self, vector: object, factors: tuple[float, float, float]) -> bpy.types.NodeSocket:
        return self.vector("MULTIPLY", vector, factors)

    def mix(self, factor: object, a: object, b: object, blend: str = "MIX") -> bpy.types.NodeSocket:
        """Mixes two colours: `a` where the factor is 0, `b` where it is 1."""
        node = self.add("Mix", {"data_type": "RGBA", "blend_type": blend, "clamp_result": False})
        sockets = [s for s in node.inputs if s.enabled]
        for socket, value in zip(sockets, (factor, a, b), strict=True):
            self.feed(socket, value)
        return next(s for s in node.outputs if s.enabled)

    def ramp(
        self, factor: object, stops: list[tuple[float, Colour]], interpolation: str = "LINEAR"
    ) -> bpy.types.NodeSocket:
        node = self.add("ValToRGB", Fac=factor)
        node.color_ramp.interpolation = interpolation
        elements = node.color_ramp.elements
        while len(elements) < len(stops):
            elements.new(0.5)
        for element, (position, colour) in zip(elements, sorted(stops), strict=False):
            element.position = position
            element.color = (*colour, 1.0)
        return node.outputs["Color"]

    def step(self, value: object, low: float, high: float) -> bpy.types.NodeSocket:
        """A smooth 0..1 threshold of a value between `low` and `high`."""
        node = self.add("MapRange", {"interpolation_type": "SMOOTHSTEP"}, Value=value, From_Min=low, From_Max=high)
        return node.outputs[0]

    def noise(self, vector: object, scale: float, detail: float = 4.0, distortion: float = 0.0) -> bpy.types.NodeSocket:
        node = self.add("TexNoise", Vector=vector, Scale=scale, Detail=detail, Distortion=distortion)
        return next(s for s in node.outputs if s.type == "VALUE")

    def bump(self, height: object, strength: float, distance: float) -> bpy.types.NodeSocket:
        return self.add("Bump", Height=height, Strength=strength, Distance=distance).outputs["Normal"]
