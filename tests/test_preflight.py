"""What photographs' labels cannot give is said before anything runs."""

import pandas as pd
import pytest
import yaml
from skimage.data import astronaut
from skimage.io import imsave

from fergan.preflight import check_plan
from fergan.profiles import ProfileError, load_profile


def plan(tmp_path, labels, **changes):
    for name in labels["path"]:
        imsave(tmp_path / name, astronaut()[:8, :8], check_contrast=False)
    labels.to_csv(tmp_path / "labels.csv", index=False)
    content = {"description": "mine", "datasets": {"mine": {"source": "manifest"}}, "search": {"n_folds": 3}} | changes
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    return load_profile(tmp_path / "mine.yaml", data=str(tmp_path))


EMOTIONS = {"emotion_experiments": [{"experiment": 11, "pretrained": "mine", "target": "mine"}]}
UNITS = {"au_experiments": [{"experiment": 11, "pretrained": "mine", "train": "mine", "test": "mine"}]}


def table(n_people=4, emotions=("happy", "sad"), **columns):
    rows = [{"subject": f"p{p}", "emotion": e} for p in range(n_people) for e in emotions for _ in range(2)]
    frame = pd.DataFrame(rows).assign(**columns)
    return frame.assign(path=[f"{i}.png" for i in range(len(frame))])


def test_a_plan_that_can_work_passes(tmp_path):
    check_plan(plan(tmp_path, table(smile=[0, 1] * 8), **EMOTIONS, **UNITS))


@pytest.mark.parametrize(("labels", "experiments", "words"), [
    (table().drop(columns="emotion"), EMOTIONS, "no photograph has an emotion; add a column 'emotion'"),
    (table(emotions=("happy",)), EMOTIONS, "class"),
    (table(n_people=2), EMOTIONS, "2 people"),
    (table(n_people=1), EMOTIONS, "a single person"),
    (table(), UNITS, "no Action Unit is coded both present and absent"),
    (table(smile=1), UNITS, "no Action Unit is coded both present and absent"),
    (table(n_people=2, smile=[0, 1] * 4), UNITS, "2 people for 3 folds; lower search.n_folds"),
    (table(emotions=("happy", "hangry")), EMOTIONS, "hangry"),
])
def test_what_cannot_work_is_named(tmp_path, labels, experiments, words):
    with pytest.raises(ProfileError) as caught:
        check_plan(plan(tmp_path, labels, **experiments))
    assert words in str(caught.value) and "mine" in str(caught.value)
