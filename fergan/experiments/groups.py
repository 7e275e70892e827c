"""Whom a classifier serves worse: its accuracy on groups of people, with intervals.

Only rendered faces say enough of their people for this: how dark the skin and how old the face was drawn. Groups are thirds
of the people of a set, so that each holds as many.
"""

from functools import partial

import pandas as pd

from fergan.data.faces import FaceSet
from fergan.experiments.cross_validation import SUBJECT_INDEPENDENT
from fergan.experiments.emotions import EmotionResult
from fergan.experiments.intervals import Difference, bootstrap_interval, resampled_mean
from fergan.rendered.person import sample_identity

#: Trait of a rendered person -> what its lowest, middle and highest third are called.
GROUPS = {
    "skin": ("lightest third", "middle third", "darkest third"),
    "age": ("youngest third", "middle third", "oldest third"),
}

#: Trait -> what the renderer calls it, a number from 0 to 1.
TRAITS = {"skin": "melanin", "age": "age"}


def people_of_set(faces: FaceSet) -> pd.DataFrame:
    """Return one row per person of a rendered set: each of `TRAITS` (0..1) and ``<trait>_group``, one of `GROUPS`."""
    if "identity_seed" not in faces.labels:
        raise ValueError(f"the faces of {faces.name} are not rendered: nothing is known of their people's skin and age")
    seeds = pd.Series(faces.labels["identity_seed"].to_numpy(), faces.subjects()).groupby(level=0).first()
    if len(seeds) < 3:
        raise ValueError(f"{faces.name} has {len(seeds)} people; expected at least 3, one for each group")
    people = pd.DataFrame({
        trait: [sample_identity(int(seed))[name] for seed in seeds] for trait, name in TRAITS.items()
    }, index=seeds.index)
    for trait, groups in GROUPS.items():
        order = people[trait].rank(method="first").to_numpy() - 1
        people[f"{trait}_group"] = [groups[int(3 * place // len(people))] for place in order]
    return people


def accuracy_by_group(result: EmotionResult, people: pd.DataFrame, features: str = "discriminator") -> pd.DataFrame:
    """Return the accuracy on each group of `people_of_set`, none of whom the classifier was trained on.

    Columns ``trait, group, value, low, high, n_faces, n_people``; 95 % intervals over people.
    """
    table = result.select(SUBJECT_INDEPENDENT, features)
    right = (table["true"] == table["predicted"]).to_numpy(float)
    subjects = table["subject"].to_numpy(str)
    resampling = result.settings["n_resamples"], result.settings["seed"]
    rows = []
    for trait, groups in GROUPS.items():
        group_of = people[f"{trait}_group"].reindex(subjects).to_numpy()
        for group in groups:
            inside = group_of == group
            low, high = bootstrap_interval(partial(resampled_mean, right[inside]), subjects[inside], *resampling)
            rows.append(dict(trait=trait, group=group, value=right[inside].mean(), low=low, high=high,
                             n_faces=int(inside.sum()), n_people=len(set(subjects[inside]))))
    return pd.DataFrame(rows)


def group_differences(table: pd.DataFrame) -> dict[str, Difference]:
    """Return, for each trait, the accuracy on its lowest group minus that on its highest, from `accuracy_by_group`."""
    scores = table.set_index(["trait", "group"])[["value", "low", "high"]]
    return {
        trait: Difference.of_scores(*(tuple(scores.loc[(trait, group)]) for group in (groups[0], groups[-1])))
        for trait, groups in GROUPS.items()
    }
