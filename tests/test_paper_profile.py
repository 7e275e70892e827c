"""The paper's own run: what is there is used, what is not is replaced or left out, and every page that it touches says so."""

import io
import itertools
from pathlib import Path

import numpy as np
import pytest
import yaml
from fergan.book.absences import without_set
from fergan.book.preflight import check_data
from fergan.book.profiles import ProfileError, load_profile
from fergan.book.tables.results import paper_and_ours
from PIL import Image

from fergan.book.pages import pages_of
from fergan.data import catalogue, checks, collections
from fergan.facs import ACTION_UNITS

PROFILES = Path(__file__).parent.parent / "profiles"
FOLDERS = ("enhanced-ck", "celeba", "rafd", "raf-db", "kdef", "sfew")


def paper(data, *folders):
    """Load the profile over empty folders; whether they hold what they should is another question."""
    for folder in folders:
        (data / folder).mkdir(parents=True, exist_ok=True)
        (data / folder / "labels.csv").touch()
    return load_profile(PROFILES / "paper.yaml", data=str(data))


def experiments(profile):
    chapters = ("04_emotions", "05_action_units")
    return [page.path for page in pages_of(profile) if page.notebook in chapters and page.name.startswith("experiment-")]


def headings(page):
    return [heading for heading, _ in page.notes]


def test_with_every_folder_it_is_the_papers_plan(tmp_path):
    profile = paper(tmp_path, *FOLDERS)
    assert not profile.absences.lines() and not profile.rendered
    assert list(profile.datasets) == ["enhanced-ck", "celeba", "rafd-frontal", "rafd-multiview", "raf-db", "kdef", "sfew"]
    assert experiments(profile) == [f"{kind}/experiment-{n}.ipynb" for kind in ("04_emotions", "05_action_units") for n in range(1, 9)]
    assert profile.datasets["celeba"].n_faces == 30_000
    assert profile.training.preset == "radford2015" and not profile.training.changes()
    search = profile.search
    assert (search.n_folds, search.n_evaluations, search.nested_evaluations) == (10, 30, 30)
    assert set(search.baselines) == {"untrained", "hog", "pixels", "pooled", "generator", "facenet"}
    assert not any(page.notes for page in pages_of(profile))


def test_its_pages_are_the_demos_but_for_renderer_and_further_generators(tmp_path):
    demo, profile = load_profile(PROFILES / "demo.yaml"), paper(tmp_path, *FOLDERS)
    its_own = set(demo.further_models) - set(profile.further_models)
    shared = [page.path for page in pages_of(demo) if page.notebook != "00_faces" and page.name not in its_own]
    assert [page.path for page in pages_of(profile)] == shared
    assert list(profile.further_models) == [f"enhanced-ck-{name}" for name in ("au07", "beta1", "seed-1", "seed-2")]


def test_a_substitute_takes_the_place_and_every_page_behind_it_says_so(tmp_path):
    profile = paper(tmp_path, "ck-plus", *FOLDERS[1:])
    replaced = profile.datasets["enhanced-ck"]
    assert (replaced.source, replaced.folder, replaced.n_faces) == ("ck-plus", "ck-plus", None)
    assert replaced.detector == "viola-jones" and replaced.nominal_box  # of the set itself
    assert profile.absences.replaced == {"enhanced-ck": "CK+"} and not profile.absences.left_out
    assert profile.absences.lines() == [f"enhanced-ck: {tmp_path / 'enhanced-ck'} does not exist; CK+ takes its place"]
    said = {page.path for page in pages_of(profile) if headings(page) == ["Another set of faces"]}
    silent = {page.path for page in pages_of(profile) if not page.notes}
    assert len(said | silent) == len(pages_of(profile))
    assert {"01_data/enhanced-ck.ipynb", "02_dcgan/enhanced-ck.ipynb", "04_emotions/experiment-1.ipynb", "06_quality/enhanced-ck.ipynb",
            "03_features/enhanced-ck-on-rafd-frontal.ipynb", "03_features/celeba-on-enhanced-ck.ipynb",
            "05_action_units/experiment-7.ipynb", "04_emotions/summary.ipynb", "07_results/results.ipynb"} <= said
    assert {"01_data/celeba.ipynb", "04_emotions/experiment-2.ipynb", "05_action_units/experiment-6.ipynb"} <= silent
    text = next(page.notes[0][1] for page in pages_of(profile) if page.path == "04_emotions/experiment-3.ipynb")
    assert "enhanced-ck were not there" in text and "CK+ took their place" in text


def test_the_set_itself_goes_before_its_substitute(tmp_path):
    assert not paper(tmp_path, "ck-plus", "lfw", *FOLDERS).absences.replaced


def test_what_is_left_out_has_no_pages_and_is_listed(tmp_path):
    profile = paper(tmp_path, "enhanced-ck", "rafd", "kdef")
    assert profile.absences.left_out == ["celeba", "raf-db", "sfew"]
    assert list(profile.datasets) == ["enhanced-ck", "rafd-frontal", "rafd-multiview", "kdef"]
    assert experiments(profile) == [
        *(f"04_emotions/experiment-{n}.ipynb" for n in (1, 3, 4, 5, 7)), *(f"05_action_units/experiment-{n}.ipynb" for n in (1, 2, 7, 8)),
    ]
    assert not any("celeba" in page.path or "sfew" in page.path for page in pages_of(profile))
    assert [e.experiment for e in profile.absences.emotion_experiments] == [2, 6, 8]
    assert [e.experiment for e in profile.absences.au_experiments] == [3, 4, 5, 6]
    lines = profile.absences.lines()
    assert lines[1] == f"raf-db: {tmp_path / 'raf-db'} does not exist; left out, and with it emotion experiment 6"
    by_path = {page.path: page for page in pages_of(profile)}
    for path in ("01_data/summary.ipynb", "04_emotions/summary.ipynb", "07_results/results.ipynb"):
        ((heading, text),) = by_path[path].notes
        assert heading == "Left out: no data" and "sfew (emotion experiment 8)" in text
    assert not by_path["04_emotions/experiment-1.ipynb"].notes
    parameters = by_path["07_results/results.ipynb"].parameters
    assert parameters["emotions_left_out"] == "2 celeba rafd-frontal;6 raf-db raf-db;8 sfew sfew"
    assert parameters["aus_left_out"].startswith("3 celeba enhanced-ck enhanced-ck;")


def test_the_table_of_results_marks_what_is_left_out():
    table = paper_and_ours({}, {}, "6 raf-db raf-db;2 celeba rafd-frontal", "5 celeba rafd-frontal enhanced-ck")
    assert table["experiment"].tolist() == [2, 6, 5]
    assert (table[["as published", "people never seen"]] == "left out: no data").all(axis=None)
    assert table["paper"].tolist() == pytest.approx([0.9552, 0.6187, 0.699], abs=5e-4)
    assert table["faces"].tolist() == ["rafd-frontal", "raf-db", "rafd-frontal → enhanced-ck"]
    assert table["difference"].isna().all()


@pytest.mark.parametrize("folders", [(), ("lfw",)])
def test_without_any_experiment_the_missing_folders_are_listed(tmp_path, folders):
    with pytest.raises(ProfileError) as caught:
        paper(tmp_path, *folders)
    text = str(caught.value)
    missing = [folder for folder in FOLDERS if folder != "celeba" or not folders]
    assert all(str(tmp_path / folder) in text for folder in missing)
    assert text.count("  rafd-") == 2 and "book/datasets.md" in text and "PROFILE=paper make book" in text


def test_without_a_data_folder_the_seven_are_listed():
    with pytest.raises(ProfileError) as caught:
        load_profile(PROFILES / "paper.yaml")
    assert "no folder of photographs was given" in str(caught.value)
    assert [line.split(": ")[1] for line in str(caught.value).splitlines()[1:8]] == [
        f"DATA/{folder}" for folder in ("enhanced-ck", "celeba", "rafd", "rafd", "raf-db", "kdef", "sfew")]


def test_a_folder_without_its_frame_labels_or_without_files_is_a_missing_set(tmp_path):
    paper(tmp_path, *FOLDERS, "ck-plus")
    (tmp_path / "enhanced-ck" / "labels.csv").rename(tmp_path / "enhanced-ck" / "codes.txt")
    (tmp_path / "sfew" / "labels.csv").unlink()
    (tmp_path / "sfew" / "Train").mkdir()
    (tmp_path / "sfew" / "Train" / ".DS_Store").touch()
    absences = load_profile(PROFILES / "paper.yaml", data=str(tmp_path)).absences
    assert absences.replaced == {"enhanced-ck": "CK+"} and absences.left_out == ["sfew"]
    codes = "holds no labels.csv, the table of Action Units per frame"
    assert absences.lines() == [
        f"enhanced-ck: {tmp_path / 'enhanced-ck'} {codes}; CK+ takes its place",
        f"sfew: {tmp_path / 'sfew'} holds no files; left out, and with it emotion experiment 8",
    ]
    (tmp_path / "ck-plus" / "labels.csv").unlink()
    line = load_profile(PROFILES / "paper.yaml", data=str(tmp_path)).absences.lines()[0]
    assert codes in line and "; left out, and with it emotion experiment 1, " in line
    assert line.endswith(f"; CK+ in {tmp_path / 'ck-plus'} could take its place")


def test_folders_that_may_be_meant_are_named(tmp_path):
    profile = paper(tmp_path, "RaFD", "kdef", "celebaa", "ck-plus")
    lines = {line.partition(":")[0]: line for line in profile.absences.lines()}
    assert "rafd does not exist (is it RaFD, which is there? Then name it rafd)" in lines["rafd-frontal"]
    assert "(is it celebaa, which is there? Then name it celeba)" in lines["celeba"]
    assert "sfew does not exist; left out" in lines["sfew"]
    for data, words in {
        tmp_path.with_name(tmp_path.name + "x"): f"x does not exist; did you mean {tmp_path}?",
        tmp_path / "kdef" / "labels.csv": "labels.csv is a file; give the folder that holds the photographs",
        tmp_path / "kdef": f"looks like kdef itself; give the folder that holds it, DATA={tmp_path}",
    }.items():
        with pytest.raises(ProfileError) as caught:
            load_profile(PROFILES / "paper.yaml", data=str(data))
        assert words in str(caught.value).splitlines()[0]


def test_a_data_folder_that_may_not_be_read_is_said_once(tmp_path, monkeypatch):
    paper(tmp_path, *FOLDERS)
    looked = Path.stat

    def stat(path, **options):
        if tmp_path in path.parents:
            raise PermissionError(13, "Permission denied", str(path))
        return looked(path, **options)

    monkeypatch.setattr(Path, "stat", stat)
    monkeypatch.setattr("os.access", lambda path, mode: Path(path) != tmp_path)
    with pytest.raises(ProfileError) as caught:
        load_profile(PROFILES / "paper.yaml", data=str(tmp_path))
    (line,) = str(caught.value).splitlines()
    assert f"the data folder {tmp_path} may not be read; give yourself the right to, for example chmod u+rx" in line


def test_a_substitute_without_optional_is_required_to_exist(tmp_path):
    content = {
        "description": "one set", "emotion_experiments": [{"experiment": 11, "pretrained": "kdef", "target": "kdef"}],
        "datasets": {"kdef": {"source": "kdef", "folder": "kdef", "substitute": {"name": "mine", "source": "genki", "folder": "mine"}}},
    }
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ProfileError, match=r"datasets.kdef.folder: .*kdef does not exist; expected the folder of kdef"):
        load_profile(tmp_path / "one.yaml", data=str(tmp_path))
    (tmp_path / "mine").mkdir()
    with pytest.raises(ProfileError, match="kdef does not exist"):  # an empty folder takes no place
        load_profile(tmp_path / "one.yaml", data=str(tmp_path))
    (tmp_path / "mine" / "labels.txt").touch()
    assert load_profile(tmp_path / "one.yaml", data=str(tmp_path)).datasets["kdef"].source == "genki"


def test_a_drawn_substitute_is_always_there_and_its_pages_say_both(tmp_path):
    content = yaml.safe_load((PROFILES / "paper.yaml").read_text())
    content["datasets"]["sfew"]["substitute"] = {"name": "rendered faces", "source": "rendered", "n_faces": 200}
    (tmp_path / "drawn.yaml").write_text(yaml.safe_dump(content))
    for folder in FOLDERS[:-1]:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "labels.csv").touch()
    profile = load_profile(tmp_path / "drawn.yaml", data=str(tmp_path))
    assert profile.rendered and profile.datasets["sfew"].n_faces == 200
    page = next(page for page in pages_of(profile) if page.path == "04_emotions/experiment-8.ipynb")
    assert headings(page) == ["Rendered faces", "Another set of faces"]


def test_what_a_profile_says_of_absences_is_not_taken_from_its_file(tmp_path):
    content = yaml.safe_load((PROFILES / "quick.yaml").read_text()) | {"absences": {"left_out": ["kdef"]}}
    (tmp_path / "quick.yaml").write_text(yaml.safe_dump(content))
    assert not load_profile(tmp_path / "quick.yaml").absences.left_out


def write_tree(data, n_people=12):
    """Write all six folders with the names that their owners give, a dozen people in each."""
    rng = np.random.default_rng(0)

    def write(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(noise, "png" if path.suffix == ".png" else "jpeg")
        path.write_bytes(noise.getvalue())

    models = [(f"{number:02d}", "Caucasian", "female") for number in range(1, n_people + 1)]
    for name in {*collections.rafd_names(models, "frontal"), *collections.rafd_names(models, "multiview")}:
        write(data / "rafd" / name)
    for name in collections.kdef_names("session-a"):
        if int(name[2:4]) <= n_people // 2:
            write(data / "kdef" / name[:4] / name)
    lines = []
    for number, code in enumerate(list(collections.RAF_DB_EMOTIONS) * n_people, start=1):
        lines.append(f"train_{number:05d}.jpg {code}")
        write(data / "raf-db" / "Image" / "original" / f"train_{number:05d}.jpg")
    (data / "raf-db" / "EmoLabel").mkdir()
    (data / "raf-db" / collections.RAF_DB_TABLE).write_text("\n".join(lines))
    for number in range(1, 41):
        write(data / "celeba" / "img_align_celeba" / f"{number:06d}.jpg")
    for film, emotion in itertools.product(range(n_people), collections.SFEW_EMOTIONS):
        write(data / "sfew" / ("Train" if film else "Val") / emotion / f"Film{film}_000100000_00000001.png")
    codes = ["sequence,frame," + ",".join(ACTION_UNITS)]
    for person, frame in itertools.product(range(1, n_people + 1), range(1, 5)):
        write(data / "enhanced-ck" / "cohn-kanade-images" / f"S{person:03d}" / "001" / f"S{person:03d}_001_{frame:08d}.png")
        codes.append(f"S{person:03d}_001,{frame}," + ",".join(str((frame + unit) % 2) for unit in range(len(ACTION_UNITS))))
    (data / "enhanced-ck" / "labels.csv").write_text("\n".join(codes))


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    data = tmp_path_factory.mktemp("data")
    write_tree(data)
    return data


def test_folders_as_their_owners_ship_them_serve_every_experiment(tree, monkeypatch):
    """With the published numbers set aside, a dozen people of each set are enough for ten folds."""
    monkeypatch.setattr(checks, "LEAST_SHARE", 0.0)
    celeba = catalogue.CATALOGUE["celeba"]
    smaller = {name: published.model_copy(update={"least": 1}) for name, published in celeba.variants.items()}
    monkeypatch.setitem(catalogue.CATALOGUE, "celeba", celeba.model_copy(update={"variants": smaller}))
    profile = load_profile(PROFILES / "paper.yaml", data=str(tree))
    assert len(experiments(profile)) == 16
    found = check_data(profile)
    assert found.faults == []
    assert found.n_photographs == {
        "enhanced-ck": 48, "celeba": 40, "rafd-frontal": 12 * 24, "rafd-multiview": 12 * 40, "raf-db": 84, "kdef": 12 * 35, "sfew": 84}


def test_a_small_part_of_a_set_is_not_the_set(tree):
    faults = check_data(load_profile(PROFILES / "paper.yaml", data=str(tree))).faults
    for name, words in {"rafd-frontal": "288 photographs; RaFD has 1,608", "kdef": "420 photographs; KDEF has 2,450",
                        "celeba": "40 photographs; CelebA has 202,599", "sfew": "84 photographs; SFEW 2.0 has 1,394"}.items():
        assert any(fault.startswith(f"datasets.{name}: {words}") for fault in faults), faults
    assert not any(fault.startswith("datasets.enhanced-ck") for fault in faults)  # nothing is published of it
    assert all(fault.endswith("; complete it, or move the folder away: the set is then left out") for fault in faults)


def test_a_bad_set_with_a_substitute_that_is_there_says_that_it_would_serve(tmp_path):
    paper(tmp_path, "celeba", "lfw", "kdef")
    data = str(tmp_path)
    faults = check_data(load_profile(PROFILES / "paper.yaml", data=data)).faults
    ways = {fault.partition(":")[0]: fault.rpartition("the set is then ")[2] for fault in faults}
    assert ways == {"datasets.celeba": "replaced by LFW", "datasets.kdef": "left out"}
    (tmp_path / "lfw" / "labels.csv").unlink()
    assert without_set(load_profile(PROFILES / "paper.yaml", data=data), "celeba") == "left out"


def test_the_substitute_of_the_enhanced_set_needs_codes_and_no_emotions(tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    for person, frame in itertools.product(range(1, 11), (1, 2)):
        name = f"S{person:03d}_001_{frame:08d}"
        (tmp_path / "ck-plus").mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8)).save(tmp_path / "ck-plus" / f"{name}.png")
        if frame == 2:
            (tmp_path / "ck-plus" / f"{name}_facs.txt").write_text("12 3")
    ck_plus = catalogue.CATALOGUE["ck-plus"]
    small = {"": ck_plus.variants[""].model_copy(update={"photographs": 20, "people": 10, "coded": 10})}
    monkeypatch.setitem(catalogue.CATALOGUE, "ck-plus", ck_plus.model_copy(update={"variants": small}))

    def check(experiment):
        content = {"description": "one", "emotion_experiments": [], "au_experiments": []} | experiment
        content["datasets"] = {"enhanced-ck": {"source": "enhanced-ck", "folder": "no", "optional": True,
                                               "substitute": {"name": "CK+", "source": "ck-plus", "folder": "ck-plus"}}}
        (tmp_path / "one.yaml").write_text(yaml.safe_dump(content))
        return check_data(load_profile(tmp_path / "one.yaml", data=str(tmp_path)))

    name = "enhanced-ck"
    units = check({"au_experiments": [{"experiment": 11, "pretrained": name, "train": name, "test": name}]})
    absent = "no photograph is angry, contemptuous, disgusted, fearful, happy, sad, surprised"
    assert units.faults == [] and f"{name}: {absent}" in units.warnings
    emotions = check({"emotion_experiments": [{"experiment": 11, "pretrained": name, "target": name}]})
    assert emotions.faults[0].startswith(f"datasets.{name}: {absent}; complete it")


def test_the_wrong_folder_is_named_with_the_one_expected(tree, tmp_path):
    for folder in FOLDERS:
        (tmp_path / folder).symlink_to(tree / {"kdef": "rafd"}.get(folder, folder))
    faults = check_data(load_profile(PROFILES / "paper.yaml", data=str(tmp_path))).faults
    (fault,) = [fault for fault in faults if fault.startswith("datasets.kdef")]
    assert "holds no photograph of KDEF" in fault and "AF01AFS.JPG" in fault
    assert fault.endswith("BM35/\ncomplete it, or move the folder away: the set is then left out")
