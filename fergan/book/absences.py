"""What of a profile's data is not there, and what becomes of it.

A set that is marked optional may be missing, which it also is where its folder holds no files or not the table that its
source reads: a named substitute takes its place where there is one, else the set and its experiments are left out.
"""

import difflib
import os
from collections.abc import Iterator
from pathlib import Path

from fergan.book.profile_schema import Absences, DatasetProfile, Profile, Substitute

__all__ = ["data_faults", "folder_faults", "nothing_left", "without_set", "without_what_is_missing"]

#: Sources that read a table beside the photographs -> what it is.
_WITH_CSV = {"manifest": "a table with a column 'path'", "enhanced-ck": "the table of Action Units per frame"}


def _absent(profile: Profile, place: DatasetProfile | Substitute) -> str:
    """Return why a set counts as absent, in words that follow its folder's name; nothing where it is there."""
    if place.source == "rendered":
        return ""
    if not profile.data:
        return "does not exist"
    folder = Path(profile.data) / place.folder
    try:
        if not folder.is_dir():
            return "is a file" if folder.exists() else "does not exist" + _alike(profile, place.folder)
        if place.source in _WITH_CSV and not (folder / place.csv).is_file():
            return f"holds no {place.csv}, {_WITH_CSV[place.source]}"
        return "" if _holds_files(folder) else "holds no files"
    except PermissionError:  # something is there; opening it says what may not be read
        return ""


def _holds_files(folder: Path) -> bool:
    """Say whether a file lies anywhere in a folder, but for the hidden ones that systems leave behind."""
    def refuse(error: OSError) -> None:
        raise error

    parts = os.walk(folder, onerror=refuse, followlinks=True)
    return any(not name.startswith(".") for _, _, names in parts for name in names)


def _alike(profile: Profile, folder: str) -> str:
    """Return which folder may be meant by one that is not there, in words that follow "does not exist"."""
    places = [place for dataset in profile.datasets.values() for place in (dataset, dataset.substitute) if place]
    expected = {place.folder for place in places}
    try:
        there = [entry.name for entry in os.scandir(profile.data) if entry.is_dir() and entry.name not in expected]
    except OSError:
        return ""
    by_case = {name.casefold(): name for name in there}
    alike = by_case.get(folder.casefold()) or next(iter(difflib.get_close_matches(folder, there, n=1, cutoff=0.75)), "")
    return f" (is it {alike}, which is there? Then name it {folder})" if alike else ""


def data_faults(profile: Profile) -> Iterator[str]:
    """Yield what is wrong with the data folder itself, where a set of photographs needs it."""
    folders = {dataset.folder for dataset in profile.datasets.values() if dataset.source != "rendered"}
    folders |= {Path(folder).name for folder in profile.absences.folders.values()}
    if not profile.data or not folders:
        return
    data = Path(profile.data)
    try:
        if data.is_dir() and not os.access(data, os.R_OK | os.X_OK):
            yield f"the data folder {data} may not be read; give yourself the right to, for example chmod u+rx {data}"
        elif data.is_file():
            yield f"the data folder {data} is a file; give the folder that holds the photographs"
        elif not data.exists():
            siblings = [path.name for path in data.parent.iterdir() if path.is_dir()] if data.parent.is_dir() else []
            alike = difflib.get_close_matches(data.name, siblings, n=1)
            hint = f"; did you mean {data.parent / alike[0]}?" if alike else ""
            yield f"the data folder {data} does not exist{hint}"
        elif not any((data / folder).is_dir() for folder in folders):
            own = next((folder for folder in folders if folder.casefold() == data.name.casefold()), "")
            if own:
                yield f"the data folder {data} looks like {own} itself; give the folder that holds it, DATA={data.parent}"
    except PermissionError as error:
        yield f"the data folder {data} may not be read: {error.strerror.lower()} at {error.filename}"


def without_what_is_missing(profile: Profile) -> Profile:
    """Replace the sets that are not there by their substitutes, and leave out the optional ones that have none."""
    datasets, replaced, left_out, folders, reasons, substitutes = {}, {}, [], {}, {}, {}
    for name, dataset in profile.datasets.items():
        if reason := _absent(profile, dataset):
            substitute = dataset.substitute
            folders[name] = profile.dataset_folder(name) if profile.data else f"DATA/{dataset.folder}"
            reasons[name] = reason
            if substitute and not _absent(profile, substitute):
                place = substitute.model_dump(exclude={"name"})
                dataset, replaced[name] = dataset.model_copy(update=place), substitute.name
            elif dataset.optional:
                left_out.append(name)
                if substitute:
                    where = Path(profile.data or "DATA") / substitute.folder
                    substitutes[name] = f"{substitute.name} in {where}"
                continue
        datasets[name] = dataset
    kept, lost = {"datasets": datasets}, {}
    for kind in ("emotion_experiments", "au_experiments"):
        everything = getattr(profile, kind)
        lost[kind] = [experiment for experiment in everything if set(experiment.sets) & set(left_out)]
        kept[kind] = [experiment for experiment in everything if experiment not in lost[kind]]
    absences = Absences(
        replaced=replaced, left_out=left_out, folders=folders, reasons=reasons, substitutes=substitutes, **lost
    )
    return profile.model_copy(update=kept | {"absences": absences})


def nothing_left(profile: Profile) -> list[str]:
    """Return what to do where no experiment is left, or nothing."""
    absences = profile.absences
    if not absences.left_out or profile.emotion_experiments or profile.au_experiments:
        return []
    if not profile.data:
        fault = "no folder of photographs was given; expected in it are"
    elif profile.datasets:
        fault = f"with only {', '.join(profile.datasets)} no experiment can be made; missing are"
    else:
        fault = f"none of its face sets is in {profile.data}; expected are"
    expected = "\n".join(
        f"  {name}: {absences.folders[name]}{'' if reason == 'does not exist' else ' ' + reason}"
        for name in absences.left_out for reason in [absences.reasons[name]]
    )
    return [
        f"{fault}\n{expected}\nGive the folder that holds them, for example DATA=/path PROFILE={profile.name} make book. "
        "How to get each: the chapter \"The data\", book/datasets.md."
    ]


def folder_faults(profile: Profile, name: str) -> list[str]:
    """Return what is wrong with the folder of a set that cannot be left out: one sentence, or nothing."""
    dataset = profile.datasets[name]
    if dataset.source == "rendered":
        return []
    if not profile.data:
        return [f"datasets.{name} needs photographs; give their folder, for example DATA=/path make book"]
    reason, folder = _absent(profile, dataset), Path(profile.dataset_folder(name))
    if not reason:
        return []
    if reason.startswith(f"holds no {dataset.csv},"):
        return [f"datasets.{name}.csv: {folder / dataset.csv} does not exist; expected {_WITH_CSV[dataset.source]}"]
    what = "a folder of photographs with a CSV" if dataset.source == "manifest" else f"the folder of {dataset.source}"
    return [f"datasets.{name}.folder: {folder} {reason}; expected {what}"]


def without_set(profile: Profile, name: str) -> str:
    """Return what becomes of a set where its folder is moved away: replaced or left out; empty where it is needed."""
    dataset = profile.datasets[name]
    if name not in profile.absences.replaced and dataset.substitute and not _absent(profile, dataset.substitute):
        return f"replaced by {dataset.substitute.name}"
    return "left out" if dataset.optional else ""
