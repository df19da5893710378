"""The business's accent colour as a style sheet: readable on light and on dark pages, whatever colour was chosen."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

_ON_LIGHT: Final = (255, 255, 255)
_ON_DARK: Final = (38, 38, 38)
_INK: Final = (16, 24, 21)
_READABLE: Final = 500  # hundredths; WCAG asks 4.5 for text
_DEFAULT: Final = "0f5a4a"

Shade = tuple[int, int, int]


def stylesheet(colour: str) -> str:
    """CSS variables for an accent written as six hexadecimal digits; the house's own for anything else."""
    digits = colour.removeprefix("#").lower()
    if len(digits) != 6 or any(each not in "0123456789abcdef" for each in digits):
        digits = _DEFAULT
    chosen: Shade = (int(digits[0:2], 16), int(digits[2:4], 16), int(digits[4:6], 16))
    on_light = _until_readable(chosen, _ON_LIGHT, towards=(0, 0, 0))
    on_dark = _until_readable(chosen, _ON_DARK, towards=(255, 255, 255))
    return f":root{{--accent:light-dark({_hex(on_light)},{_hex(on_dark)});--accent-ink:light-dark(#fff,{_hex(_INK)});}}\n"


def contrast_with_white(colour: str) -> int:
    """The contrast of white text on that colour, in hundredths; WCAG's AA asks for 450."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return _contrast((red, green, blue), _ON_LIGHT)


def shades(colour: str) -> tuple[str, str]:
    """What becomes of a colour on light and on dark pages."""
    light, dark = stylesheet(colour).partition("light-dark(")[2].partition(")")[0].split(",")
    return light, dark


def _until_readable(shade: Shade, ground: Shade, *, towards: Shade) -> Shade:
    """Mix in small steps until text of that shade can be read on the ground; brighter first, so that it stays a colour."""
    if towards == (255, 255, 255) and 0 < max(shade) < 235:
        red, green, blue = (channel * 235 // max(shade) for channel in shade)
        for step in range(0, 101, 4):
            mixed = _mix(shade, (red, green, blue), step)
            if _contrast(mixed, ground) >= _READABLE:
                return mixed
        shade = (red, green, blue)
    for step in range(0, 101, 4):
        mixed = _mix(shade, towards, step)
        if _contrast(mixed, ground) >= _READABLE:
            return mixed
    return towards


def _mix(shade: Shade, towards: Shade, percent: int) -> Shade:
    red, green, blue = ((own * (100 - percent) + other * percent) // 100 for own, other in zip(shade, towards, strict=True))
    return red, green, blue


def _contrast(one: Shade, other: Shade) -> int:
    """WCAG's contrast ratio, in hundredths: 100 to 2100."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 50_000) * 100 // (darker + 50_000)


def _luminance(shade: Shade) -> int:
    """Relative luminance in millionths."""
    red, green, blue = (_linear(channel) for channel in shade)
    return (2126 * red + 7152 * green + 722 * blue) // 10_000


@lru_cache(maxsize=256)
def _linear(channel: int) -> int:
    """sRGB's curve, ((c + 0.055) / 1.055) ** 2.4, in millionths, by whole numbers: the fifth root of a twelfth power."""
    if channel <= 10:
        return channel * 1_000_000 // 3295
    power = ((channel * 1000) // 255 + 55) ** 12 * 10**30 // 1055**12
    low, high = 0, 1_000_000
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**5 <= power else (low, middle - 1)
    return low


def _hex(shade: Shade) -> str:
    return "#{:02x}{:02x}{:02x}".format(*shade)
