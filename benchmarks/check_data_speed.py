"""How long does opening and verifying a large set take, and how does it compare with hashing every file?

So many photographs as CelebA has, 200,000 files of a few hundred bytes each, are written into a temporary folder under the
names of CelebA, with its tables. Opening lists them and reads the tables; verifying opens each file once, looks at its
beginning, middle and end, and compares these. Hashing reads every file whole, which is what a comparison by content would
cost. Both sides find the files in the system's cache: on a disk that must be asked first, both take longer. The files are
tiny, which is the worst case for the ratio: hashing takes longer with every byte, verifying does not. ``--bytes 7000`` makes
them as large as CelebA's, 1.4 GB in all.

The folder is removed at the end, also after an error.
"""

import argparse
import io
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from record import record
from tqdm import tqdm

from fergan.data.checks import check_photographs
from fergan.data.collections import open_photographs
from fergan.files import hash_file

N_ATTRIBUTES = 40


def write_set(folder: Path, n_photographs: int, n_bytes: int) -> None:
    """Write small JPEG files, each with a content of its own, and the three tables."""
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    plain = io.BytesIO()
    Image.fromarray(pixels).save(plain, "jpeg")
    start, rest = plain.getvalue()[:2], plain.getvalue()[2:]
    pictures = folder / "img_align_celeba"
    pictures.mkdir()
    names = [f"{number:06d}.jpg" for number in range(1, n_photographs + 1)]
    for name in tqdm(names, desc="writing", unit="file"):
        comment = name.encode().ljust(n_bytes, b".")  # a comment segment: the same picture, and another file
        segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
        (pictures / name).write_bytes(start + segment + rest)
    attributes = ["Smiling", *(f"Attribute_{number}" for number in range(1, N_ATTRIBUTES))]
    rows = [f"{name} {'1' if i % 2 else '-1'} {' '.join(['-1'] * (N_ATTRIBUTES - 1))}" for i, name in enumerate(names)]
    (folder / "list_attr_celeba.txt").write_text("\n".join([str(n_photographs), " ".join(attributes), *rows]))
    (folder / "identity_CelebA.txt").write_text("\n".join(f"{name} {i // 20}" for i, name in enumerate(names)))
    (folder / "list_eval_partition.txt").write_text("\n".join(f"{name} {i % 3}" for i, name in enumerate(names)))


def main() -> None:
    """Measure, and print two lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=int, default=200_000)
    parser.add_argument("--bytes", type=int, default=0, help="pad each file by so many bytes, at most 65,000")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fergan-check-data-") as name:
        folder = Path(name)
        write_set(folder, arguments.photographs, arguments.bytes)
        start = time.perf_counter()
        photographs = open_photographs("celeba", "celeba", folder=name)
        opened = time.perf_counter() - start
        start = time.perf_counter()
        report = check_photographs(photographs, "celeba")
        verified = time.perf_counter() - start
        if report.photographs != arguments.photographs or report.unreadable or report.repeated or report.shared:
            raise SystemExit(f"the set was not verified as it was written: {report.warnings}")
        start = time.perf_counter()
        for source in photographs.labels["source"]:
            hash_file(folder / source)
        hashed = time.perf_counter() - start
    both = f"opened in {opened:.1f} s, verified in {verified:.1f} s, together {opened + verified:.1f} s"
    print(f"{arguments.photographs:,} files: {both}")
    record(f"{arguments.photographs:,} files opened and verified", opened + verified, "s", peer="hashing each",
           theirs=hashed, task="check", n=arguments.photographs)
    print(f"hashing every file: {hashed:.1f} s; verifying takes {verified / hashed:.2f} of that")


if __name__ == "__main__":
    main()
