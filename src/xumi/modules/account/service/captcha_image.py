"""Pictures of a few letters that people read more easily than simple programs: PNG, drawn here, without a library.

Each letter is a bitmap of 5 × 7 points, turned, slanted and bent, with lines across and specks behind. A program that was trained on
such pictures reads them; they make guessing dearer, and the limit of guesses (`guess.py`) is what bounds it.
"""

import math
import random
import struct
import zlib

WIDTH, HEIGHT = 170, 60

_COLUMNS, _ROWS, _SCALE = 5, 7, 4.4
_CURVES, _SPECKS = 2, 120
_WHITE = 255

# Rows from the top, five bits each. What is easily mistaken for another (0 O Q, 1 I, 2 Z, 5 S, 6 G, 8 B) is left out.
FONT = {
    letter: bytes.fromhex(rows)
    for letter, rows in {
        "A": "0e11111f111111", "C": "0e11101010110e", "D": "1e11111111111e", "E": "1f10101e10101f", "F": "1f10101e101010",
        "H": "1111111f111111", "J": "0702020202120c", "K": "11121418141211", "L": "1010101010101f", "M": "111b1515111111",
        "N": "11111915131111", "P": "1e11111e101010", "R": "1e11111e141211", "T": "1f040404040404", "U": "1111111111110e",
        "V": "11111111110a04", "W": "1111111515150a", "X": "11110a040a1111", "Y": "11110a04040404", "3": "1f02040201110e",
        "4": "02060a121f0202", "7": "1f010204080808", "9": "0e11110f01020c",
    }.items()
}  # fmt: skip


class _Picture:
    """Grey points; what is drawn outside is lost."""

    def __init__(self) -> None:
        self._rows = [bytearray([_WHITE]) * WIDTH for _ in range(HEIGHT)]

    def dot(self, x: float, y: float, radius: float, shade: int) -> None:
        """A filled circle."""
        for row in range(max(0, math.ceil(y - radius)), min(HEIGHT, math.floor(y + radius) + 1)):
            half = math.sqrt(radius * radius - (row - y) ** 2)
            first, last = max(0, math.ceil(x - half)), min(WIDTH, math.floor(x + half) + 1)
            if first < last:
                self._rows[row][first:last] = bytes([shade]) * (last - first)

    def png(self) -> bytes:
        """The picture as a file: 8 bits of grey (PNG specification, 3rd edition)."""
        header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 0, 0, 0, 0)
        data = zlib.compress(b"".join(b"\0" + row for row in self._rows))
        chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def draw(text: str) -> bytes:
    """A picture of five letters of `FONT`, as a PNG file; another one each time."""
    picture = _Picture()
    for _ in range(_SPECKS):
        x, y = random.uniform(0, WIDTH), random.uniform(0, HEIGHT)
        picture.dot(x, y, random.uniform(0.5, 1.3), random.randrange(60, 220))
    bend, phase = random.uniform(2.0, 4.0), random.uniform(0, math.tau)
    step = WIDTH / (len(text) + 0.6)
    for place, letter in enumerate(text):
        x = (place + 0.8) * step + random.uniform(-3, 3)
        _draw_letter(picture, FONT[letter], x, HEIGHT / 2 + random.uniform(-6, 6), bend, phase)
    for _ in range(_CURVES):
        _draw_curve(picture)
    return picture.png()


def _draw_letter(picture: _Picture, rows: bytes, x: float, y: float, bend: float, phase: float) -> None:
    """Draw a letter around a point; all letters lie on the same wave."""
    angle, slant, size = (
        random.uniform(-0.4, 0.4),
        random.uniform(-0.25, 0.25),
        random.uniform(0.9, 1.15) * _SCALE,
    )
    sine, cosine, shade = math.sin(angle), math.cos(angle), random.randrange(0, 90)
    for row, bits in enumerate(rows):
        for column in range(_COLUMNS):
            if not bits >> (_COLUMNS - 1 - column) & 1:
                continue
            down = (row - (_ROWS - 1) / 2) * size
            right = (column - (_COLUMNS - 1) / 2) * size + slant * down
            across, along = x + right * cosine - down * sine, y + right * sine + down * cosine
            along += bend * math.sin(across / 18 + phase)
            picture.dot(across, along, size * random.uniform(0.6, 0.75), shade)


def _draw_curve(picture: _Picture) -> None:
    """Draw a line across in a letter's shade."""
    height, tilt = random.uniform(8, HEIGHT - 8), random.uniform(-0.15, 0.15)
    swing, length, phase = random.uniform(3, 9), random.uniform(12, 30), random.uniform(0, math.tau)
    shade = random.randrange(0, 90)
    for x in range(WIDTH):
        y = height + tilt * (x - WIDTH / 2) + swing * math.sin(x / length + phase)
        picture.dot(x, y, 1.0, shade)
