"""What explaining clusters costs by the number of rows: ``python -m benchmarks.clusters``.

Seconds of one core for ten columns and six clusters, from labels alone and from a fitted k-means.
"""

from __future__ import annotations

import argparse
import time

from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs

import neon


def main(sizes: list[int]) -> None:
    """Print a line for each number of rows."""
    print(f"{'rows':>10} {'labels':>10} {'k-means':>10} {'agreement':>10}")
    for n_rows in sizes:
        X, labels = make_blobs(n_rows, 10, centers=6, cluster_std=3.0, random_state=0)
        model = KMeans(6, n_init=1, random_state=0).fit(X)
        seconds, found = [], []
        for clustering in (labels, model):
            start = time.process_time()
            found.append(neon.explain_clusters(clustering, X, progress=False))
            seconds.append(time.process_time() - start)
        print(f"{n_rows:>10,} {seconds[0]:>9.1f}s {seconds[1]:>9.1f}s {found[0].agreement:>10.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[2_000, 20_000, 200_000])
    main(parser.parse_args().rows)
