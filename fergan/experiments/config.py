"""The parameters of the experiments: sections of a profile, and the configs of their stages."""

from typing import Literal

from pydantic import Field

from fergan.cache import Config


class AUConfig(Config):
    """The Action Unit experiments: features, folds, costs and intervals of the detectors."""

    baselines: list[Literal["untrained", "hog", "pixels"]] = Field(
        ["untrained", "hog"], description="features beside the discriminator's, on the same folds of people")
    n_folds: int = Field(10, ge=3, description="folds of cross-validation, within one set")
    inner_folds: int = Field(3, ge=2, description="folds on which the cost of the SVM is chosen")
    costs: list[float] = Field([0.01, 0.1, 1.0, 10.0], min_length=1, description="costs C of the linear SVM to try")
    seed: int = Field(0, ge=0, description="of folds")


class SaliencyConfig(Config):
    """Which faces the maps of saliency are made from."""

    n_faces: int = Field(300, ge=1, description="faces that the maps are averaged over, at most")
    n_people: int = Field(12, ge=1, description="people who show where each Action Unit acts; rendered faces only")
    seed: int = Field(0, ge=0, description="of the choice of faces and people")


class EmotionConfig(Config):
    """Features beside the discriminator's, folds, searches and intervals of the emotion experiments."""

    baselines: list[Literal["untrained", "hog", "pixels", "pooled", "facenet"]] = Field(
        ["untrained", "hog", "pixels"], description="features beside the discriminator's, on the same folds")
    facenet_weights: str | None = Field(None, description="file of facenet-pytorch's weights, for the baseline facenet")
    n_folds: int = Field(10, ge=3, description="folds of the protocols without an official split")
    inner_folds: int = Field(3, ge=2, description="folds of the nested search, and of that within an official training part")
    n_evaluations: int = Field(30, ge=3, description="candidates of the search, as published and in official training parts")
    nested_evaluations: int = Field(30, ge=3, description="candidates of each nested search")
    n_permutations: int = Field(200, ge=0, description="permuted labellings of the test against chance; 0 for none")
    memory_gb: float = Field(12.0, gt=0, description="GB that kernels may take; those of more faces are approximated")
    seed: int = Field(0, description="of folds, searches and permutations")


class LabelEfficiencyConfig(Config):
    """Accuracy against the number of labelled people, for sets that some emotion experiment classifies."""

    # Which pages there are: not a part of any result, and therefore of no key.
    targets: list[str] = Field([], exclude=True, description="sets on which every method is compared, trained networks too")
    size_targets: list[str] = Field([], exclude=True, description="sets with features only: accuracy against their size")
    size_baselines: list[Literal["untrained", "hog", "pixels"]] = Field(
        ["untrained", "hog"], min_length=1, exclude=True, description="baselines of sets with features only")
    max_networks: int = Field(3, ge=1, exclude=True, description="networks of a target: those of its first experiments")

    baselines: list[Literal["untrained", "hog", "pixels"]] = Field(
        ["untrained", "hog", "pixels"], min_length=1, description="features beside the discriminator's")
    n_splits: int = Field(5, ge=2, description="divisions into training and test people")
    n_draws: int = Field(3, ge=1, description="orders in which training people are labelled, in each split")
    n_evaluations: int = Field(10, ge=3, description="candidates of each search among the labelled people")
    inner_folds: int = Field(3, ge=2, description="folds of each search")
    cnn_width: int | None = Field(16, ge=1, description="channels of a network trained with labels at first; null: none")
    cnn_epochs: int = Field(30, ge=1, description="its passes over the labelled faces")
    cnn_min_steps: int = Field(100, ge=1, description="its steps where that many passes have fewer")
    cnn_draws: int = Field(1, ge=1, description="in how many of the draws it is trained")
    finetune: bool = Field(False, description="train the discriminator itself further with labels, too")
    seed: int = Field(0, description="of splits, draws, searches and networks")

    @property
    def features_only(self) -> "LabelEfficiencyConfig":
        """The same without networks that are trained with labels."""
        networks = {"cnn_width", "cnn_epochs", "cnn_min_steps", "cnn_draws", "finetune", "baselines"}
        return LabelEfficiencyConfig(**self.model_dump(exclude=networks), cnn_width=None, baselines=self.size_baselines)


class TransferConfig(Config):
    """Every network on every set of faces."""

    targets: list[str] = Field([], exclude=True, description="sets that are classified, where they show two emotions")
    baselines: list[Literal["untrained", "hog", "pixels"]] = Field(
        ["untrained", "hog", "pixels"], min_length=1, description="features beside those of the networks")
    n_folds: int = Field(10, ge=3, description="folds of people")
    inner_folds: int = Field(3, ge=2, description="folds of the nested search")
    n_evaluations: int = Field(30, ge=3, description="candidates of each nested search")
    max_faces: int | None = Field(None, ge=16, description="classify only so many people of each set; null takes all")
    seed: int = Field(0, description="of people, folds and searches")


class LayersConfig(Config):
    """Emotions recognised from each layer of the discriminator."""

    n_faces: int = Field(800, ge=16, description="faces of each set that are compared, all faces of some people")
    n_folds: int = Field(3, ge=2, description="folds of people")
    seed: int = Field(0, description="of people and folds")
