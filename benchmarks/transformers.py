"""The transformers library as a client: which of its models are explained as they are, and how well.

    python -m benchmarks.transformers > docs/transformers.md
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
from neon.lrp import Recording
from tests.architectures import strongest
from tests.architectures.transformers_library import LIBRARY, Client

PAGE = """# Models of the transformers library

Models of transformers {transformers} (torch {torch}), explained as they are: `neon.LRP(model, "{composite}")`, with no
code for any of them. Small configurations with random weights; made by `python -m benchmarks.transformers`.

- **float64**: the recorded output is the model's own, to rounding, and relevance is finite. **float32**, **bfloat16**:
  the same, and how far relevance is from that of the model in float64, Σ |difference| / Σ |relevance|. RWKV is
  ill-conditioned under `attn_lrp`: half of the relevance goes through sigmoids of values near zero (Σ |relevance| is 35
  times the prediction), and rounding the weights alone to bfloat16 changes it by 0.76; `cp_lrp`, which holds gates
  constant, differs by 0.004 in bfloat16.
- **conserved to**: the largest difference between a sample's prediction and what its inputs and the named residuals add
  up to, relative to the prediction, in float64.
- **growth**: the most that Σ |relevance| grows in one operation, and in which.
- **ms**, **gradients**: relevance of a batch of two on one thread, and in units of one gradient with respect to the
  inputs or embeddings. At this size the recording is a large part of it, and the
  machine was shared: no more than an order of magnitude. Dashes: autograd refuses the model.

Token ids have the relevance of their embeddings. Experts, T5's and BART's shifted ids, images among the tokens and
running softmaxes need nothing special. torch's grouped product of experts takes no float64, relevance does: the float64
models are compared with `experts_implementation="eager"`.
"""
COLUMNS = ("model", "operations", "float64", "float32", "bfloat16", "conserved to", "growth", "in", "ms", "gradients")


def row(name: str, composite: str, repeats: int) -> dict[str, str]:
    """One line of the table; what fails stands there in words."""
    cells = {"model": name}
    found: dict[torch.dtype, Tensor] = {}
    target = None
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        cell = str(dtype).removeprefix("torch.")
        try:
            client = LIBRARY[name]().to(dtype)
            recording = neon.LRP(client.call, composite).record(client.inputs)
            target = recording.output.argmax(1) if target is None else target
            found[dtype] = relevance(client, recording, target, cells if dtype == torch.float64 else {})
            exact = found.get(torch.float64)
            cells[cell] = "yes" if exact is None else f"{difference(found[dtype], exact):.0e}"
        except Exception as error:
            cells[cell] = f"{type(error).__name__}: {error}".replace("\n", " ").replace("|", "/")
    if torch.float64 in found:
        cells["float64"] = "yes"
    if torch.float32 in found:
        cells |= cost(LIBRARY[name](), composite, repeats)
    return cells


def relevance(client: Client, recording: Recording, target: Tensor, cells: dict[str, str]) -> Tensor:
    """Relevance of one output a sample, checked; ``cells`` takes what was measured."""
    if recording.output.dtype == torch.float64 and hasattr(client.model, "set_experts_implementation"):
        client.model.set_experts_implementation("eager")  # torch's grouped product takes no float64
    with torch.no_grad():
        output = client.call(*client.inputs)
    tolerance = 50 * torch.finfo(output.dtype).eps * float(output.abs().max())
    torch.testing.assert_close(recording.output, output, rtol=0.0, atol=tolerance)
    walk = recording.propagate(target, account=True)
    found = torch.cat([part.flatten(1) for part in walk.relevance], 1)
    if not found.isfinite().all():
        raise ValueError("relevance is not finite")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the table shows the growth
        plan = recording.plan(target)
    started = recording.output.gather(1, target[:, None])[:, 0]
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

        tables = [module for module in client.model.modules() if isinstance(module, torch.nn.Embedding)]
        whole = not leaves[0].is_floating_point()
        handles = [table.register_forward_hook(hold) for table in tables if whole]
        try:
            output = client.call(*leaves)
        finally:
            for handle in handles:
                handle.remove()
        wanted = held if whole else leaves
        torch.autograd.grad(output.flatten(1).amax(1).sum(), wanted, allow_unused=True)

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
    torch.set_num_threads(1)
    print(PAGE.format(transformers=transformers.__version__, torch=torch.__version__, composite=options.composite))
    print(f"| {' | '.join(COLUMNS)} |")
    print("|---" * len(COLUMNS) + "|")
    for name in options.models or LIBRARY:
        cells = row(name, options.composite, options.repeats)
        print(f"| {' | '.join(cells.get(column, '') for column in COLUMNS)} |", flush=True)


if __name__ == "__main__":
    main()
