"""Cost of LRP on VGG-16 as a ratio to one gradient with respect to the input, and the ratio of peak memory.

    python benchmarks/vgg.py

Own definition, random weights, 224 x 224, batch 2, epsilon_gamma_box. Time: medians of alternating runs in one
process. Memory: peak resident size above the size before, each measured in a process of its own.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import torch
from torch import Tensor, nn

import neon

WIDTHS = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M")


def vgg16() -> nn.Module:
    """VGG-16 (Simonyan and Zisserman 2015)."""
    layers: list[nn.Module] = []
    channels = 3
    for width in WIDTHS:
        if isinstance(width, int):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
            channels = width
        else:
            layers.append(nn.MaxPool2d(2))
    head = [
        nn.Flatten(),
        nn.Linear(512 * 7 * 7, 4096),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(4096, 4096),
        nn.ReLU(),
    ]
    return nn.Sequential(*layers, *head, nn.Dropout(), nn.Linear(4096, 1000)).eval().requires_grad_(False)


def gradient(model: nn.Module, x: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    output = model(x)
    (grad,) = torch.autograd.grad(output[range(len(x)), output.argmax(1)].sum(), x)
    return grad


def relevance(model: nn.Module, x: Tensor) -> Tensor:
    return neon.LRP(model, "epsilon_gamma_box")(x, lambda y: y * (y == y.amax(1, keepdim=True)))


METHODS = {"gradient": gradient, "relevance": relevance}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--memory-of", choices=METHODS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.manual_seed(0)
    model, x = vgg16(), torch.randn(2, 3, 224, 224).clamp(-3, 3)
    if options.memory_of:
        print(peak_memory(lambda: METHODS[options.memory_of](model, x)))
        return
    times: dict[str, list[float]] = {name: [] for name in METHODS}
    for run in range(options.repeats + 1):
        for name, method in METHODS.items():
            start = time.perf_counter()
            method(model, x)
            if run:
                times[name].append(time.perf_counter() - start)
    ratios = [b / a for a, b in zip(times["gradient"], times["relevance"], strict=True)]
    command = [sys.executable, __file__, "--memory-of"]
    memory = {name: int(subprocess.check_output([*command, name])) for name in METHODS}
    print(f"VGG-16, batch 2, 224 x 224, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"gradient          {statistics.median(times['gradient']):.3f} s   {memory['gradient'] / 2**20:.0f} MiB")
    print(f"epsilon_gamma_box {statistics.median(times['relevance']):.3f} s   {memory['relevance'] / 2**20:.0f} MiB")
    print(f"ratio             {statistics.median(ratios):.2f}      {memory['relevance'] / memory['gradient']:.2f}")


def peak_memory(work: object) -> int:
    """Peak resident memory during ``work``, above what was resident before."""
    assert callable(work)
    page = 4096
    statm = Path("/proc/self/statm")

    def resident() -> int:
        return int(statm.read_text().split()[1]) * page

    before = peak = resident()
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.001):
            peak = max(peak, resident())

    thread = threading.Thread(target=watch)
    thread.start()
    work()
    done.set()
    thread.join()
    return peak - before


if __name__ == "__main__":
    main()
