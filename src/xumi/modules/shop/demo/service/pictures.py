"""Pictures of products that do not exist, drawn from their names: the same name is always the same picture."""

import re
from hashlib import blake2b

NAME = re.compile(r"[a-z0-9-]{1,64}")
_SIZE = 800


def draw(name: str) -> str:
    """An SVG of 800 by 800; the part of the name before the first hyphen decides about its colours, the whole about its forms.

    Raises:
        ValueError: the name is not of 1 to 64 lower-case letters, digits and hyphens.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a picture")
    hue = _bytes(name.partition("-")[0])[0] * 360 // 256
    chance = _bytes(name)
    light, dark = f"hsl({hue} 60% 92%)", f"hsl({hue} 45% 42%)"
    forms = [_draw_form(chance[at : at + 4], hue) for at in range(1, 21, 4)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_SIZE} {_SIZE}" role="img">'
        f'<rect width="{_SIZE}" height="{_SIZE}" fill="{light}"/>'
        f"{''.join(forms)}"
        f"{_draw_vessel(chance[21:], dark)}</svg>"
    )


def _bytes(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=32).digest()


def _draw_form(chance: bytes, hue: int) -> str:
    x, y, size, turn = chance
    fill = f"hsl({(hue + turn // 4) % 360} 55% {70 + turn % 16}%)"
    place = f'cx="{x * _SIZE // 256}" cy="{y * _SIZE // 256}"'
    return f'<circle {place} r="{60 + size // 2}" fill="{fill}" opacity="0.6"/>'


def _draw_vessel(chance: bytes, fill: str) -> str:
    """A silhouette in the middle: a foot, a body, a neck."""
    foot, body, neck, height = (part % 80 for part in chance[:4])
    middle, top, bottom = _SIZE // 2, 240 - height, 620
    left, right = middle - 110 - body, middle + 110 + body
    outline = (
        f"M{middle - 60 - foot} {bottom} "
        f"C{left} {bottom - 40} {left} {bottom - 240} {middle - 30 - neck} {top} "
        f"L{middle + 30 + neck} {top} "
        f"C{right} {bottom - 240} {right} {bottom - 40} {middle + 60 + foot} {bottom} Z"
    )
    shine = f'<ellipse cx="{middle - 50}" cy="440" rx="18" ry="90" fill="#fff" opacity="0.35"/>'
    return f'<path d="{outline}" fill="{fill}"/>{shine}'
