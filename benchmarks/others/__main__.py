"""Other people's tests beside ours, rebuilt from their published definitions: the second half of docs/quality.md.

python -m benchmarks.others --write     # some minutes on one core
python -m benchmarks.others --only functional gaussians
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[variable] = "1"  # before numpy is imported

import torch  # noqa: E402

from benchmarks.others import functional, gaussians, occlusions, tetrominoes, toolkit  # noqa: E402
from benchmarks.pages import write_section  # noqa: E402

PAGE = Path(__file__).resolve().parents[2] / "docs" / "quality.md"
BEGIN = "<!-- others: made by python -m benchmarks.others --write -->"
SECTIONS = {
    "functional": functional.section,
    "gaussians": gaussians.section,
    "tetrominoes": tetrominoes.section,
    "occlusions": occlusions.section,
    "toolkit": toolkit.section,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="*", default=list(SECTIONS), choices=list(SECTIONS), metavar="NAME")
    parser.add_argument("--write", action="store_true", help="write the sections into docs/quality.md")
    options = parser.parse_args()
    torch.set_num_threads(1)
    parts = [
        "## Other people's tests",
        "Rebuilt from their published definitions; a method that does not apply to a model has a dash.",
        *["\n".join(SECTIONS[name]()) for name in options.only],
    ]
    text = "\n\n".join(parts) + "\n"
    print(text)
    if options.write:
        write_section(PAGE, BEGIN, text)


if __name__ == "__main__":
    main()
