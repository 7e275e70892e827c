"""The parameters of the experiments: sections of a profile, and the configs of their stages."""

from pydantic import Field

from fergan.cache import Config


class DetectorConfig(Config):
    """Folds, costs and intervals of the detectors of Action Units."""

    n_folds: int = Field(10, ge=3, description="folds of cross-validation, within one set")
    inner_folds: int = Field(3, ge=2, description="folds on which the SVM's cost is chosen")
    costs: list[float] = Field([0.01, 0.1, 1.0, 10.0], min_length=1, description="values of the linear SVM's C to try")
    n_resamples: int = Field(1000, ge=0, description="bootstrap resamples over people")
    seed: int = Field(0, ge=0, description="of folds and resamples")


class AUConfig(DetectorConfig):
    """The Action Unit experiments."""

    duplicates_within: float = Field(
        0.0, ge=0, lt=1, description="faces of unknown people nearer than this share of the typical distance stay together"
    )


class SaliencyConfig(Config):
    """Which faces the maps of saliency are made from."""

    n_faces: int = Field(300, ge=1, description="faces that the maps are averaged over, at most")
    n_people: int = Field(12, ge=1, description="people who show where each Action Unit acts; rendered faces only")
    seed: int = Field(0, ge=0, description="of the choice of faces and people")
