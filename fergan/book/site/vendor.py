"""The scripts that the pages use, fetched once from npm, so that the published pages need no network.

Each package is pinned by version and by the hash of its archive; of the archive only the files that a page can ask for
are unpacked. Nothing of a package is run while it is fetched.
"""

import base64
import hashlib
import shutil
import subprocess
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from fergan.files import read_json, write_json

__all__ = ["AXE", "PAGE_SCRIPTS", "NpmPackage", "VendorError", "fetch_packages"]

_STAMP = "packages.json"
_SECONDS = 180  # after which npm is taken to have no network


class VendorError(Exception):
    """Packages could not be fetched; the message says why."""


@dataclass(frozen=True)
class NpmPackage:
    """One package of npm and what is taken from it.

    Attributes
    ----------
    name, version : str
        As npm knows it.
    integrity : str
        The archive's hash as npm writes it: ``sha512-`` and the digest in base 64.
    folder : str
        Where its files go, relative to the folder of all packages.
    root : str
        The part of the archive that is taken, below its ``package/``.
    wanted : tuple of str
        Patterns of paths below `root`; the licence comes in any case.
    """

    name: str
    version: str
    integrity: str
    folder: str
    root: str
    wanted: tuple[str, ...]

    def place_of(self, member: str) -> str:
        """Return where a member of the archive goes, relative to the folder of all packages; empty if it is not wanted."""
        path = PurePosixPath(member)
        if ".." in path.parts:
            return ""
        if len(path.parts) == 2 and path.name.lower().startswith(("license", "licence")):
            return f"{self.folder}/LICENSE.txt"
        root = PurePosixPath("package") / self.root
        if not path.is_relative_to(root):
            return ""
        inside = str(path.relative_to(root))
        return f"{self.folder}/{inside}" if any(fnmatch(inside, pattern) for pattern in self.wanted) else ""


MATHJAX = NpmPackage(
    "mathjax", "3.2.2", "sha512-Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/O9NliPc+x77k1/FEsPsjKPZGJvtRZM1vO+geW0OhGw==",
    "mathjax", "es5", ("tex-mml-chtml.js", "input/tex/extensions/*", "output/chtml/*", "a11y/*", "sre/*", "ui/*"),
)
REQUIREJS = NpmPackage(
    "requirejs", "2.3.8", "sha512-7/cTSLOdYkNBNJcDMWf+luFvMriVm7eYxp4BcFCsAX0wF421Vyce5SXP17c+Jd5otXKGNehIonFlyQXSowL6Mw==",
    "requirejs", "", ("require.js",),
)
WIDGETS = NpmPackage(
    "@jupyter-widgets/html-manager", "1.0.14",
    "sha512-wglgQQ+VMj+MBKkTttdeoMtOah/H2A1w5GU1OAVXmDQqZYTK6C+oHZjQMxcNezIpiqUjC1YHKOo5XdP3ENvBng==",
    "html-manager", "dist", ("embed-amd.js", "*.woff2", "*.woff"),
)
#: What the pages load: equations and the widgets of Jupyter.
PAGE_SCRIPTS = (MATHJAX, REQUIREJS, WIDGETS)

#: What looks for barriers to readers with impairments; only the tests use it.
AXE = NpmPackage(
    "axe-core", "4.14.1", "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
    "axe-core", "", ("axe.min.js",),
)


def fetch_packages(folder: str | Path, packages: Iterable[NpmPackage] = PAGE_SCRIPTS) -> Path:
    """Have the wanted files of some packages in a folder, fetched with npm where they are not there yet.

    Parameters
    ----------
    folder : path
        Made anew unless it holds exactly these packages.
    packages : iterable of NpmPackage

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    VendorError
        npm is missing or fails, or an archive is not the pinned one.
    """
    folder, packages = Path(folder).resolve(), tuple(packages)
    stamp = {f"{package.name}@{package.version}": package.integrity for package in packages}
    if (folder / _STAMP).is_file() and read_json(folder / _STAMP) == stamp:
        return folder
    npm = shutil.which("npm")
    if npm is None:
        raise VendorError("npm is missing (it comes with Node.js)")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=".vendor-") as scratch:
        unpacked = Path(scratch) / "unpacked"
        for index, package in enumerate(packages):
            archive = _pack(npm, package, Path(scratch) / str(index))
            _check(package, archive)
            _unpack(package, archive, unpacked)
        write_json(unpacked / _STAMP, stamp)
        shutil.rmtree(folder, ignore_errors=True)
        unpacked.rename(folder)
    return folder


def _pack(npm: str, package: NpmPackage, into: Path) -> Path:
    """Download one archive; ``npm pack`` neither unpacks it nor runs anything of it."""
    into.mkdir()
    command = [npm, "pack", "--loglevel=error", "--pack-destination", str(into), f"{package.name}@{package.version}"]
    try:
        done = subprocess.run(command, cwd=into, capture_output=True, text=True, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise VendorError(f"npm could not fetch {package.name}: {error}") from error
    archives = list(into.glob("*.tgz"))
    if done.returncode or len(archives) != 1:
        reason = done.stderr.strip().splitlines()
        raise VendorError(f"npm could not fetch {package.name} {package.version}{': ' + reason[-1] if reason else ''}")
    return archives[0]


def _check(package: NpmPackage, archive: Path) -> None:
    found = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != package.integrity:
        raise VendorError(f"the archive of {package.name} {package.version} is not the pinned one: its hash is {found}")


def _unpack(package: NpmPackage, archive: Path, target: Path) -> None:
    with tarfile.open(archive) as content:
        for member in content.getmembers():
            place = package.place_of(member.name) if member.isfile() else ""
            if place:
                path = target / place
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.extractfile(member).read())
    if not (target / package.folder).is_dir():
        raise VendorError(f"the archive of {package.name} {package.version} holds none of {', '.join(package.wanted)}")
