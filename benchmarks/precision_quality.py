"""Does training in bfloat16 cost quality? The same faces, steps and seeds in bfloat16 and in float32.

For each seed two generators are trained, and the Frechet distance (HOG features) of equally many samples of each to the
same real faces is taken. Prints each pair and the mean paired difference with its 95 % interval (Student's t). Takes about a
quarter of an hour on two cores; `--faces` and `--epochs` change that.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from scipy import stats

from fergan.data.cropping import crop_face
from fergan.features.baselines import HOGFeatures
from fergan.gan import TrainConfig
from fergan.gan.runs import Run
from fergan.gan.sampling import sample
from fergan.gan.training import train
from fergan.quality.distances import frechet_distance
from fergan.rendered import render_faces, stand_in_labels


def rendered_faces(n):
    """Return n rendered faces, cropped where they truly are: uint8 (n, 64, 64, 3)."""
    images, truth = render_faces(stand_in_labels("rafd-frontal", n_faces=n))
    boxes = truth[["box_left", "box_top", "box_right", "box_bottom"]].to_numpy()
    return np.stack([crop_face(image, box, 0.1) for image, box in zip(images, boxes, strict=True)])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=640)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=640)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    faces = rendered_faces(arguments.faces)
    real = HOGFeatures().transform(faces)
    distances = {"bf16": [], "float32": []}
    with tempfile.TemporaryDirectory() as models:
        for seed in range(arguments.seeds):
            for precision, found in distances.items():
                config = TrainConfig(preset="demo", batch_size=32, epochs=arguments.epochs, seed=seed, precision=precision)
                train(Path(models) / f"{precision}-{seed}", config, images=faces, n_threads=arguments.threads)
                run = Run.load(Path(models) / f"{precision}-{seed}")
                n_steps = run.finished["steps"]
                features = HOGFeatures().transform(sample(run, arguments.samples, seed=seed))
                found.append(frechet_distance(features, real))
            print(f"seed {seed}: bfloat16 {distances['bf16'][-1]:.3f}, float32 {distances['float32'][-1]:.3f}", flush=True)
    differences = np.subtract(distances["bf16"], distances["float32"])
    half = stats.t.ppf(0.975, len(differences) - 1) * stats.sem(differences)
    mean = differences.mean()
    print(
        f"Frechet distance (HOG) in bfloat16 minus that in float32, {n_steps} steps, n = {arguments.samples}, "
        f"{len(differences)} seeds: {mean:+.3f} [{mean - half:+.3f}, {mean + half:+.3f}]"
    )


if __name__ == "__main__":
    main()
