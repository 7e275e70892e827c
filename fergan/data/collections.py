"""The collections in folders: one function each, from what its owners ship to paths and labels; and `open_photographs`.

All take (root, files, variant, csv): the folder of the collection and its files, and what `open_photographs` was asked for.
What the folders look like, how files are named and what codes mean stands in catalogue.yaml.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from fergan.data import folders
from fergan.data.config import CATALOGUE
from fergan.data.folders import Contents, Files, is_picture, name_of, read_lines, read_named, some_of
from fergan.data.photographs import FolderPhotographs, Photographs, RenderedPhotographs
from fergan.facs import ACTION_UNITS

#: KDEF: two files are shipped with cut names, where exactly one name of the rule is absent in their folder. The letter that
#: is left agrees with it for AM31 ("H" of "HR"); for AF31 ("V") it says nothing. Users of the set give these two as well.
KDEF_MISNAMED = {"AF31V.JPG": "AF31SAHL.JPG", "AM31H.JPG": "AM31SUHR.JPG"}
RAF_DB_TABLE = "EmoLabel/list_patition_label.txt"
#: CelebA's tables -> the column that is read, the label that it becomes, and what may stand in it and means.
CELEBA_TABLES = {
    "list_eval_partition": ("partition", "split", CATALOGUE["celeba"].codes["split"]),
    "list_attr_celeba": ("Smiling", "AU12", {"1": 1.0, "-1": 0.0}),
    "identity_CelebA": ("identity", "subject", {}),
}
CELEBA_FOLDERS = {"": "img_align_celeba", "aligned": "img_align_celeba", "in-the-wild": "img_celeba"}

_SFEW_FRAME = re.compile(r"(?P<film>.+)_\d+_\d+\.\w+")  # film, time and frame: Airheads_000519240_00000005.png
_CK_LABEL = re.compile(r"(?P<sequence>S\d{3}_\d{3})_(?P<frame>\d{8})_(?P<kind>emotion|facs)\.txt")
_TIME_STAMP = 1000  # frames of some sequences are numbered by the time of day, from such numbers on
#: What may stand in a table of codes; FACS grades the intensity of what is shown from A (trace) to E (maximum).
_CODES = {"": np.nan, "0": 0.0, "1": 1.0} | dict.fromkeys("ABCDE", 1.0)


def open_photographs(name: str, source: str, *, folder: str | None = None, csv: str = "labels.csv", variant: str = "",
                     n_faces: int | None = None, seed: int = 0) -> Photographs:
    """Open a collection, one of `fergan.data.config.Source`, or a variant of it, before its faces are cropped.

    `name` is what the face set is called; for ``"rendered"``, which stand-in. `folder` holds the photographs (see
    catalogue.yaml) and the table `csv`: of frames for ``"enhanced-ck"``, else with a column ``path``. A folder of any
    collection may hold such a table: then it is read as ``"manifest"``, whatever its files are called. With `n_faces` at
    most so many are drawn, or rendered, by `seed`.

    ValueError for an unknown variant; it or OSError where folder or table is missing, unreadable or of something else.
    """
    known = CATALOGUE[source].variants if source in CATALOGUE else [""]
    if variant not in known:
        raise ValueError(f"variant is {variant!r}; source {source!r} has {', '.join(map(repr, known))}")
    if source == "rendered":
        return RenderedPhotographs(name, n_faces=n_faces, seed=seed)
    if not folder:
        raise ValueError(f"source {source!r} needs parameter folder: the folder that holds the photographs")
    place = Path(folder).expanduser()
    if not place.is_dir():
        raise FileNotFoundError(f"folder is {place}, which does not exist; set it to where the photographs lie")
    if source == "manifest" or folders.has_manifest(place / csv):
        return FolderPhotographs(name, place, folders.read_manifest(place / csv), n_faces=n_faces, seed=seed)
    record = CATALOGUE[source]
    root = next((place / inside for inside in record.inside if (place / inside).is_dir()), place)
    files = folders.list_files(root)
    contents = LOADERS[source](root, files, variant, csv)
    if contents.labels.empty:
        what = f"{record.title} (variant {variant!r})" if variant else record.title
        seen = f"the first of {len(files):,} files there: {', '.join(list(files)[:5])}" if files else "it holds no files"
        why = next((f" ({path}: {why})" for path, why in contents.unknown.items()), "")
        why += f"; not looked into: {some_of(files.refused)}" if files.refused else ""
        raise FileNotFoundError(f"{place} holds no photograph of {what}; {seen}{why}. Expected is\n{record.tree}")
    return FolderPhotographs(name, place, contents, n_faces=n_faces, seed=seed)


def rafd_names(models: Iterable[tuple[str, str, str]], variant: str = "") -> Iterator[str]:
    """Generate the names of all photographs of these models, each given as its number (two digits), group and sex."""
    codes = CATALOGUE["rafd"].codes
    cameras = ["090"] if variant == "frontal" else codes["view"]
    gazes = ["frontal"] if variant == "multiview" else codes["gaze"]
    for (number, group, sex), camera, emotion, gaze in product(models, cameras, codes["emotion"], gazes):
        yield f"Rafd{camera}_{number}_{group}_{sex}_{emotion}_{gaze}.jpg"


def read_rafd(root: Path, files: Files, variant: str, csv: str) -> Contents:
    """RaFD: file names say everything. ``"frontal"`` is the camera at 90 degrees, ``"multiview"`` the frontal gaze."""
    table, unknown = read_named(files, "rafd")
    # Of the models that are there, for which numbers were given is nowhere published.
    models = table[["subject", "group", "sex"]].drop_duplicates().itertuples(index=False, name=None)
    missing = [name for name in rafd_names(models, variant) if name not in table.index]
    if variant:
        table = table[table[{"frontal": "view", "multiview": "gaze"}[variant]] == "frontal"]
    return Contents(root, files, table, missing=missing, unknown=unknown)


def kdef_names(variant: str = "") -> Iterator[str]:
    """Generate the names of all photographs of both sessions, or of one."""
    codes = CATALOGUE["kdef"].codes
    sessions = [session for session, named in codes["session"].items() if variant in ("", named)]
    yield from map("".join, product(sessions, codes["subject"], codes["emotion"], codes["view"], [".JPG"]))


def read_kdef(root: Path, files: Files, variant: str, csv: str) -> Contents:
    """KDEF: names of eight letters, of which AF01 and BF01 are the same woman; averaged faces (AKDEF) are left alone."""
    table, unknown = read_named(files, "kdef", lambda name: KDEF_MISNAMED.get(name.upper(), name.upper()))
    problems = [f"{root / path}: taken for {true}, by the name that is absent there"
                for true, path in table["source"].items() if name_of(path).upper() in KDEF_MISNAMED]
    missing = [name for name in kdef_names(variant) if name not in table.index]
    table = table[table["session"] == variant] if variant else table
    return Contents(root, files, table, missing=missing, unknown=unknown, problems=problems)


def _read_column(path: Path, column: str, codes: Mapping[str, str]) -> dict[str, str]:
    """Return what one column of a table says of each picture; a header, where there is one, names all columns."""
    what = f"a picture's name and {column}, {' or '.join(codes) or 'a number'}"
    told, head = {}, [column]
    for number, line in enumerate(read_lines(path, what), start=1):
        name, *values = line.replace(",", " ").split() or [""]
        if not told and column in (name, *values):
            head = [word for word in (name, *values) if word != "image_id"]
        elif name and (told or is_picture(name)):
            value = values[head.index(column)] if len(values) == len(head) else ""
            if name in told or not (value in codes if codes else value.isdigit()):
                raise ValueError(f"{path}, line {number}: {line[:40].strip()!r}; expected {what}, each picture once")
            told[name] = codes.get(value, value)
    return told


def read_raf_db(root: Path, files: Files, variant: str, csv: str) -> Contents:
    """RAF-DB, the basic set: a table of labels; the official split is in the names that it lists.

    Photographs are known by their names, at whatever depth below ``Image/original`` or ``Image/aligned`` the archive inside
    the archive was unpacked. Nobody is named, so every photograph counts as a person of its own.
    """
    place, ending = ("Image/aligned/", "_aligned.jpg") if variant == "aligned" else ("Image/original/", ".jpg")
    pictures = sorted((path for path in files if path.startswith(place) and is_picture(path)), key=lambda p: p.count("/"))
    by_name, again = folders.first_of_name({path: name_of(path) for path in pictures})
    told = _read_column(root / RAF_DB_TABLE, "emotion", CATALOGUE["raf-db"].codes["emotion"])
    table = pd.DataFrame({"emotion": pd.Series(told, dtype="string")})
    table["split"] = table.index.str.partition("_").get_level_values(0)
    table.index = table.index.str.removesuffix(".jpg") + ending
    table["source"] = [by_name.get(name) for name in table.index]
    unknown = {path: f"not in {RAF_DB_TABLE}" for name, path in by_name.items() if name not in table.index}
    missing = [place + name for name in table.index if name not in by_name]
    labels = table[table["source"].notna()].assign(view="wild")
    return Contents(root, files, labels, [RAF_DB_TABLE], missing=missing, unknown=unknown | again)


def read_celeba(root: Path, files: Files, variant: str, csv: str) -> Contents:
    """CelebA: tables, as text or CSV, some of which may be missing, and photographs wherever they were unpacked."""
    places = {name_of(path).removesuffix(end): path for end in (".csv", ".txt") for path in files if path.endswith(end)}
    # Their folder may lie anywhere and be nested in one of its name.
    there = (path for path in files if path.count("/") and is_picture(path))
    pictures = {name_of(path): path for path in there if path.split("/")[-2] == CELEBA_FOLDERS[variant]}
    problems, tables, missing, unknown = [], [], set(), {}
    labels = pd.DataFrame({"source": pd.Series(pictures, dtype=object)})
    for name, (column, label, codes) in CELEBA_TABLES.items():
        if name not in places:
            problems.append(f"{root}: {name}.txt is missing, so what it says is not known")
            continue
        told = _read_column(root / places[name], column, codes)
        tables.append(places[name])
        missing |= set(told).difference(pictures)
        labels[label] = labels.index.map(told)
    if tables:
        named = labels.drop(columns="source").notna().any(axis=1)
        unknown = dict.fromkeys(labels["source"][~named], "in none of the tables")
        labels = labels[named]
    return Contents(root, files, labels.assign(view="wild"), tables, sorted(missing), unknown, problems)


def read_ck_plus(root: Path, files: Files, variant: str, csv: str) -> Contents:
    """CK+: the apex of every sequence, labelled by its coders, and unless the variant is ``"apex"`` its neutral start.

    A FACS file lists what is shown, at whatever intensity: every other Action Unit was looked for and is 0. The first frame
    is neutral by the set's design, not by a coder: its Action Units are 0. Of a sequence that is cut, as in the release of
    48 pixels, no frame is neutral. Without a validated emotion there is none, and its Action Units stay.
    """
    frames, unknown = _ck_frames(files)
    by_kind, problems, rows, n_coded, cut = {}, [], [], 0, []
    for path, match in ((path, _CK_LABEL.fullmatch(name_of(path))) for path in files):
        if match:
            by_kind.setdefault((match["sequence"], match["kind"]), (path, int(match["frame"])))
    for sequence, group in frames.groupby("sequence", sort=True):
        first, last = group.iloc[0].to_dict(), group.iloc[-1].to_dict()
        units = _ck_labels(root, by_kind.get((sequence, "facs")), last["frame"], problems)
        n_coded += bool(units)
        last |= units | _ck_labels(root, by_kind.get((sequence, "emotion")), last["frame"], problems)
        if (sequence, "facs") not in by_kind:
            problems.append(f"{root / last['source']}: no FACS file, so its Action Units are not known")
        if len(group) == 1 or 1 < first["frame"] < _TIME_STAMP:
            cut.append(first["source"])
        elif not variant:
            rows.append(first | {"emotion": "neutral"} | dict.fromkeys(ACTION_UNITS, 0.0))
        rows.append(last)
    if cut and not variant:
        problems.insert(0, f"{root}: the neutral start of {len(cut):,} sequences is missing, as they do not begin with "
                        f"frame 1 or have no other; no frame is taken for it: {some_of(cut)}")
    table = pd.DataFrame(rows).assign(view="frontal") if rows else pd.DataFrame(columns=["source"])
    used = [path for path, _ in by_kind.values()]
    return Contents(root, files, table, used, unknown=unknown, problems=problems, coded=n_coded)


def _ck_frames(files: Files) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return source, sequence, subject and frame of each photograph, in the order of sequences and frames."""
    frames, unknown = read_named(files, "ck-plus")
    return frames.astype({"frame": int}).sort_values(["sequence", "frame"], ignore_index=True), unknown


def _ck_labels(folder: Path, label: tuple[str, int] | None, last: int, problems: list[str]) -> dict[str, object]:
    """Return the labels of a sequence's last frame from one file; nothing, and a problem, where it cannot be used."""
    if label is None:
        return {}
    path, frame = label
    if frame != last:
        problems.append(f"{folder / path}: labels frame {frame}, but the last frame here is {last}; left out")
        return {}
    try:
        values = [[float(value) for value in line.split()]
                  for line in read_lines(folder / path, "a label of CK+") if line.strip()]
        if path.endswith("_emotion.txt"):
            ((code,),) = values
            return {"emotion": CATALOGUE["ck-plus"].codes["emotion"][str(int(code))]}
        if not all(0 <= intensity <= 5 for _, intensity in values):
            raise ValueError
        shown = [f"AU{int(unit):02d}" for unit, _ in values]
        return {unit: float(unit in shown) for unit in ACTION_UNITS}  # all were looked for
    except (ValueError, KeyError):
        expected = "one number from 0 to 7" if path.endswith("_emotion.txt") else "lines of an Action Unit and 0 to 5"
        problems.append(f"{folder / path}: expected {expected}; left out")
        return {}


def read_enhanced_ck(root: Path, files: Files, variant: str, csv: str) -> Contents:
    """Enhanced CK: the frames that a table of codes lists; the photographs are those of Cohn-Kanade or CK+.

    The table `csv`, relative to the folder or absolute (see `read_csv_table`), has ``sequence`` and ``frame`` as in the
    photograph's file name, and Action Units, ``AU01`` or ``AU1`` to ``AU27``: 0 absent, 1 present, or its grade of intensity
    A to E, blank where nobody looked. Emotions are not coded.
    """
    frames, unknown = _ck_frames(files)
    codes, problems = _read_codes(root / csv)
    files.setdefault(csv, (root / csv).stat())
    coded = frames.merge(codes, on=["sequence", "frame"], how="inner")
    listed, found = (list(zip(of["sequence"], of["frame"], strict=True)) for of in (codes, coded))
    missing = [f"{sequence}_{frame:08d}.png" for sequence, frame in listed if (sequence, frame) not in set(found)]
    if len(coded) < len(frames):
        problems.append(f"{root}: {len(frames) - len(coded):,} frames are not in {csv}; left out")
    return Contents(root, files, coded.assign(view="frontal"), [csv], missing, unknown, problems)


def _read_codes(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Return sequence, frame, and the Action Units of each line of the frames' table, and what of it is not used."""
    table = folders.read_csv_table(path, "the codes of each frame, with columns sequence, frame, AU01 and so on")
    table.columns = folders.named_units(table)
    units = [unit for unit in ACTION_UNITS if unit in table]
    if not units or not {"sequence", "frame"} <= set(table) or table.columns.duplicated().any():
        raise ValueError(f"{path} has columns {', '.join(table)}; expected sequence, frame and Action Units, each once")
    codes = pd.DataFrame({"sequence": table["sequence"], "frame": pd.to_numeric(table["frame"], errors="coerce")})
    wrong = ~(codes["frame"] % 1 == 0) | ~codes["sequence"].str.fullmatch(r"S\d{3}_\d{3}") | codes.duplicated()
    for line in codes.index[wrong][:1]:
        given = f"{table.loc[line, 'sequence']}, frame {table.loc[line, 'frame']}"
        raise ValueError(f"{path}, line {line}: {given}; expected for example S005_001 and 11, each pair once")
    codes["frame"] = codes["frame"].astype(int)
    for unit in units:
        text = table[unit].str.upper()
        for line in text.index[~text.isin(_CODES)][:1]:
            raise ValueError(f"{path}, line {line}: {unit} is {table.loc[line, unit]!r}; expected 0, 1, A to E, or blank")
        codes[unit] = text.map(_CODES).astype(float)
    others = [column for column in table if column not in ("sequence", "frame", *units)]
    return codes, [f"{path}: {', '.join(others)} ignored; studied are {', '.join(ACTION_UNITS)}"] if others else []


def read_sfew(root: Path, files: Files, variant: str, csv: str) -> Contents:
    """SFEW 2.0: a folder for each part and emotion; the default is Train and Val, as the labels of Test were kept back.

    Aligned faces, which are the same again, are left out. ``subject`` is the film, where the file name has one: folds that
    keep films apart keep their people apart, but for those who act in several.
    """
    codes, rows, unknown = CATALOGUE["sfew"].codes, [], {}
    for path in filter(is_picture, files):
        *parents, name = path.split("/")
        split = next((codes["split"][parent] for parent in parents if parent in codes["split"]), None)
        emotion = codes["emotion"].get(parents[-1]) if parents else None
        if split is None or "aligned" in path.lower():
            unknown[path] = f"no frame in the folders {', '.join(codes['split'])}"
        elif emotion is None and split != "test":
            unknown[path] = f"folder {parents[-1]!r} is no emotion; expected one of {', '.join(codes['emotion'])}"
        elif split in ([variant] if variant else ["train", "val"]):
            film = _SFEW_FRAME.fullmatch(name)
            rows.append({"source": path, "emotion": emotion, "split": split, "subject": film["film"] if film else None})
    labels = pd.DataFrame(rows, columns=["source", "emotion", "split", "subject"]).assign(view="wild")
    return Contents(root, files, labels, unknown=unknown)


def read_lfw(root: Path, files: Files, variant: str, csv: str) -> Contents:
    """LFW: a folder for each person."""
    labels, unknown = read_named(files, "lfw")
    return Contents(root, files, labels.assign(view="wild"), unknown=unknown)


def read_genki(root: Path, files: Files, variant: str, csv: str) -> Contents:
    """GENKI-4K: line n of ``labels.txt`` belongs to ``files/file000n.jpg``. A smile is AU12. Nobody is named."""
    path, rows = root / "labels.txt", []
    lines = read_lines(path, "a line for each photograph: 1 (smile) or 0, then yaw, pitch and roll in radians")
    for number, line in enumerate(lines, start=1):
        smile = {"0": 0.0, "1": 1.0}.get(line.strip()[:2].strip())
        if line.strip() and (smile is None or len(line.split()) != 4):
            raise ValueError(f"{path}, line {number}: {line.strip()!r}; expected 0 or 1, then yaw, pitch and roll")
        if line.strip():
            rows.append((f"files/file{number:04d}.jpg", smile))
    table = pd.DataFrame(rows, columns=["source", "AU12"])
    there, named = table["source"].isin(files), set(table["source"])
    unknown = {path: "has no line in labels.txt" for path in files if is_picture(path) and path not in named}
    missing = table["source"][~there].tolist()
    return Contents(root, files, table[there].assign(view="wild"), ["labels.txt"], missing=missing, unknown=unknown)


def read_cmu_faces(root: Path, files: Files, variant: str, csv: str) -> Contents:
    """CMU Faces, one of three sizes; those that end in ``.bad`` are damaged, say their owners."""
    table, unknown = read_named(files, "cmu-faces")
    return Contents(root, files, table[table["scale"] == variant].drop(columns="scale"), unknown=unknown)


def read_london(root: Path, files: Files, variant: str, csv: str) -> Contents:
    """London Set. A smile is AU12. ``expression`` is what the people were asked for; it is not taken for an emotion."""
    codes = {"neutral": "03", "smiling": "08"}
    fronts = {f"{expression}_front" for expression in codes}  # the archives of other views may lie beside
    labels, unknown = read_named([path for path in files if fronts & set(path.split("/"))], "london")
    labels = labels.assign(view="frontal", AU12=(labels["expression"] == "smiling").to_numpy(float))
    missing = [f"{expression}_front/{subject}_{code}.jpg" for expression, code in codes.items()
               for subject in sorted(set(labels["subject"]) - set(labels["subject"][labels["expression"] == expression]))]
    return Contents(root, files, labels, missing=missing, unknown=unknown)


LOADERS: dict[str, Callable[[Path, Files, str, str], Contents]] = {
    "rafd": read_rafd, "kdef": read_kdef, "raf-db": read_raf_db, "celeba": read_celeba, "ck-plus": read_ck_plus,
    "enhanced-ck": read_enhanced_ck, "sfew": read_sfew, "lfw": read_lfw, "genki": read_genki, "cmu-faces": read_cmu_faces,
    "london": read_london}
