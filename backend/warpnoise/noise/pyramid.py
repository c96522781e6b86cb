"""White noise of one frame at every resolution: a binary tree of areas, each worth the sum of its two halves.

W is white noise on the frame in which a surface was first seen. Its integral over an area A, W(A) ~ N(0, |A|), is
refined as Levy built Brownian motion: of an area of measure a and value x, the two halves are

    x / 2 + z sqrt(a) / 2   and   x / 2 - z sqrt(a) / 2,   z ~ N(0, 1),

which are independent, of variance a / 2 each, and sum to x. (Eq. 3 of Chang et al., ICLR 2024, is the same for N parts
at once.) All values of a level are multiples of one power of two, too small to be felt and large enough for float32 to
hold them all: the sum of the halves is the whole, bit by bit.

Areas are halved along x and y in turn. The tree starts from the coarsest grid that halving the pixel grid comes to,
which all sizes share that are a power of two apart: noise of 1024 x 1024 pooled to 128 x 128 *is* the noise of
128 x 128, until something moves.

A *node* is one area: the frame of its birth, its level (0: the base grid) and its column and row on the level's grid.
Level l has ceil(l / 2) doublings of the base grid's columns and floor(l / 2) of its rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from .philox import MASK, mix, mix_address, philox, seed_word, split_seed, to_normals

MOST_HALVINGS = 16  # so that levels stay below 63, with the 30 below a pixel that codes can name
ROOT = 63  # in place of a level: the counters of the base grid's values
GROUP_SHIFT = 6  # in the counter's last word: the level, the group of four channels, the map
MAP_SHIFT = 18
CHOICE = 0x5BD1E995  # tells a node's choices from its point
COLUMNS, ROWS = 0x2545F491, 0x6C078965  # and what scrambles a pixel's leaves from both
GRAIN = 20  # a level's values are multiples of their standard deviation (rounded up to a power of 2) by 2**GRAIN
MAX_CODE = 1 << 30  # nodes from here on are not split further


class Nodes(NamedTuple):
    """n nodes; int64 each."""

    frame: Tensor
    level: Tensor
    ix: Tensor
    iy: Tensor

    def at(self, index: Tensor | slice) -> Nodes:
        return Nodes(*(column[index] for column in self))

    def parent(self) -> Nodes:
        along_x = self.level & 1  # the step to an odd level doubles the columns
        return Nodes(self.frame, self.level - 1, self.ix >> along_x, self.iy >> (1 - along_x))

    def child(self, side: Tensor) -> Nodes:
        """The half of each node that ``side`` names: 0 the left or upper one, 1 the right or lower one."""
        along_x = 1 - (self.level & 1)
        along_y = self.level & 1
        return Nodes(
            self.frame,
            self.level + 1,
            (self.ix << along_x) | (side * along_x),
            (self.iy << along_y) | (side * along_y),
        )

    def side(self) -> Tensor:
        """Which half of its parent each node is."""
        return torch.where(self.level % 2 == 1, self.ix & 1, self.iy & 1)

    def ancestor(self, level: int | Tensor) -> Nodes:
        """The node of ``level`` that each node lies in; the node itself if its level is not above it."""
        above = torch.minimum(torch.as_tensor(level, device=self.level.device), self.level)
        return Nodes(
            self.frame,
            above,
            self.ix >> (((self.level + 1) >> 1) - ((above + 1) >> 1)),
            self.iy >> ((self.level >> 1) - (above >> 1)),
        )


@dataclass(frozen=True)
class Pyramid:
    """The tree over a grid of noise pixels.

    Args:
        height, width: of the noise, pixels.
        atoms: k, a power of two; a pixel's leaves are k x k.
        seed: any 64-bit integer.
    """

    height: int
    width: int
    atoms: int
    seed: int

    @cached_property
    def halvings(self) -> int:
        """How often the pixel grid was halved to come to the base grid."""
        height, width, count = self.height, self.width, 0
        while height % 2 == 0 and width % 2 == 0 and count < MOST_HALVINGS:
            height, width, count = height // 2, width // 2, count + 1
        return count

    @cached_property
    def pixel_level(self) -> int:
        return 2 * self.halvings

    @cached_property
    def depth(self) -> int:
        """Levels from a pixel to its leaves."""
        return 2 * (self.atoms.bit_length() - 1)

    def along_the_tree(self, pixels: Tensor) -> Tensor:
        """Puts pixels (row-major indices) in the order in which they stand in the tree: neighbours share most of the
        way down to them, and so most of the work of drawing their values."""
        return pixels[torch.argsort(tree_order(self.height, self.width, pixels.device).flatten()[pixels])]

    @cached_property
    def least_split(self) -> float:
        """The area, in noise pixels, above which an atom may be split; at twice this it always is."""
        return 4.0 / 3.0 / self.atoms**2

    @cached_property
    def key(self) -> tuple[int, int]:
        return split_seed(self.seed)

    @cached_property
    def seed_word(self) -> int:
        return seed_word(self.seed)

    def values(self, nodes: Nodes, channels: int, map_: int) -> Tensor:
        """(n, channels) float32: W of each node, in units in which a pixel has variance 1."""
        groups = [self._group(nodes, group, map_) for group in range((channels + 3) // 4)]
        return torch.cat(groups, dim=1)[:, :channels].contiguous()

    def _group(self, nodes: Nodes, group: int, map_: int) -> Tensor:
        value = self._rounded(self._normals(nodes.ancestor(0), ROOT, group, map_) * 2.0**self.halvings, 0)
        for level in range(int(nodes.level.max()) if nodes.level.numel() else 0):
            z = self._normals(nodes.ancestor(level), level, group, map_)
            first = self._rounded(value * 0.5 + z * split_step(self.halvings, level), level + 1)
            half = torch.where(nodes.ancestor(level + 1).side()[:, None] == 0, first, value - first)
            value = torch.where((nodes.level > level)[:, None], half, value)
        return value

    def _rounded(self, value: Tensor, level: int) -> Tensor:
        """Values as a level has them: multiples of its grain."""
        grain = 2.0 ** (self.halvings - GRAIN - (level >> 1))
        return torch.round(value * (1 / grain)) * grain

    def _normals(self, nodes: Nodes, level: int, group: int, map_: int) -> Tensor:
        word = torch.tensor(level + (group << GROUP_SHIFT) + (map_ << MAP_SHIFT), device=nodes.ix.device)
        return to_normals(philox((nodes.ix, nodes.iy, nodes.frame, word), self.key))

    def pixel(self, x: Tensor, y: Tensor) -> Tensor:
        """The pixel of points in the frame, row-major. int64."""
        column = x.to(torch.int64).clamp(0, self.width - 1)
        return y.to(torch.int64).clamp(0, self.height - 1) * self.width + column

    def measure(self, level: Tensor) -> Tensor:
        """The area of nodes, in pixels. float32, exact."""
        return torch.exp2((self.pixel_level - level).to(torch.float32))

    def rectangle(self, nodes: Nodes) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Left, top, width, height of each node, in noise pixels from the frame's corner. float64, exact."""
        width = torch.exp2((self.halvings - ((nodes.level + 1) >> 1)).to(torch.float64))
        height = torch.exp2((self.halvings - (nodes.level >> 1)).to(torch.float64))
        return nodes.ix * width, nodes.iy * height, width, height

    def jitter(self, nodes: Nodes) -> tuple[Tensor, Tensor]:
        """A point in each node, uniform in its area, in noise pixels from the frame's corner. float64.

        The points of a pixel's leaves are a (0, m, 2)-net in base 2 (Niederreiter 1987), k x k = 2**m: whichever way
        the pixel is cut into 2**m equal rectangles by halving it, from columns over squares to rows, each has one
        point. A pixel that moves then loses about as many points on one side as it gains on the other: its measure
        wavers less than with points that are only jittered.
        """
        left, top, width, height = self.rectangle(nodes)
        bits = mix_address(self.seed_word, *nodes)
        across = ((bits >> 16) + 0.5) * 2.0**-16
        down = ((bits & 0xFFFF) + 0.5) * 2.0**-16
        if self.atoms > 1:
            leaf = nodes.level == self.pixel_level + self.depth
            column, row = self._stratum(nodes)
            across = torch.where(leaf, (column + across) / self.atoms, across)
            down = torch.where(leaf, (row + down) / self.atoms, down)
        return left + across * width, top + down * height

    def _stratum(self, leaves: Nodes) -> tuple[Tensor, Tensor]:
        """Which of the k columns and k rows inside each leaf its point lies in: 0 to k - 1, int64.

        In a column of leaves it is the leaf's row and in a row its column, their bits reversed as in Hammersley's
        points, and scrambled by an exclusive or that every column and row of every pixel has of its own.
        """
        shift, last = self.depth // 2, self.atoms - 1
        x, y = leaves.ix & last, leaves.iy & last
        pixel = Nodes(leaves.frame, leaves.level - self.depth, leaves.ix >> shift, leaves.iy >> shift)
        bits = mix_address(self.seed_word, *pixel)
        of_column, of_row = mix(bits ^ COLUMNS) >> (shift * x), mix(bits ^ ROWS) >> (shift * y)
        return _reversed(y, shift) ^ (of_column & last), _reversed(x, shift) ^ (of_row & last)

    def points(self, nodes: Nodes) -> tuple[Tensor, Tensor]:
        """The point that stands for each node: one of its halves has the same point, and so on up and down.

        A leaf's is its jitter. A node above the leaves has the point of the half that a coin names; below them, the
        half that holds the node's point keeps it and the other half has a new one. So an atom that is split or merged
        moves no more of its measure than it must.
        """
        leaf_level = self.pixel_level + self.depth
        leaf = nodes.ancestor(leaf_level)
        while bool((leaf.level < leaf_level).any()):
            down = leaf.child(self.coin(leaf))
            leaf = Nodes(*(torch.where(leaf.level < leaf_level, d, u) for d, u in zip(down, leaf, strict=True)))
        x, y = self.jitter(leaf)
        deepest = int(nodes.level.max()) if nodes.level.numel() else 0
        for level in range(leaf_level + 1, deepest + 1):
            node = nodes.ancestor(level)
            left, top, width, height = self.rectangle(node)
            holds = (x >= left) & (x < left + width) & (y >= top) & (y < top + height)
            new_x, new_y = self.jitter(node)
            keep = holds | (nodes.level < level)
            x, y = torch.where(keep, x, new_x), torch.where(keep, y, new_y)
        return x, y

    def side_of(self, nodes: Nodes, x: Tensor, y: Tensor) -> Tensor:
        """Which half of each node holds a point. int64."""
        left, top, width, height = self.rectangle(nodes)
        return torch.where(nodes.level % 2 == 0, x >= left + 0.5 * width, y >= top + 0.5 * height).to(torch.int64)

    def coin(self, nodes: Nodes) -> Tensor:
        """0 or 1 for each node. int64."""
        return self._choice(nodes) >> 31

    def split_area(self, nodes: Nodes) -> Tensor:
        """The area now, noise pixels, above which each node is split: not the same for all, so that a zoom splits a
        few in every frame and not all in one. float32."""
        share = (self._choice(nodes) & 0xFFFFFF).to(torch.float32) * 2.0**-24
        return (share + 1.0) * self.least_split

    def _choice(self, nodes: Nodes) -> Tensor:
        return mix(mix_address(self.seed_word, *nodes) ^ CHOICE)


@lru_cache(maxsize=4)
def tree_order(height: int, width: int, device: torch.device) -> Tensor:
    """Where each cell of a grid stands in the tree: (height, width) int32, the bits of its column and row in turn."""
    x, y = torch.arange(width, device=device), torch.arange(height, device=device)
    of_x, of_y = torch.zeros_like(x), torch.zeros_like(y)
    for bit in range(max(width, height).bit_length()):
        of_x |= (x >> bit & 1) << (2 * bit + 1)
        of_y |= (y >> bit & 1) << (2 * bit)
    return of_x.to(torch.int32) | of_y.to(torch.int32)[:, None]


def _reversed(number: Tensor, bits: int) -> Tensor:
    """The lowest ``bits`` bits in reverse order."""
    result = torch.zeros_like(number)
    for bit in range(bits):
        result |= ((number >> bit) & 1) << (bits - 1 - bit)
    return result


def split_step(halvings: int, level: int) -> float:
    """sqrt(a) / 2 of the nodes of a level."""
    return float(2.0 ** (halvings - 1.0 - 0.5 * level))


def below(nodes: Nodes, code: Tensor) -> Nodes:
    """The nodes that heap codes name below others: 1 is the node itself, 2 c and 2 c + 1 are the halves of c. int64."""
    depth = bit_length(code) - 1
    result = nodes
    for step in range(int(depth.max()) if depth.numel() else 0):
        side = (code >> (depth - 1 - step).clamp(min=0)) & 1
        child = result.child(side)
        result = Nodes(*(torch.where(depth > step, c, r) for c, r in zip(child, result, strict=True)))
    return result


def leaf_nodes(pyramid: Pyramid, pixels: Tensor, codes: Tensor, frame: int) -> Nodes:
    """The leaves of pixels that codes (0 to k * k - 1) name, flat. ``pixels`` and ``codes`` broadcast."""
    pixels, codes = (t.flatten() for t in torch.broadcast_tensors(pixels, codes))  # type: ignore[no-untyped-call]
    level = torch.full_like(pixels, pyramid.pixel_level)
    cells = Nodes(
        torch.full_like(pixels, frame),
        level,
        pixels % pyramid.width,
        pixels // pyramid.width,
    )
    return below(cells, codes + (1 << pyramid.depth))


def bit_length(code: Tensor) -> Tensor:
    """The number of bits of positive integers below 2**32. int64."""
    length = torch.zeros_like(code, dtype=torch.int64)
    rest = code.to(torch.int64)
    for bits in (16, 8, 4, 2, 1):
        big = rest >= (1 << bits)
        length += big * bits
        rest = torch.where(big, rest >> bits, rest)
    return length + 1


__all__ = ["MASK", "MAX_CODE", "Nodes", "Pyramid", "below", "bit_length", "leaf_nodes", "split_step", "tree_order"]
