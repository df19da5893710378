"""What the pages take from npm: only what they use, light enough, and complete."""

import gzip
import re

import pytest

from launch.assets import VENDOR, AssetsFailed, icons_asked_for, sprite

# A first page may weigh 100 KB compressed; this leaves room for the page itself and the business's own style.
SHARED_BYTES_MAX = 70_000


def test_what_every_page_loads_is_light() -> None:
    loaded = ["css/tabler.min.css", "css/tabler-payments.min.css", "js/htmx.min.js", "icons.svg"]
    compressed = {name: len(gzip.compress((VENDOR / name).read_bytes())) for name in loaded}
    assert sum(compressed.values()) < SHARED_BYTES_MAX, compressed


def test_the_trimmed_style_sheet_keeps_both_themes() -> None:
    sheet = (VENDOR / "css" / "tabler.min.css").read_text()
    assert "[data-bs-theme=dark]" in sheet
    assert "--tblr-primary" in sheet


def test_every_brands_picture_is_there() -> None:
    sheet = VENDOR / "css" / "tabler-payments.min.css"
    pictures = re.findall(r"url\(\"?([^)\"]+)\"?\)", sheet.read_text())
    assert len(pictures) > 100
    assert [picture for picture in pictures if not (sheet.parent / picture).exists()] == []


def test_icons_are_found_where_pages_ask_for_them() -> None:
    assert icons_asked_for(['{{ icon("lock") }} {{ icon( \'eye\', "Seen") }}', "favicon('x') icon(name)"]) == {"lock", "eye"}


def test_the_sprite_has_a_symbol_for_each_icon() -> None:
    drawn = sprite(["credit-card", "lock"])
    assert re.findall(r'<symbol id="([^"]+)"', drawn) == ["credit-card", "lock"]
    assert "<script" not in drawn


def test_an_icon_that_does_not_exist_is_named() -> None:
    with pytest.raises(AssetsFailed, match="no-such-icon"):
        sprite(["no-such-icon"])
