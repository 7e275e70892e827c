"""Planted faults in small trees, each found and judged."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny import write_pictures

from fergan.data import collections, config
from fergan.data.checks import check_photographs
from fergan.data.collections import open_photographs
from fergan.data.config import CATALOGUE, Published
from fergan.facs import EMOTIONS

PEOPLE = [f"{session}{sex}{number:02d}" for session in "A" for sex in "FM" for number in range(1, 6)]


def publish(monkeypatch, source="kdef", variant="session-a", **numbers):
    """Let the catalogue say that a variant of a set is as large as this."""
    record = CATALOGUE[source].model_copy(update={"variants": {"": Published(), variant: Published(**numbers)}})
    monkeypatch.setitem(config.CATALOGUE, source, record)


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Ten people of KDEF's first session, and a catalogue that says that this is all: 350 photographs."""
    names = [name for name in collections.kdef_names("session-a") if name[:4] in PEOPLE]
    write_pictures(tmp_path, *(f"{name[:4]}/{name}" for name in names))
    emotions = {emotion: 50 for emotion in EMOTIONS if emotion != "contemptuous"}
    publish(monkeypatch, photographs=350, people=10, emotions=emotions)
    monkeypatch.setattr(collections, "kdef_names", lambda variant: names)
    return tmp_path


def check(folder: Path, **options):
    photographs = open_photographs("kdef", "kdef", folder=str(folder), variant="session-a")
    return check_photographs(photographs, "kdef", "session-a", **options)


def test_a_whole_set_is_as_published_few_missing_photographs_are_a_warning_and_many_a_fault(tree):
    report = check(tree)
    assert (report.photographs, report.people, sum(report.emotions.values())) == (350, 10, 350)
    assert report.faults == report.warnings == []
    assert report.lines()[0] == "KDEF, session-a: 350 photographs, people: 10" and report.lines()[-1] == "as published"
    names = sorted(path.relative_to(tree).as_posix() for path in tree.rglob("AF0*AFS.JPG"))
    (tree / names[0]).unlink()
    report = check(tree)
    assert report.missing == [Path(names[0]).name] and report.faults == [] and "350 published" in report.lines()[0]
    for words in ("349 photographs; published are 350", "49 fearful (50)", f"files that are missing: 1, the first {Path(names[0]).name}"):
        assert words in "\n".join(report.warnings)
    shutil.rmtree(tree / "AF05")
    report = check(tree)
    assert report.faults == ["314 photographs; KDEF has 350, and at least 315 are needed to speak of it"]
    assert "9 people; published are 10" in report.warnings


def test_too_few_people_a_surplus_or_many_copies_are_faults(tree, monkeypatch):
    publish(monkeypatch, photographs=350, people=20)
    assert check(tree).faults == ["10 people; published are 20"]
    publish(monkeypatch, photographs=5000, people=70, least=300)  # a set of which a part may be used
    report = check(tree)
    assert report.faults == [] and report.warnings == ["350 photographs; published are 5,000", "10 people; published are 70"]
    publish(monkeypatch, photographs=319, people=10)  # 350 are not a tenth more
    assert check(tree).faults == [] and "350 photographs; published are 319" in check(tree).warnings
    publish(monkeypatch, photographs=318, people=10)
    assert check(tree).faults == ["350 photographs; KDEF has 318: something lies in the folder twice, or does not belong"]
    publish(monkeypatch, photographs=350, people=10)
    for person, n_copies in (("AF01", 34), ("AF02", 1), ("AF03", 1)):
        first, *others = sorted((tree / person).glob("*.JPG"))
        for path in others[:n_copies]:
            shutil.copy(first, path)
        report = check(tree)
        assert bool(report.faults) == (person == "AF03")
    assert report.faults[0].startswith("photographs there more than once: 36 of 350, for example AF01/AF01AFFL.JPG and ")


def test_an_emotion_that_is_absent_is_a_fault(tree):
    for path in tree.rglob("*SU*.JPG"):
        path.rename(path.with_name(path.name.replace("SU", "XX")))
    report = check(tree)
    assert "no photograph is surprised" in report.faults
    left_out = "no part of this set, and left out: 50, the first AF01/AF01XXFL.JPG (emotion 'XX'"
    assert any(left_out in warning for warning in report.warnings)
    assert len(report.unknown) == 50
    unused = check(tree, used=("Action Units",))
    assert "no photograph is surprised" in unused.warnings and "no photograph is surprised" not in unused.faults


def test_damaged_files_are_named_with_the_reason_and_those_with_a_film_after_their_end_are_whole(tree):
    whole = (tree / "AF01" / "AF01AFS.JPG").read_bytes()
    for name, content in (("AFS", whole[:-30]), ("ANS", b""), ("DIS", b"<html>please log in</html>")):
        (tree / "AF01" / f"AF01{name}.JPG").write_bytes(content)
    for path in tree.glob("A?04/*.JPG"):
        path.write_bytes(path.read_bytes() + b"\0\0\0\x18ftypmp42" + bytes(500))
    report = check(tree)
    reasons = {"AF01/AF01AFS.JPG": "truncated", "AF01/AF01ANS.JPG": "empty", "AF01/AF01DIS.JPG": "not an image"}
    assert report.faults == [] and set(report.unreadable) == set(reasons)
    assert all(words in report.unreadable[path] for path, words in reasons.items())
    assert any(warning.startswith("files that are unreadable: 3, the first AF01/AF01AFS.JPG (") for warning in report.warnings)
    for path in (*tree.glob("AF02/*.JPG"), *tree.glob("AF03/*.JPG")):
        path.write_bytes(b"")
    assert "73 of 350 photographs are empty or unreadable" in check(tree).faults


@pytest.mark.parametrize(("kind", "mode"), [("PPM", "RGB"), ("PPM", "L"), ("AVIF", "RGB"), ("TIFF", "L"), ("WEBP", "RGB"), ("BMP", "L")])
def test_other_formats_are_whole_and_portable_pixmaps_that_are_cut_off_are_found(tmp_path, kind, mode):
    image = Image.linear_gradient("L").resize((40, 30)).convert(mode)
    for number, name in enumerate(("a.img", "b.img")):
        image.rotate(180 * number).save(tmp_path / name, kind)
    (tmp_path / "labels.csv").write_text("path\na.img\nb.img\n")
    cut = (tmp_path / "a.img").read_bytes()[:-1]
    reports = []
    for content in ((tmp_path / "a.img").read_bytes(), cut):
        (tmp_path / "a.img").write_bytes(content)
        reports.append(check_photographs(open_photographs("x", "manifest", folder=str(tmp_path)), "manifest"))
    assert [list(report.unreadable) for report in reports] == [[], ["a.img"] if kind == "PPM" else []]


def test_the_same_photograph_within_and_across_people(tree):
    shutil.copy(tree / "AF01/AF01AFS.JPG", tree / "AF01/AF01ANS.JPG")  # under another emotion of the same person
    shutil.copy(tree / "AM02/AM02NES.JPG", tree / "AM03/AM03NES.JPG")  # under another person
    report = check(tree)
    assert report.repeated == [["AF01/AF01AFS.JPG", "AF01/AF01ANS.JPG"]]
    assert report.shared == [["AM02/AM02NES.JPG", "AM03/AM03NES.JPG"]] and report.faults == []
    for words in ("filed under several people: 1 of 350, for example AM02/AM02NES.JPG and AM03/AM03NES.JPG",
                  "there more than once: 1 of 350, for example AF01/AF01AFS.JPG",
                  "under different emotions: 1 of 350, for example AF01/AF01AFS.JPG and AF01/AF01ANS.JPG"):
        assert f"photographs {words}" in "\n".join(report.warnings)
    for emotion in ("NES", "HAS", "SAS"):
        shutil.copy(tree / f"AM02/AM02{emotion}.JPG", tree / f"AM04/AM04{emotion}.JPG")
    assert any("filed under several people: 4 of 350" in fault for fault in check(tree).faults)
    # Files that agree in size and samples but not in content are no duplicates.
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (90, 90), dtype=np.uint8))
    noise.save(tree / "noise.bmp")
    for name, value in (("AF01AFS.JPG", 1), ("AM01AFS.JPG", 2), ("AM02AFS.JPG", 1)):
        content = bytearray((tree / "noise.bmp").read_bytes())
        content[3000] = value  # neither at the start, in the middle nor at the end
        (tree / name[:4] / name).write_bytes(content)
    found = check(tree).shared
    assert ["AF01/AF01AFS.JPG", "AM02/AM02AFS.JPG"] in found and not any("AM01/AM01AFS.JPG" in files for files in found)


def test_a_photograph_in_both_parts_of_a_split_is_a_warning_and_a_manifest_has_nothing_to_compare_with(tmp_path):
    write_pictures(tmp_path, "a.png", "c.png")
    shutil.copy(tmp_path / "a.png", tmp_path / "b.png")
    (tmp_path / "labels.csv").write_text("path,emotion\na.png,happy\nb.png,happy\nc.png,sad\ngone.png,sad\n")
    report = check_photographs(open_photographs("mine", "manifest", folder=str(tmp_path)), "manifest")
    assert (report.title, report.people, report.emotions) == ("mine", 0, {"happy": 2, "sad": 1})
    missing, again, nobody = report.warnings
    assert report.faults == [] and missing == "files that are missing: 1, the first gone.png"
    assert again == "photographs there more than once: 1 of 3, for example a.png and b.png"
    assert nobody.startswith("nobody is named") and "people never seen" in nobody
    rendered = check_photographs(open_photographs("rafd-frontal", "rendered", n_faces=16), "rendered")
    assert rendered.faults == rendered.warnings == [] and "nothing wrong was found" in rendered.lines()
    films = tmp_path / "sfew"
    write_pictures(films, "Train/Angry/Juno_1_2.png", "Val/Angry/Juno_1_3.png", "Train/Angry/Juno_1_4.png")
    shutil.copy(films / "Train/Angry/Juno_1_2.png", films / "Val/Angry/Juno_1_3.png")
    report = check_photographs(open_photographs("sfew", "sfew", folder=str(films)), "sfew")
    both = "1 of 3, for example Train/Angry/Juno_1_2.png and Val/Angry/Juno_1_3.png"
    assert f"photographs in more than one part of the official split: {both}" in report.warnings
    assert report.faults[1] == "no photograph is disgusted, fearful, happy, neutral, sad, surprised"


def test_counts_of_the_catalogue_add_up():
    for source, record in CATALOGUE.items():
        assert "" in record.variants
        for name, variant in record.variants.items():
            assert {*variant.emotions, *variant.present} <= set(EMOTIONS)
            labelled = 327 if (source, name) == ("ck-plus", "apex") else variant.photographs
            assert not variant.emotions or source == "ck-plus" != name or sum(variant.emotions.values()) == labelled


def test_sequences_of_ck_plus_that_are_not_coded_are_counted(tmp_path, monkeypatch):
    for number in range(1, 11):
        write_pictures(tmp_path, *(f"a/S005_{number:03d}_{frame:08d}.png" for frame in (1, 2)))
        (tmp_path / f"S005_{number:03d}_00000002_facs.txt").write_text("12 3")
    publish(monkeypatch, "ck-plus", "", photographs=20, people=1, coded=10)

    def judge(**options):
        report = check_photographs(open_photographs("ck", "ck-plus", folder=str(tmp_path)), "ck-plus", **options)
        return report.faults, report.warnings

    assert judge() == ([], [])
    for number in range(1, 11):
        (tmp_path / f"S005_{number:03d}_00000002_facs.txt").unlink()
        text = f"{10 - number} photographs are coded for Action Units; published are 10"
        faults, warnings = judge()
        assert (faults, text in warnings) == ([text] if number > 1 else [], number == 1)
        assert sum("no FACS file" in warning for warning in warnings) == min(number, 5)
        assert ("5 more like these" in warnings) == (number == 10)
    assert judge(used=("emotions",))[0] == []
