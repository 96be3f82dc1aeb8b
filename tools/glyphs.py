"""Draws the letters of the report's picture once, into `alerts/data/glyphs.bin`.

    PYTHONPATH=folder-with-pillow python -m tools.glyphs /usr/share/fonts/truetype/dejavu

Needs Pillow, which nothing else here does: the function that draws pictures has the finished
letters (DejaVu Sans, whose licence lets its shapes be used freely) and no font engine. The file is
one zlib stream: a line of JSON, then the rows of all letters beside each other, a byte of opacity
for each pixel.
"""

from __future__ import annotations

import json
import sys
import zlib
from pathlib import Path
from typing import Any

LETTERS = "".join(map(chr, range(32, 127))) + "−…·×"
SIZES = {"small": ("DejaVuSans.ttf", 22), "large": ("DejaVuSans-Bold.ttf", 30)}
TARGET = Path("layers/autoscaler/autoscaler/alerts/data/glyphs.bin")


def drawn(font: Any) -> tuple[dict[str, Any], list[bytes]]:
    """The measures of one size and its rows of pixels."""
    from PIL import Image, ImageDraw

    ascent, descent = font.getmetrics()
    advances = [round(font.getlength(letter)) for letter in LETTERS]
    image = Image.new("L", (sum(advances), ascent + descent))
    left, places = 0, {}
    for letter, advance in zip(LETTERS, advances, strict=True):
        ImageDraw.Draw(image).text((left, 0), letter, fill=255, font=font)
        places[letter] = (left, advance)
        left += advance
    rows = [image.crop((0, y, image.width, y + 1)).tobytes() for y in range(image.height)]
    return {"width": image.width, "height": image.height, "places": places}, rows


def main(folder: Path) -> None:
    from PIL import ImageFont

    head, rows = {}, []
    for name, (file, size) in SIZES.items():
        head[name], more = drawn(ImageFont.truetype(str(folder / file), size))
        rows += more
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_bytes(zlib.compress(json.dumps(head).encode() + b"\n" + b"".join(rows), 9))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
