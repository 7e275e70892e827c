"""What the built pages load and show: scripts fetched once from npm, small pictures, names of buttons, and all licences.

Each package of npm is pinned by version and by the hash of its archive; of the archive only the files that a page can ask
for are unpacked. Nothing of a package is run while it is fetched.
"""

import base64
import hashlib
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from urllib.parse import unquote

import yaml
from PIL import Image

from fergan.book.show import say
from fergan.cache import ROOT
from fergan.data.catalogue import CATALOGUE
from fergan.files import atomic_path, read_json, write_json

#: Pixels: twice the width of a page's column, for screens with two pixels per point.
WIDEST = 1480

_STAMP = "packages.json"
_SECONDS = 180  # after which npm is taken to have no network
_COLOURS = 20_000  # a drawing has fewer; it is kept exactly, because lines suffer most from loss
_QUALITY = 88
_TAG = re.compile(r"<img\b[^>]*>")
_LINK = re.compile(r'(\bhref="[^"]*_images/[^"]+?)\.png"')
_SOURCE = re.compile(r'\bsrc="([^"]*_images/[^"]+?)\.png"')
# What the theme says to readers who hear or speak to a page -> what takes its place. A spoken command names what is seen,
# so a button's name must hold it.
_MENDED = (
    (re.compile(r'(<button class="[^"]*search-button-field[^>]*?) aria-label="Search"'), r"\1"),
    (re.compile(r'(<summary) aria-label="Toggle hidden content"'), r"\1"),
    (re.compile(r'(<summary)>(<span class="toctree-toggle")'), r'\1 aria-label="Pages of this chapter">\2'),
    (re.compile(r'(<div) role="list"( class="citation-list">)'), r"\1\2"),
    (re.compile(r'(<i class="theme-switch[^>]*?) title="[^"]*"'), r'\1 aria-hidden="true"'),
)


class VendorError(Exception):
    """Packages could not be fetched; the message says why."""


@dataclass(frozen=True)
class NpmPackage:
    """One package of npm and what is taken from it; see ``scripts.yaml``."""

    name: str
    version: str
    integrity: str
    licence: str
    folder: str
    root: str
    wanted: list[str]

    def place_of(self, member: str) -> str:
        """Return where a member of the archive goes, relative to the folder of all packages; empty if it is not wanted."""
        path, root = PurePosixPath(member), PurePosixPath("package") / self.root
        if len(path.parts) == 2 and path.name.lower().startswith(("license", "licence")):
            return f"{self.folder}/LICENSE.txt"
        if ".." in path.parts or not path.is_relative_to(root):
            return ""
        inside = str(path.relative_to(root))
        return f"{self.folder}/{inside}" if any(fnmatch(inside, pattern) for pattern in self.wanted) else ""


_PINNED = yaml.safe_load(Path(__file__).with_name("scripts.yaml").read_text(encoding="utf-8"))
AXE, *PAGE_SCRIPTS = (NpmPackage(folder=name, **_PINNED[name]) for name in ("axe", "mathjax"))


def fetch_packages(folder: str | Path, packages: Iterable[NpmPackage] = PAGE_SCRIPTS) -> Path:
    """Have the wanted files of some packages in a folder, which is made anew unless it holds exactly these packages.

    Raises
    ------
    VendorError
        npm is missing or fails, or an archive is not the pinned one.
    """
    folder, packages = Path(folder).resolve(), tuple(packages)
    stamp = {f"{package.name}@{package.version}": package.integrity for package in packages}
    if (folder / _STAMP).is_file() and read_json(folder / _STAMP) == stamp:
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=".vendor-") as scratch:
        unpacked = Path(scratch) / "unpacked"
        for index, package in enumerate(packages):
            _unpack(package, _pinned_archive(package, Path(scratch) / str(index)), unpacked)
        write_json(unpacked / _STAMP, stamp)
        shutil.rmtree(folder, ignore_errors=True)
        unpacked.rename(folder)
    return folder


def _pinned_archive(package: NpmPackage, into: Path) -> Path:
    """Download one archive; ``npm pack`` neither unpacks it nor runs anything of it."""
    into.mkdir()
    npm, name = shutil.which("npm"), f"{package.name} {package.version}"
    if npm is None:
        raise VendorError("npm is missing (it comes with Node.js)")
    command = [npm, "pack", "--loglevel=error", "--pack-destination", str(into), f"{package.name}@{package.version}"]
    try:
        done = subprocess.run(command, cwd=into, capture_output=True, text=True, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise VendorError(f"npm could not fetch {name}: {error}") from error
    archives = list(into.glob("*.tgz"))
    if done.returncode or len(archives) != 1:
        raise VendorError(f"npm could not fetch {name}: {(done.stderr.strip().splitlines() or ['no archive came'])[-1]}")
    found = "sha512-" + base64.b64encode(hashlib.sha512(archives[0].read_bytes()).digest()).decode()
    if found != package.integrity:
        raise VendorError(f"the archive of {name} is not the pinned one: its hash is {found}")
    return archives[0]


def _unpack(package: NpmPackage, archive: Path, target: Path) -> None:
    with tarfile.open(archive) as content:
        for member in content.getmembers():
            place = package.place_of(member.name) if member.isfile() else ""
            if place:
                (target / place).parent.mkdir(parents=True, exist_ok=True)
                (target / place).write_bytes(content.extractfile(member).read())
    if not (target / package.folder).is_dir():
        raise VendorError(f"the archive of {package.name} {package.version} holds none of {', '.join(package.wanted)}")


def finish_pages(html: Path) -> None:
    """Make a built book's PNG pictures WebP, let its pages say their size and load them late, and mend names of buttons.

    A book that was finished before is left as it is but for what is new.
    """
    pictures = sorted((html / "_images").glob("*.png"))
    for png in pictures:
        _convert(png)
    for page in html.rglob("*.html"):
        before = page.read_text(encoding="utf-8")
        after = _LINK.sub(r'\1.webp"', _TAG.sub(lambda tag, page=page: _new_tag(tag.group(), page), before))
        for pattern, name in _MENDED:
            after = pattern.sub(name, after)
        if after != before:
            with atomic_path(page) as temporary:
                temporary.write_text(after, encoding="utf-8")
    for png in pictures:
        png.unlink()


def _convert(png: Path) -> None:
    with Image.open(png) as picture:
        image = picture.convert("RGBA" if "A" in picture.getbands() or "transparency" in picture.info else "RGB")
    if image.width > WIDEST:
        image = image.resize((WIDEST, round(image.height * WIDEST / image.width)), Image.Resampling.LANCZOS)
    drawn = image.getcolors(_COLOURS) is not None
    with atomic_path(png.with_suffix(".webp")) as temporary:
        image.save(temporary, "WEBP", lossless=drawn, quality=80 if drawn else _QUALITY, method=4)


def _new_tag(tag: str, page: Path) -> str:
    source = _SOURCE.search(tag)
    picture = (page.parent / f"{unquote(source.group(1))}.webp") if source else None
    if picture is None or not picture.is_file():
        return tag
    with Image.open(picture) as image:
        width, height = image.size
    tag = tag.replace(source.group(), f'src="{source.group(1)}.webp"')
    size = "" if re.search(r"\b(width|height|style)=", tag) else f' width="{width}" height="{height}"'
    return tag.replace("<img", f'<img loading="lazy" decoding="async"{size}', 1)


def write_licences(path: Path) -> None:
    """Write the tables of the book's page on licences; an equal file keeps its time stamp.

    They hold the packages that ``requirements.txt`` pins, one ``name==version  # reason`` a line, with the licence that each
    installed package states; the scripts from npm; and the collections of faces.
    """
    pinned = re.findall(r"^([\w.-]+)==(\S+)\s+# (.*)$", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.M)
    packages = [{"package": name, "version": version, "licence": _licence_of(name), "purpose": purpose}
                for name, version, purpose in pinned]
    text = say("licences", "tables", packages=packages, scripts=PAGE_SCRIPTS, collections=list(CATALOGUE.values())) + "\n"
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _licence_of(name: str) -> str:
    """Return a package's licence in a few words; its metadata may hold an expression, a text or a classifier."""
    try:
        content = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return "not installed"
    named = [line.rsplit("::", 1)[-1].strip() for line in content.get_all("Classifier", []) if line.startswith("License ::")]
    text = (content.get("License") or "").strip()
    return (content.get("License-Expression") or ", ".join(licence for licence in named if licence != "OSI Approved")
            or (text if 0 < len(text) < 60 else "see the package"))
