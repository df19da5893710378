"""Copies what our pages take from npm into `api/static/vendor/`. Run by `make assets`; nothing of it is committed.

    vendor/css/tabler.min.css            the rules of Tabler that our pages use
    vendor/css/tabler-payments.min.css   brands of cards and banks; their pictures are in vendor/img/payments/
    vendor/js/htmx.min.js
    vendor/fonts/                        DejaVu Sans, which documents are typeset in; no page asks for it
    vendor/icons.svg                     one <symbol> for each `icon("name")` that a page asks for

npm comes from the machine where it is installed, else from the wheel locked in `requirements-node.lock`.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
PACKAGES: Final = ROOT / "node_modules"
VENDOR: Final = ROOT / "api" / "static" / "vendor"
NODE_MAJOR_MIN: Final = 20

_COPIES: Final = {
    "@tabler/core/dist/css/tabler-payments.min.css": "css/tabler-payments.min.css",
    "@tabler/core/dist/img/payments": "img/payments",
    "htmx.org/dist/htmx.min.js": "js/htmx.min.js",
    "dejavu-fonts-ttf/ttf/DejaVuSans.ttf": "fonts/DejaVuSans.ttf",
    "dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf": "fonts/DejaVuSans-Bold.ttf",
}
_ICON_CALL: Final = re.compile(r"""\bicon\(\s*["']([a-z0-9-]+)["']""")
_SOURCE_MAP: Final = re.compile(r"/\*# sourceMappingURL=[^*]*\*/\s*$")


class AssetsFailed(Exception):
    """An asset could not be made; the message says which and why."""


def main() -> None:
    environment = _environment_with_npm()
    if _packages_are_old():
        _run(["npm", "ci"], environment)
    # Made beside the old one and swapped, so that a running server misses nothing for long.
    fresh = VENDOR.with_name("vendor.new")
    shutil.rmtree(fresh, ignore_errors=True)
    _fill(fresh, environment)
    shutil.rmtree(VENDOR, ignore_errors=True)
    fresh.rename(VENDOR)


def _fill(folder: Path, environment: dict[str, str]) -> None:
    for source, target in _COPIES.items():
        _copy(PACKAGES / source, folder / target)
    purge = ["npx", "--no-install", "purgecss", "--config", "purgecss.config.cjs"]
    _run([*purge, "--output", str(folder / "css")], environment)
    stylesheet = folder / "css" / "tabler.min.css"
    stylesheet.write_text(_SOURCE_MAP.sub("", stylesheet.read_text()))
    (folder / "icons.svg").write_text(sprite(sorted(icons_asked_for(_pages()))))


def _packages_are_old() -> bool:
    installed = PACKAGES / ".package-lock.json"
    return not installed.exists() or installed.stat().st_mtime < (ROOT / "package-lock.json").stat().st_mtime


def icons_asked_for(pages: Iterable[str]) -> set[str]:
    """The names in every `icon("name")` of the given texts."""
    return {name for page in pages for name in _ICON_CALL.findall(page)}


def sprite(names: Iterable[str]) -> str:
    """One SVG file with a symbol for each icon; a page shows one by `<use href="…/icons.svg#name">`."""
    return "\n".join(['<svg xmlns="http://www.w3.org/2000/svg">', *map(_symbol, names), "</svg>\n"])


def _symbol(name: str) -> str:
    drawing = PACKAGES / "@tabler" / "icons" / "icons" / "outline" / f"{name}.svg"
    if not drawing.exists():
        raise AssetsFailed(f'a page asks for icon("{name}"), which Tabler does not have')
    inside = drawing.read_text().split(">", maxsplit=1)[1].rsplit("</svg>", maxsplit=1)[0]
    strokes = " ".join(line.strip() for line in inside.splitlines() if line.strip())
    return (
        f'<symbol id="{name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" '
        f'stroke-linecap="round" stroke-linejoin="round">{strokes}</symbol>'
    )


def _pages() -> Iterator[str]:
    for path in sorted((ROOT / "api").rglob("*")):
        if path.suffix in {".html", ".py"} and VENDOR not in path.parents:
            yield path.read_text()


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    elif source.suffix == ".ttf":
        shutil.copyfile(source, target)
    else:
        target.write_text(_SOURCE_MAP.sub("", source.read_text()))


def _environment_with_npm() -> dict[str, str]:
    """Our environment, with a usable npm first in its PATH."""
    if not _node_is_new_enough():
        print("No Node.js here (or an old one): installing it into the virtual environment.")  # noqa: T201
        _run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
             "--require-hashes", "-r", "requirements-node.lock"],
            dict(os.environ),
        )  # fmt: skip
        return {**os.environ, "PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"}
    return dict(os.environ)


def _node_is_new_enough() -> bool:
    if shutil.which("node") is None or shutil.which("npm") is None:
        return False
    version = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True).stdout
    return int(version.removeprefix("v").split(".")[0]) >= NODE_MAJOR_MIN


def _run(command: list[str], environment: dict[str, str]) -> None:
    ended = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    if ended.returncode != 0:
        raise AssetsFailed(f"{' '.join(command)} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")


if __name__ == "__main__":
    main()
