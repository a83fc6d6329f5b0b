"""Draws the mod's pictures and its figure from the palettes below: eight skins for the player model, and a
plain figure (`models/townsfolk_figure.obj`) that wears them in games without that model.

`python luanti_bridge_mod/textures/draw.py` writes them all; the same palettes give the same bytes.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

Colour = str
"""Six hexadecimal digits: red, green, blue."""
Box = tuple[int, int, int, int]

HERE = Path(__file__).parent
WIDTH, HEIGHT = 64, 32
FIGURE_HEIGHT = 17.5
"""In the model's units, ten to a node: as tall as the player."""

# Where the parts of the classic 64×32 skin lie: x, y, width, height.
HEAD: dict[str, Box] = {
    "top": (8, 0, 8, 8),
    "bottom": (16, 0, 8, 8),
    "right": (0, 8, 8, 8),
    "front": (8, 8, 8, 8),
    "left": (16, 8, 8, 8),
    "back": (24, 8, 8, 8),
}


def limb(x: int, width: int) -> dict[str, Box]:
    """The boxes of a part that is four deep and twelve high, whose block starts at (x, 16)."""
    return {
        "top": (x + 4, 16, width, 4),
        "bottom": (x + 4 + width, 16, width, 4),
        "right": (x, 20, 4, 12),
        "front": (x + 4, 20, width, 12),
        "left": (x + 4 + width, 20, 4, 12),
        "back": (x + 8 + width, 20, width, 12),
    }


LEG, BODY, ARM = limb(0, 4), limb(16, 8), limb(40, 4)


@dataclass(frozen=True)
class Look:
    """The colours of one townsperson."""

    skin: Colour
    hair: Colour
    eyes: Colour
    coat: Colour
    trim: Colour
    trousers: Colour
    boots: Colour
    apron: Colour | None = None
    beard: bool = False
    long_hair: bool = False


LOOKS = (
    Look("e0ac84", "5c3a22", "36568c", "3e6e48", "d6be78", "54463c", "342820"),
    Look(
        "f0c2a0",
        "b05c2a",
        "467846",
        "963c3c",
        "e8dcc4",
        "463e5c",
        "3c2c24",
        apron="e2d8c4",
        long_hair=True,
    ),
    Look(
        "c48c64",
        "28201e",
        "3c2c24",
        "465480",
        "bea05a",
        "3a363e",
        "28221e",
        beard=True,
    ),
    Look(
        "80543a",
        "1e1816",
        "2c201a",
        "c4943e",
        "6e3c28",
        "425046",
        "30241e",
        long_hair=True,
    ),
    Look(
        "e8b896",
        "bebab2",
        "506478",
        "685c74",
        "cec8be",
        "4e4a50",
        "2e2a2c",
        beard=True,
    ),
    Look(
        "d69e74",
        "7a4e28",
        "42603c",
        "806242",
        "5c4028",
        "60543e",
        "382a1e",
        apron="764e30",
        beard=True,
    ),
    Look(
        "f4ccb0",
        "dab660",
        "48709c",
        "568c96",
        "f0ead6",
        "786054",
        "46362c",
        long_hair=True,
    ),
    Look("a4704e", "3a281e", "32261e", "5c6836", "b09654", "463a30", "2c241c"),
)


class Picture:
    """Pixels with an alpha channel, all clear at first."""

    def __init__(self, width: int, height: int, seed: int) -> None:
        self.width, self.height = width, height
        self._pixels = [[(0, 0, 0, 0)] * width for _ in range(height)]
        self._random = random.Random(seed)

    def fill(self, box: Box, colour: Colour) -> None:
        """A box of one colour with a little grain, darker towards its lower edge."""
        x, y, width, height = box
        for row in range(height):
            for column in range(width):
                shade = self._random.randint(-7, 7) - 14 * row // max(1, height)
                red, green, blue = (max(0, min(255, part + shade)) for part in bytes.fromhex(colour))
                self._pixels[y + row][x + column] = (red, green, blue, 255)

    def png(self) -> bytes:
        """The whole picture as a PNG file."""
        rows = b"".join(b"\0" + b"".join(struct.pack("4B", *pixel) for pixel in row) for row in self._pixels)
        header = struct.pack(">IIBBBBB", self.width, self.height, 8, 6, 0, 0, 0)
        chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
            for kind, data in chunks
        )


def part(box: Box, x: int, y: int, width: int, height: int) -> Box:
    """A box inside a box."""
    return (box[0] + x, box[1] + y, width, height)


def skin(look: Look, seed: int) -> Picture:
    """One townsperson's skin."""
    picture = Picture(WIDTH, HEIGHT, seed)
    _head(picture, look)
    for box in BODY.values():
        picture.fill(box, look.coat)
    for side in ("front", "back", "left", "right"):
        picture.fill(part(BODY[side], 0, 9, BODY[side][2], 1), look.trim)
        for limb_box, colour in ((ARM[side], look.coat), (LEG[side], look.trousers)):
            picture.fill(limb_box, colour)
        picture.fill(part(ARM[side], 0, 8, 4, 1), look.trim)
        picture.fill(part(ARM[side], 0, 9, 4, 3), look.skin)
        picture.fill(part(LEG[side], 0, 8, 4, 4), look.boots)
    picture.fill(part(BODY["front"], 3, 0, 2, 2), look.skin)
    if look.apron:
        picture.fill(part(BODY["front"], 1, 3, 6, 9), look.apron)
        picture.fill(part(LEG["front"], 0, 0, 4, 3), look.apron)
    for box, colour in ((ARM["top"], look.coat), (ARM["bottom"], look.skin)):
        picture.fill(box, colour)
    for box, colour in ((LEG["top"], look.trousers), (LEG["bottom"], look.boots)):
        picture.fill(box, colour)
    return picture


def _head(picture: Picture, look: Look) -> None:
    for box in HEAD.values():
        picture.fill(box, look.skin)
    hair = 7 if look.long_hair else 3
    picture.fill(HEAD["top"], look.hair)
    picture.fill(part(HEAD["back"], 0, 0, 8, 8 if look.long_hair else 5), look.hair)
    picture.fill(part(HEAD["front"], 0, 0, 8, 2), look.hair)
    for side in ("left", "right"):
        picture.fill(part(HEAD[side], 0, 0, 8, hair), look.hair)
    for x in (1, 5):
        picture.fill(part(HEAD["front"], x, 4, 2, 1), "f0f0f0")
        picture.fill(part(HEAD["front"], x + (x == 1), 4, 1, 1), look.eyes)
    if look.beard:
        for side, x, width in (("front", 0, 8), ("left", 0, 4), ("right", 4, 4)):
            picture.fill(part(HEAD[side], x, 6, width, 2), look.hair)
    picture.fill(part(HEAD["front"], 3, 6, 2, 1), "96524a")


# Corners of a unit cube for each side, seen from outside, from the lower left on, counter-clockwise; the
# figure faces +z, its right hand is at -x.
SIDES: dict[str, tuple[tuple[int, int, int], ...]] = {
    "front": ((0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)),
    "back": ((1, 0, 0), (0, 0, 0), (0, 1, 0), (1, 1, 0)),
    "right": ((0, 0, 0), (0, 0, 1), (0, 1, 1), (0, 1, 0)),
    "left": ((1, 0, 1), (1, 0, 0), (1, 1, 0), (1, 1, 1)),
    "top": ((0, 1, 1), (1, 1, 1), (1, 1, 0), (0, 1, 0)),
    "bottom": ((0, 0, 0), (1, 0, 0), (1, 0, 1), (0, 0, 1)),
}
CORNERS = ((0, 1), (1, 1), (1, 0), (0, 0))
# Parts of the figure in pixels: the lower corner, the size, the boxes of the skin.
PARTS = (
    ((-4, 24, -4), (8, 8, 8), HEAD),
    ((-4, 12, -2), (8, 12, 4), BODY),
    ((-8, 12, -2), (4, 12, 4), ARM),
    ((4, 12, -2), (4, 12, 4), ARM),
    ((-4, 0, -2), (4, 12, 4), LEG),
    ((0, 0, -2), (4, 12, 4), LEG),
)


def figure() -> Iterator[str]:
    """The lines of a Wavefront OBJ file: six boxes that wear a skin."""
    scale = FIGURE_HEIGHT / 32
    yield "# Written by textures/draw.py; change it there."
    count = 0
    for lower, size, boxes in PARTS:
        for side, corners in SIDES.items():
            x, y, width, height = boxes[side]
            for corner, (u, v) in zip(corners, CORNERS, strict=True):
                point = (
                    scale * (low + part * length)
                    for low, part, length in zip(lower, corner, size, strict=True)
                )
                yield "v " + " ".join(f"{value:.4f}" for value in point)
                yield f"vt {(x + u * width) / WIDTH:.6f} {1 - (y + v * height) / HEIGHT:.6f}"
            count += 4
            yield "f " + " ".join(f"{index}/{index}" for index in range(count - 3, count + 1))


def main() -> None:
    """Write the skins and the figure."""
    for number, look in enumerate(LOOKS, 1):
        (HERE / f"townsfolk_skin_{number}.png").write_bytes(skin(look, number).png())
    model = HERE.parent / "models" / "townsfolk_figure.obj"
    model.parent.mkdir(exist_ok=True)
    model.write_text("\n".join(figure()) + "\n", encoding="utf-8")
    print(f"{len(LOOKS)} skins in {HERE}, the figure in {model}")


if __name__ == "__main__":
    main()
