"""The transformers library as a client: which of its models are explained as they are, and how well.

    python -m benchmarks.transformers            # the table of docs/transformers.md
    python -m benchmarks.transformers Mamba2     # some models only

Small configurations with random weights (tests/architectures/transformers_library.py), composite ``attn_lrp``.
"""

from __future__ import annotations

import argparse
import warnings

import torch
import transformers
from torch import Tensor

import neon
from benchmarks.measure import paired_seconds
from tests.architectures import strongest
from tests.architectures.transformers_library import LIBRARY, Client

COLUMNS = ("model", "operations", "float64", "float32", "bfloat16", "conserved to", "growth", "in", "ms", "gradients")


def row(name: str, composite: str, repeats: int) -> dict[str, str]:
    """One line of the table; what fails stands there in words."""
    cells = {"model": name}
    found: dict[torch.dtype, Tensor] = {}
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        cell = str(dtype).removeprefix("torch.")
        try:
            client = LIBRARY[name]().to(dtype)
            found[dtype] = relevance(client, composite, cells if dtype == torch.float64 else {})
            exact = found.get(torch.float64)
            cells[cell] = "yes" if exact is None else f"{difference(found[dtype], exact):.0e}"
        except Exception as error:
            cells[cell] = f"{type(error).__name__}: {error}".replace("\n", " ").replace("|", "/")
    if torch.float64 in found:
        cells["float64"] = "yes"
    if torch.float32 in found:
        cells |= cost(LIBRARY[name](), composite, repeats)
    return cells


def relevance(client: Client, composite: str, cells: dict[str, str]) -> Tensor:
    """Relevance of the strongest output, checked; ``cells`` takes what was measured."""
    recording = neon.LRP(client.call, composite).record(client.inputs)
    if recording.output.dtype == torch.float64 and hasattr(client.model, "set_experts_implementation"):
        client.model.set_experts_implementation("eager")  # torch's grouped product takes no float64
    with torch.no_grad():
        output = client.call(*client.inputs)
    tolerance = 50 * torch.finfo(output.dtype).eps * float(output.abs().max())
    torch.testing.assert_close(recording.output, output, rtol=0.0, atol=tolerance)
    walk = recording.propagate(strongest, account=True)
    found = torch.cat([part.flatten(1) for part in walk.relevance], 1)
    if not found.isfinite().all():
        raise ValueError("relevance is not finite")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the table shows the growth
        plan = recording.plan(strongest)
    started = strongest(recording.output).flatten(1).sum(1)
    total = found.sum(1) + sum(walk.ledger.absorbed.values())
    worst = max(plan.rows, key=lambda row: row.growth or 0.0)
    cells["operations"] = str(len(plan.rows))
    cells["conserved to"] = f"{float(((total - started) / started).abs().max()):.0e}"
    cells["growth"], cells["in"] = f"{worst.growth:.3g}", worst.operation
    return found


def difference(found: Tensor, exact: Tensor) -> float:
    return float((found - exact).abs().sum() / exact.abs().sum())


def cost(client: Client, composite: str, repeats: int) -> dict[str, str]:
    """Milliseconds of relevance, and its ratio to one gradient with respect to inputs or embeddings."""
    lrp = neon.LRP(client.call, composite)

    def gradient() -> None:
        leaves = [x.clone().requires_grad_() if x.is_floating_point() else x for x in client.inputs]
        held: list[Tensor] = []

        def hold(module: object, args: object, output: Tensor) -> Tensor:
            held.append(output.detach().requires_grad_())
            return held[-1]

        whole = not leaves[0].is_floating_point()
        handle = client.model.get_input_embeddings().register_forward_hook(hold) if whole else None
        output = client.call(*leaves)
        if handle is not None:
            handle.remove()
        torch.autograd.grad(output.flatten(1).amax(1).sum(), held if whole else leaves)

    def work() -> None:
        lrp(client.inputs, strongest)

    try:
        gradient()
    except RuntimeError:  # autograd refuses some in-place operations
        return {"ms": f"{1e3 * paired_seconds(work, work, repeats)[0]:.0f}", "gradients": "-"}
    _, seconds, ratio = paired_seconds(gradient, work, repeats)
    return {"ms": f"{1e3 * seconds:.0f}", "gradients": f"{ratio:.1f}"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", choices=[[], *LIBRARY])
    parser.add_argument("--composite", default="attn_lrp")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    print(f"transformers {transformers.__version__}, torch {torch.__version__}, composite {options.composite}\n")
    print(f"| {' | '.join(COLUMNS)} |")
    print("|---" * len(COLUMNS) + "|")
    for name in options.models or LIBRARY:
        cells = row(name, options.composite, options.repeats)
        print(f"| {' | '.join(cells.get(column, '') for column in COLUMNS)} |", flush=True)


if __name__ == "__main__":
    main()
