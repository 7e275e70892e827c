"""The parameters of the human study."""

from pydantic import Field, model_validator

from fergan.cache import Config


class StudyConfig(Config):
    """How large the study is, how long its faces are shown, and the seed of its pairs, orders and sides."""

    n_trials: int = Field(100, ge=2, multiple_of=2, description="trials of one rater; fewer where the set has too few faces")
    n_catch: int = Field(10, ge=0, description="easy trials of one rater besides, which catch inattention")
    n_sheets: int = Field(20, ge=1, description="orders of the trials to hand out, one for each rater")
    exposure: int = Field(1000, ge=1, description="ms for which faces are shown")
    seed: int = Field(0, ge=0, description="of samples, pairs, orders and sides")

    @model_validator(mode="after")
    def _check(self) -> "StudyConfig":
        if self.n_catch > self.n_trials:
            raise ValueError(f"{self.n_catch} catch trials; expected no more than the {self.n_trials} trials")
        return self

    def fitting(self, n_real: int) -> "StudyConfig":
        """Return the study that a set of so many real faces allows: each is shown once, and a catch pair needs two."""
        if n_real >= self.n_trials + 2 * self.n_catch:
            return self
        n_catch = min(self.n_catch, n_real // 12)
        return StudyConfig(**self.model_dump() | {"n_trials": (n_real - 2 * n_catch) // 2 * 2, "n_catch": n_catch})
