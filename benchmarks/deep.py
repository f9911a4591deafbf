"""Relevance of deep networks: its cost beside one gradient, and its behaviour on every architecture.

    python -m benchmarks.deep          # VGG-16, ResNet-50, ViT-B/16: time and peak memory
    python -m benchmarks.deep --zoo    # every architecture of tests/architectures

Own definitions with random weights. Times are medians of alternating runs in one process.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable

import torch

import neon
from benchmarks.measure import paired_seconds, peak_bytes
from tests.architectures import ZOO, Example, recommended, strongest

COSTS = {
    "vgg16": ("epsilon", "epsilon_plus", "epsilon_alpha2_beta1", "epsilon_gamma_box"),
    "resnet50": ("epsilon", "epsilon_plus", "epsilon_alpha2_beta1", "epsilon_gamma_box"),
    "vit": ("attn_lrp",),
}


def gradient(example: Example) -> Callable[[], object]:
    """One gradient of the largest output with respect to the inputs (the embeddings, of token ids)."""
    if example.explained == "embeddings":
        example = example.from_embeddings()
    model = example.model.requires_grad_(False)

    def work() -> object:
        leaves = [x.clone().requires_grad_() for x in example.inputs]
        output = model(*leaves)
        return torch.autograd.grad(output.flatten(1).amax(1).sum(), leaves)

    return work


def relevance(example: Example, composite: str) -> Callable[[], object]:
    lrp = neon.LRP(example.model.requires_grad_(False), composite)
    inputs = example.inputs if len(example.inputs) > 1 else example.inputs[0]
    return lambda: lrp(inputs, strongest)


def cost(batch: int, repeats: int, device: str) -> None:
    print(f"batch {batch}, float32, {device}: {torch.get_num_threads()} threads, torch {torch.__version__}")
    print("| network | composite | gradient s | relevance s | ratio | gradient MiB | relevance MiB | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    for name, composites in COSTS.items():
        example = ZOO[name](full=True)
        x = example.inputs[0].repeat(batch // len(example.inputs[0]), 1, 1, 1).to(device)
        example = Example(example.model.to(device), (x,))
        for composite in composites:
            one, other = gradient(example), relevance(example, composite)
            a, b, ratio = paired_seconds(one, other, repeats)
            held, needed = peak_bytes(one) / 2**20, peak_bytes(other) / 2**20
            cells = (f"{a:.3f}", f"{b:.3f}", f"{ratio:.2f}", f"{held:.0f}", f"{needed:.0f}", f"{needed / held:.2f}")
            print(f"| {name} | {composite} | {' | '.join(cells)} |", flush=True)


def zoo(repeats: int) -> None:
    print("| architecture | operations | composite | Σ relevance / target | largest growth | ms | gradients |")
    print("|---|---|---|---|---|---|---|")
    for name, make in ZOO.items():
        example, composite = make(), recommended(name)
        inputs = example.inputs if len(example.inputs) > 1 else example.inputs[0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # the table shows the growth
            recording = neon.LRP(example.model, composite).record(inputs)
            plan = recording.plan(strongest)
            found = sum(float(part.sum()) for part in recording.propagate(strongest).relevance)
        share = found / float(strongest(recording.output).sum())
        work, other = relevance(example, composite), gradient(example)
        try:
            other()
        except RuntimeError:  # autograd refuses some in-place operations
            other = None
        _, seconds, ratio = paired_seconds(other or work, work, repeats)
        cells = (
            len(plan),
            composite,
            f"{share:.2f}",
            f"{plan.largest_growth:.3g}",
            f"{1e3 * seconds:.0f}",
            f"{ratio:.1f}" if other else "-",
        )
        print(f"| {name} | {' | '.join(map(str, cells))} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--zoo", action="store_true")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.manual_seed(0)
    if options.zoo:
        zoo(options.repeats)
    else:
        cost(options.batch, options.repeats, options.device)


if __name__ == "__main__":
    main()
