"""Render passes out of both layouts of Blender's EXR files, and files that are not whole."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest
from warpnoise.errors import MediaError
from warpnoise.media import exr
from warpnoise.media.exr import read_passes
from warpnoise.media.exr_layout import BadLayoutError, as_single_part, read_layout

from .. import synthetic

PLANES = synthetic.Scene(width=20, height=12).planes(1)


@pytest.mark.parametrize("layout", ["single", "multi"])
@pytest.mark.parametrize("layer", ["ViewLayer", "View.Layer 2", "Ünï.cödé"])
def test_every_layout_and_layer(tmp_path: Path, layout: str, layer: str) -> None:
    path = tmp_path / "a.exr"
    synthetic.write_passes(path, PLANES, layout=layout, layer=layer)
    passes = read_passes(path, combined=True)
    assert passes.size == (20, 12)
    np.testing.assert_array_equal(passes.depth, PLANES["Depth.Z"])
    for plane, component in zip(passes.vector, "XYZW", strict=True):
        np.testing.assert_array_equal(plane, PLANES[f"Vector.{component}"])
    np.testing.assert_array_equal(passes.surface.view(np.uint32), PLANES["CryptoObject00.r"].view(np.uint32))
    assert passes.combined is not None
    np.testing.assert_array_equal(passes.combined[..., 2], PLANES["Combined.B"])
    assert {name: number % 2**32 for name, number in passes.manifest.items()} == synthetic.HASHES
    assert passes.manifest["Ball"] in passes.surface


def test_combined_is_not_needed(tmp_path: Path) -> None:
    planes = {name: plane for name, plane in PLANES.items() if not name.startswith("Combined")}
    synthetic.write_passes(tmp_path / "a.exr", planes)
    assert read_passes(tmp_path / "a.exr").combined is None
    with pytest.raises(MediaError, match="lacks the pass Combined"):
        read_passes(tmp_path / "a.exr", combined=True)


def test_the_view_layer_with_the_passes_is_used(tmp_path: Path) -> None:
    named = {f"Motion.{name}": plane for name, plane in PLANES.items()}
    named["Beauty.Combined.R"] = PLANES["Combined.R"]
    OpenEXR.File({"type": OpenEXR.scanlineimage}, named).write(str(tmp_path / "a.exr"))
    passes = read_passes(tmp_path / "a.exr")
    np.testing.assert_array_equal(passes.depth, PLANES["Depth.Z"])
    assert passes.manifest == {}


@pytest.mark.parametrize("name", ["Depth", "Vector", "CryptoObject00"])
def test_a_lacking_pass_is_named_with_its_switch(tmp_path: Path, name: str) -> None:
    synthetic.write_passes(tmp_path / "a.exr", {k: v for k, v in PLANES.items() if not k.startswith(name)})
    with pytest.raises(MediaError, match=rf"lacks the pass {name} .*turn on View Layer > Passes"):
        read_passes(tmp_path / "a.exr")


def test_a_lacking_channel(tmp_path: Path) -> None:
    synthetic.write_passes(tmp_path / "a.exr", {k: v for k, v in PLANES.items() if k != "Vector.W"})
    with pytest.raises(MediaError, match=r"ViewLayer\.Vector has no channel W"):
        read_passes(tmp_path / "a.exr")


def test_half_precision_is_refused(tmp_path: Path) -> None:
    planes: dict[str, Any] = {**PLANES, "Vector.X": PLANES["Vector.X"].astype(np.float16)}
    synthetic.write_passes(tmp_path / "a.exr", planes)
    with pytest.raises(MediaError, match=r"float16 values, expected float32\. Set Color Depth to Float \(Full\)"):
        read_passes(tmp_path / "a.exr")


def test_names_that_blender_does_not_escape(tmp_path: Path) -> None:
    named = {f"L.{name}": plane for name, plane in PLANES.items()}
    manifest = '{"A "quoted" \\ name":"10000001","Cube":"20000002"}'
    header = {
        "BlenderMultiChannel": "Blender V2.55.1",
        "cryptomatte/1/name": "L.CryptoObject",
        "cryptomatte/1/manifest": manifest,
    }
    OpenEXR.File(header, named).write(str(tmp_path / "a.exr"))
    assert read_passes(tmp_path / "a.exr").manifest == {'A "quoted" \\ name': 0x10000001, "Cube": 0x20000002}


def test_a_damaged_manifest(tmp_path: Path) -> None:
    named = {f"L.{name}": plane for name, plane in PLANES.items()}
    header = {"cryptomatte/1/name": "L.CryptoObject", "cryptomatte/1/manifest": '{"Cube":"xyz"}'}
    OpenEXR.File(header, named).write(str(tmp_path / "a.exr"))
    with pytest.raises(MediaError, match=r"manifest of L\.CryptoObject is damaged"):
        read_passes(tmp_path / "a.exr")


@pytest.mark.parametrize("layout", ["single", "multi"])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.99])
def test_a_file_that_is_cut_off(tmp_path: Path, layout: str, part: float) -> None:
    path = tmp_path / "a.exr"
    planes = {name: plane for name, plane in PLANES.items() if not name.startswith("Combined")}
    synthetic.write_passes(path, planes, layout=layout)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(MediaError, match="is cut off or damaged"):
        read_passes(path)


def test_files_that_are_not_exr(tmp_path: Path) -> None:
    path = tmp_path / "a.exr"
    with pytest.raises(MediaError, match="no file"):
        read_passes(path)
    path.touch()
    with pytest.raises(MediaError, match="is empty"):
        read_passes(path)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" * 20)
    with pytest.raises(MediaError, match="is not an EXR file"):
        read_passes(path)


@pytest.mark.parametrize(
    ("name", "hashed", "in_the_pixels"),
    [
        ("Box", 0x803B1009, 0x80BB1009),  # exponent 0: a denormal number
        ("Box.014", 0x7F9F709E, 0x7F1F709E),  # exponent 255: not a number
        ("Ball", 0xCB432898, 0xCB432898),
    ],
)
def test_manifest_hashes_are_those_that_cycles_writes_into_pixels(
    tmp_path: Path, name: str, hashed: int, in_the_pixels: int
) -> None:
    """Renderers clamp the exponent of the float that a hash is stored as to 1..254; the manifest has the whole hash."""
    header = {
        "type": OpenEXR.scanlineimage,
        "cryptomatte/1a2b3c4/name": "Layer.CryptoObject",
        "cryptomatte/1a2b3c4/manifest": f'{{"{name}":"{hashed:08x}"}}',
    }
    surface = np.full((12, 20), in_the_pixels, np.uint32).view(np.float32)
    channels = {f"Layer.{channel}": plane for channel, plane in {**PLANES, "CryptoObject00.r": surface}.items()}
    OpenEXR.File(header, channels).write(str(tmp_path / "a.exr"))
    passes = read_passes(tmp_path / "a.exr")
    assert np.all(passes.surface == passes.manifest[name])


def write_manifest(path: Path, manifest: str | bytes, *, blender: bool = True) -> None:
    """A file whose manifest is these bytes, whatever they are."""
    data = manifest.encode() if isinstance(manifest, str) else manifest
    header = {
        "type": OpenEXR.scanlineimage,
        "cryptomatte/1/name": "L.CryptoObject",
        "cryptomatte/1/manifest": "#" * len(data),
    }
    if blender:
        header["BlenderMultiChannel"] = "Blender V2.55.1"
    OpenEXR.File(header, {f"L.{name}": plane for name, plane in PLANES.items()}).write(str(path))
    whole = path.read_bytes()
    assert whole.count(b"#" * len(data)) == 1
    path.write_bytes(whole.replace(b"#" * len(data), data))


@pytest.mark.parametrize("piece", ['{"', ',"', '":"', '":"0000000', ',"a":"0000000g"'])
@pytest.mark.parametrize("blender", [True, False])
def test_a_manifest_of_megabytes_takes_time_in_proportion(tmp_path: Path, piece: str, blender: bool) -> None:
    """With a regular expression that looks ahead from every quote, 100 KB took 51 s."""
    write_manifest(tmp_path / "a.exr", "{" + piece * (2_000_000 // len(piece)), blender=blender)
    with pytest.raises(MediaError, match=r"the manifest of L\.CryptoObject is "):
        read_passes(tmp_path / "a.exr")


def test_a_manifest_of_a_hundred_thousand_names(tmp_path: Path) -> None:
    names = {f'Object "{number}"': number + 2**24 for number in range(100_000)}
    entries = ",".join(f'"{name}":"{number:08x}"' for name, number in names.items())
    write_manifest(tmp_path / "a.exr", "{" + entries + "}")
    assert read_passes(tmp_path / "a.exr").manifest == names


def test_json_of_other_programs_is_unescaped(tmp_path: Path) -> None:
    write_manifest(tmp_path / "a.exr", '{"a \\"b\\"": "10000001"}', blender=False)
    assert read_passes(tmp_path / "a.exr").manifest == {'a "b"': 0x10000001}


def peak_memory(path: Path, size: tuple[int, int], match: str | None) -> int:
    """Bytes that reading takes at most."""
    tracemalloc.start()
    try:
        if match is None:
            read_passes(path, size)
        else:
            with pytest.raises(MediaError, match=match):
                read_passes(path, size)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("layout", ["single", "multi"])
def test_another_size_is_refused_before_pixels_are_decoded(tmp_path: Path, layout: str) -> None:
    planes = {name: np.zeros((1024, 1024), np.float32) for name in PLANES}
    synthetic.write_passes(tmp_path / "a.exr", planes, layout=layout)
    assert peak_memory(tmp_path / "a.exr", (32, 32), r"expected 32 x 32 pixels, as job\.json says, got 1024") < 2**20


def test_only_the_parts_that_are_needed_are_decoded(tmp_path: Path) -> None:
    more = {f"Extra{number}.V": np.ones((256, 256), np.float32) for number in range(100)}
    planes = {name: np.ones((256, 256), np.float32) for name in PLANES}
    synthetic.write_passes(tmp_path / "a.exr", more | planes, layout="multi")
    needed = 9 * 256 * 256 * 4
    assert peak_memory(tmp_path / "a.exr", (256, 256), None) < 3 * needed


@pytest.mark.parametrize("layout", ["single", "multi"])
def test_large_parts_are_decoded_channel_by_channel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    synthetic.write_passes(tmp_path / "a.exr", PLANES, layout=layout)
    monkeypatch.setattr(exr, "_LARGEST_DECODED", 0)
    monkeypatch.setattr(exr.OpenEXR, "File", None)  # it decodes every channel
    passes = read_passes(tmp_path / "a.exr", combined=True)
    np.testing.assert_array_equal(passes.depth, PLANES["Depth.Z"])
    np.testing.assert_array_equal(passes.vector[2], PLANES["Vector.Z"])


def test_chunks_that_lie_over_one_another_are_refused(tmp_path: Path) -> None:
    """Each entry of the table may point to the same large chunk: copies of it would fill the memory."""
    synthetic.write_passes(tmp_path / "a.exr", PLANES, layout="multi", codec="ZIPS")
    data = bytearray((tmp_path / "a.exr").read_bytes())
    with (tmp_path / "a.exr").open("rb") as file:
        layout = read_layout(file)
        count = layout.parts[0].chunks
        first = struct.unpack_from("<Q", data, layout.tables)[0]
        struct.pack_into(f"<{count}Q", data, layout.tables, *[first] * count)
        struct.pack_into("<I", data, first + 8, len(data) - first - 12)
        (tmp_path / "a.exr").write_bytes(data)
    with (tmp_path / "a.exr").open("rb") as file, pytest.raises(BadLayoutError, match="pixels are missing"):
        as_single_part(file, read_layout(file), 0)


def test_subsampled_channels_are_refused(tmp_path: Path) -> None:
    synthetic.write_passes(tmp_path / "a.exr", PLANES, layout="single")
    data = (tmp_path / "a.exr").read_bytes()
    place = data.index(b"ViewLayer.Vector.X\0") + len(b"ViewLayer.Vector.X\0")
    (tmp_path / "a.exr").write_bytes(data[: place + 8] + struct.pack("<2i", 2, 2) + data[place + 16 :])
    with pytest.raises(MediaError, match=r"Vector is subsampled"):
        read_passes(tmp_path / "a.exr")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"ViewLayer.Depth.Z\0", b"ViewLayer.D\xff\xfeth.Z\0"),
        (b"ViewLayer.CryptoObject", b"ViewLayer.Crypt\xff\xfeject"),
        (b"dataWindow\0", b"dataWindov\0"),
        (b"displayWindow\0", b"dataWindow\0wino\0"),
        (b"compression\0compression\0\x01\0\0\0\x03", b"compression\0compression\0\x01\0\0\0\x63"),
        (b"box2i\0\x10\0\0\0", b"box2i\0\xf0\xff\xff\xff"),
    ],
)
@pytest.mark.parametrize("layout", ["single", "multi"])
def test_damaged_headers(tmp_path: Path, layout: str, old: bytes, new: bytes) -> None:
    synthetic.write_passes(tmp_path / "a.exr", PLANES, layout=layout)
    data = (tmp_path / "a.exr").read_bytes()
    assert old in data
    (tmp_path / "a.exr").write_bytes(data.replace(old, new))
    with pytest.raises(MediaError, match=r"a\.exr (is cut off or damaged|lacks the pass|holds the window)"):
        read_passes(tmp_path / "a.exr")


def test_a_window_of_a_billion_pixels(tmp_path: Path) -> None:
    synthetic.write_passes(tmp_path / "a.exr", PLANES, layout="single")
    window, large = struct.pack("<4i", 0, 0, 19, 11), struct.pack("<4i", -(2**31), 0, 2**31 - 1, 11)
    data = (tmp_path / "a.exr").read_bytes()
    (tmp_path / "a.exr").write_bytes(data.replace(window, large))
    with pytest.raises(MediaError, match="pixels a side"):
        read_passes(tmp_path / "a.exr")
