"""A plugin for mypy: what Blender guarantees, and its stubs (fake-bpy-module) do not say.

The stubs mark every pointer as optional, although Blender never leaves most of them empty. What depends on an
identifier (``nodes.new("...")``) has the type of its base class, which lacks the attributes of the subclass.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mypy.maptype import map_instance_to_supertype
from mypy.plugin import AttributeContext, ClassDefContext, MethodContext, Plugin
from mypy.typeops import make_simplified_union
from mypy.types import AnyType, Instance, Type, TypeOfAny
from mypy.types_utils import remove_optional

NEVER_NONE = re.compile(
    r"""bpy\.types\.(
        BlendData\w+\.new | \w+\.copy
      | Camera\.dof
      | Context\.(collection|preferences|scene|view_layer|window_manager)
      | Depsgraph\.scene_eval | DepsgraphObjectInstance\.(object|parent)
      | FCurve\.driver
      | LayerCollection\.collection | Scene\.collection
      | \w*Modifier\.point_cache | ParticleSystem\.point_cache | RigidBodyWorld\.point_cache
      | (Menu|Operator|Panel)\.layout
      | NodeLink\.\w+ | NodeSocket\.node
      | Preferences\.(edit|filepaths|system)
      | (Image|ImageFormatSettings|RenderSettings|Scene)\.(\w+_settings|eevee|render)
      | UILayout\.operator
      | bpy_struct\.id_data
    )""",
    re.VERBOSE,
)
"""Attributes, and results of methods, that are never None while the add-on runs."""
DEPENDS = re.compile(
    r"""mathutils\.Vector\.cross | bpy\.types\.(
        Addon\.preferences
      | AreaSpaces\.active
      | BlendData(Curves|Lights)\.new
      | Color\w+Settings\.(curve_mapping|display_device|look|name|view_transform)
      | NodeTree\.interface
      | Context\.(object|space_data)
      | (Material|World)\.node_tree
      | Object\.(color|data)
      | WindowManager\.invoke_\w+
      | \w+\.driver_add
      | RenderSettings\.engine
    )""",
    re.VERBOSE,
)
"""Attributes, and results of methods, whose type depends on a value; enumerations that depend on the configuration;
colours that take any sequence."""
OPEN = {
    # of which Blender makes a subclass that depends on an identifier
    *(
        f"bpy.types.{name}"
        for name in ("Attribute", "Modifier", "Node", "NodeSocket", "OperatorProperties", "Property", "Space")
    ),
    # to which add-ons add properties: Cycles, and this one
    *(f"bpy.types.{name}" for name in ("Object", "Scene", "WindowManager", "World")),
    # that have other attributes in other supported versions of Blender
    *(f"bpy.types.{name}" for name in ("Action", "ActionStrip", "SequenceEditor")),
    # whose items the stubs do not type
    *("bpy.types.bpy_prop", "bpy.types.bpy_prop_array", "mathutils.Vector"),
    # whose properties come from the settings' schema
    "warpnoise_addon.ui.properties.BackendOptions",
}
"""Classes with attributes that the stubs do not know."""


class BlenderPlugin(Plugin):
    def get_attribute_hook(self, fullname: str) -> Callable[[AttributeContext], Type] | None:
        correct = _correction(fullname)
        return correct and (lambda context: correct(context.default_attr_type))

    def get_method_hook(self, fullname: str) -> Callable[[MethodContext], Type] | None:
        if fullname.startswith("bpy.types.") and fullname.endswith(".get"):
            return _item_or_default
        if fullname in ("mathutils.Matrix.__matmul__", "mathutils.Quaternion.__matmul__"):
            return _vector_or_default
        correct = _correction(fullname)
        return correct and (lambda context: correct(context.default_return_type))

    def get_customize_class_mro_hook(self, fullname: str) -> Callable[[ClassDefContext], None] | None:
        return _open if fullname in OPEN else None


def _correction(fullname: str) -> Callable[[Type], Type] | None:
    if DEPENDS.fullmatch(fullname):
        return lambda _: AnyType(TypeOfAny.explicit)
    return remove_optional if NEVER_NONE.fullmatch(fullname) else None


def _item_or_default(context: MethodContext) -> Type:
    """The stubs forget the item, so that what follows ``if item is None: return`` would count as unreachable."""
    owner = context.type
    if isinstance(owner, Instance):
        for base in owner.type.mro:
            if base.name == "bpy_prop_collection":
                item = map_instance_to_supertype(owner, base).args[0]
                return make_simplified_union([item, context.default_return_type])
    return context.default_return_type


def _vector_or_default(context: MethodContext) -> Type:
    """A transformed vector is a vector. Vector is open, so that it matches the first overload: Matrix or Quaternion."""
    other = context.arg_types[0][0]
    is_vector = isinstance(other, Instance) and other.type.fullname == "mathutils.Vector"
    return other if is_vector else context.default_return_type


def _open(context: ClassDefContext) -> None:
    context.cls.info.fallback_to_any = True


def plugin(version: str) -> type[Plugin]:
    return BlenderPlugin
