"""The chapter on the data: what each profile needs, and a picture of the stand-ins, written while the book is built.

The chapter is prose, `book/datasets.md`, that includes what this module writes. Nothing in it depends on which photographs
are there, and no photograph is shown.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from fergan.data.catalogue import CATALOGUE, Collection, Published
from fergan.files import atomic_path, hash_file, hash_parameters

__all__ = ["collections_table", "describe_collection", "profiles_table", "write_datasets_chapter"]

N_SHOWN = 10  # faces of each stand-in


def write_datasets_chapter(folder: Path, profiles: Path) -> None:
    """Write what `book/datasets.md` includes, unless these profiles and this code have written it before.

    Parameters
    ----------
    folder : Path
        Where to: ``profiles.md``, ``sets.md`` and ``stand-ins.png``.
    profiles : Path
        The folder of profiles.
    """
    package = Path(__file__).parent.parent.parent
    code = [path for part in ("rendered", "data", "book/tables") for path in package.glob(f"{part}/*.py")]
    key = hash_parameters({"made of": sorted(map(hash_file, (*code, *profiles.glob("*.yaml"))))})
    done = folder / "made-of.txt"
    if done.is_file() and done.read_text(encoding="utf-8") == key:
        return
    from fergan.book.report import numbered_table  # slow to import, like the renderer

    caption = "What each profile reads from the folder that DATA names."
    _write(folder / "profiles.md", numbered_table(profiles_table(profiles), "tab-profiles", caption).data)
    caption = "The collections that can be read: photographs and people as published, where they are."
    overview = numbered_table(collections_table(CATALOGUE), "tab-collections", caption).data
    _write(folder / "sets.md", "\n\n".join([overview, *(describe_collection(*item) for item in CATALOGUE.items())]))
    _draw_stand_ins(folder / "stand-ins.png")
    _write(done, key)


def _write(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def profiles_table(profiles: Path) -> pd.DataFrame:
    """Return one row per face set that a profile reads from disk, and one for each profile that reads none."""
    rows = []
    for path in sorted(profiles.glob("*.yaml")):
        datasets = yaml.safe_load(path.read_text(encoding="utf-8"))["datasets"]
        photographed = {name: dataset for name, dataset in datasets.items() if dataset["source"] != "rendered"}
        if not photographed:
            nothing = {"set": "all", "folder": "none", "source": "rendered", "where it is missing": "–"}
            rows.append({"profile": path.stem} | nothing)
        rows += [
            {"profile": path.stem, "set": name, "folder": _folder(dataset), "source": _source(dataset),
             "where it is missing": _missing(dataset)}
            for name, dataset in photographed.items()
        ]
    return pd.DataFrame(rows)


def _folder(place: dict[str, Any]) -> str:
    return f"`{place['folder']}/`" if place.get("folder") else "DATA itself"


def _source(place: dict[str, Any]) -> str:
    return f"{place['source']}, {place['variant']}" if place.get("variant") else place["source"]


def _missing(dataset: dict[str, Any]) -> str:
    otherwise = "left out" if dataset.get("optional") else "an error"
    substitute = dataset.get("substitute")
    return f"{substitute['name']} in {_folder(substitute)}, else {otherwise}" if substitute else otherwise


def collections_table(catalogue: Mapping[str, Collection]) -> pd.DataFrame:
    """Return one row per collection: how many photographs and people its owners say it has, and its terms."""
    return pd.DataFrame([
        {"collection": record.title, "source": f"`{source}`", "photographs": _number(record.variants[""].photographs),
         "people": _number(record.variants[""].people), "terms": record.licence}
        for source, record in catalogue.items()
    ])


def describe_collection(source: str, record: Collection) -> str:
    """Return the section on a collection as MyST."""
    facts = {
        "Who may have it": record.access, "Where": f"<{record.address}>", "Terms": record.licence,
        "Reference": f"{{cite:t}}`{record.citation}`",
    }
    parts = [
        f"(data-set-{source})=\n### {record.title}",
        record.description,
        "\n\n".join(f"{name}\n: {fact}" for name, fact in facts.items()),
        f"Its folder, as the source `{source}` expects it:",
        f"```text\n{record.tree}\n```",
        _counts(record.variants),
        "To mind:",
        "\n".join(f"- {trap}" for trap in record.traps),
    ]
    return "\n\n".join(part for part in parts if part)


def _counts(variants: Mapping[str, Published]) -> str:
    """Return what is published, one line for all variants of which the same is; nothing where nothing is."""
    alike: dict[str, list[str]] = {}
    for variant, published in variants.items():
        alike.setdefault(_holds(published), []).append(f"`{variant}`" if variant else "the default")
    lines = [f"- {', '.join(names)}: {holds}" for holds, names in alike.items() if holds]
    if len(variants) == 1:
        lines = [line.replace("the default: ", "") for line in lines]
    return "To be expected:\n\n" + "\n".join(lines) if lines else ""


def _holds(published: Published) -> str:
    words = [f"{n:,} {what}" for what, n in (("photographs", published.photographs), ("people", published.people)) if n]
    counts = published.emotions
    if len(set(counts.values())) == 1:
        words.append(f"{next(iter(counts.values())):,} of each of {len(counts)} emotions ({', '.join(counts)})")
    else:
        words += [f"{n:,} {emotion}" for emotion, n in counts.items()]
    return ", ".join(words)


def _number(n: int | None) -> str:
    return "–" if n is None else f"{n:,}"


def _draw_stand_ins(path: Path) -> None:
    """Draw one row of faces for each stand-in."""
    import matplotlib.pyplot as plt
    import numpy as np

    from fergan.book.figures.faces import labelled_face_rows
    from fergan.book.figures.style import use_style
    from fergan.data import open_photographs
    from fergan.rendered import STAND_INS

    use_style()
    rows = {}
    for name in STAND_INS:
        photographs = open_photographs(name, "rendered")
        chosen = np.linspace(0, len(photographs.labels) - 1, N_SHOWN).astype(int).tolist()
        rows[name] = np.stack([photograph.image for photograph in photographs.read(chosen)])
    figure = labelled_face_rows(rows, n_columns=N_SHOWN)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=160)
    plt.close(figure)
