"""A canvas of pixels with rectangles and letters, and the PNG of it. Nothing but zlib.

Pillow would be 20 MB in a layer that every function loads, for one picture a week.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

Colour = tuple[int, int, int]


class Canvas:
    """Pixels with the origin at the top left."""

    def __init__(self, width: int, height: int, colour: Colour) -> None:
        self.width, self.height = width, height
        self._pixels = bytearray(bytes(colour) * (width * height))

    def rectangle(self, left: int, top: int, width: int, height: int, colour: Colour) -> None:
        """Filled; what lies outside is cut off."""
        first, last = max(0, left), min(self.width, left + width)
        if first >= last:
            return
        row = bytes(colour) * (last - first)
        for y in range(max(0, top), min(self.height, top + height)):
            start = 3 * (y * self.width + first)
            self._pixels[start : start + len(row)] = row

    def text(self, left: int, top: int, text: str, font: Font, colour: Colour) -> None:
        """Its top left corner at (left, top)."""
        for letter in text:
            x, advance = font.place(letter)
            self._letter(left, top, x, advance, font, colour)
            left += advance

    def _letter(
        self, left: int, top: int, x: int, advance: int, font: Font, colour: Colour
    ) -> None:
        for row in range(font.height):
            y = top + row
            opacities = font.pixels[row * font.width + x : row * font.width + x + advance]
            if not any(opacities) or not 0 <= y < self.height:
                continue
            for column, opacity in enumerate(opacities):
                if opacity and 0 <= left + column < self.width:
                    self._blend(3 * (y * self.width + left + column), opacity, colour)

    def _blend(self, at: int, opacity: int, colour: Colour) -> None:
        for channel in range(3):
            below = self._pixels[at + channel]
            self._pixels[at + channel] = below + (colour[channel] - below) * opacity // 255

    def png(self) -> bytes:
        """Eight bits a channel, no interlacing (RFC 2083)."""
        stride = 3 * self.width
        rows = (self._pixels[y * stride : (y + 1) * stride] for y in range(self.height))
        head = struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0)
        body = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
        chunks = ((b"IHDR", head), (b"IDAT", body), (b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@dataclass(frozen=True)
class Font:
    """Letters of one size, drawn beforehand (tools/glyphs.py)."""

    width: int  # of all letters beside each other
    height: int
    places: dict[str, tuple[int, int]]  # where each begins, and how wide it is
    pixels: bytes

    def place(self, letter: str) -> tuple[int, int]:
        """A letter that was not drawn is shown as a question mark."""
        found = self.places.get(letter) or self.places["?"]
        return found[0], found[1]

    def measure(self, text: str) -> int:
        """Pixels from its beginning to its end."""
        return sum(self.place(letter)[1] for letter in text)

    def cut(self, text: str, width: int) -> str:
        """As much of it as fits."""
        if self.measure(text) <= width:
            return text
        while text and self.measure(text + "…") > width:
            text = text[:-1]
        return text + "…"


@cache
def fonts() -> dict[str, Font]:
    """`small` and `large`."""
    stored = files(__package__).joinpath("data/glyphs.bin").read_bytes()
    line, _, pixels = zlib.decompress(stored).partition(b"\n")
    found: dict[str, Font] = {}
    head: dict[str, Any] = json.loads(line)
    for name, size in head.items():
        length = size["width"] * size["height"]
        found[name] = Font(size["width"], size["height"], size["places"], pixels[:length])
        pixels = pixels[length:]
    return found
