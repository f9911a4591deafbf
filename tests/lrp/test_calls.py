"""What a model takes beside the explained inputs, which of its outputs is explained, and in which mode it runs."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

import neon
from neon import LRP

torch.manual_seed(0)
NET = nn.Sequential(nn.Conv1d(2, 4, 3), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(12, 3)).double().eval()
X = torch.randn(4, 2, 8, dtype=torch.float64)


class Named(NamedTuple):
    features: Tensor
    logits: Tensor


@dataclasses.dataclass
class Output:
    logits: Tensor
    loss: Tensor | None = None


@pytest.mark.parametrize(
    ("wrap", "output"),
    [
        (lambda z: (z * 2, z), 1),
        (lambda z: (z * 2, z), -1),
        (lambda z: [z], 0),
        (lambda z: {"features": z * 2, "logits": z}, "logits"),
        (lambda z: OrderedDict(logits=z), "logits"),
        (lambda z: Named(z * 2, z), "logits"),
        (lambda z: Named(z * 2, z), 1),
        (lambda z: Output(z), "logits"),
        (lambda z: {"states": (z * 2, {"last": z})}, ("states", 1, "last")),
    ],
)
def test_one_output_of_several(wrap: Callable[[Tensor], Any], output: Any) -> None:
    model = lambda x: wrap(NET(x))  # noqa: E731
    assert torch.equal(LRP(model, output=output)(X, 1), LRP(NET)(X, 1))
    with pytest.raises(TypeError, match=r"say which one to explain, for example LRP\(model, output="):
        LRP(model)(X, 1)
    with pytest.raises(ValueError, match="without 'nothing'"):
        LRP(model, output="nothing")(X, 1)


class Masked(nn.Module):
    """A mean over the positions that a mask leaves."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.rnn, self.head = nn.Embedding(20, 4), nn.LSTM(4, 5, batch_first=True), nn.Linear(5, 2)

    def forward(self, ids: Tensor, mask: Tensor, scale: float = 1.0) -> Tensor:
        found: Tensor = self.head((self.rnn(self.table(ids))[0] * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))
        return found * scale


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.float64])
def test_what_is_given_is_not_explained(dtype: torch.dtype) -> None:
    model, ids = Masked().double(), torch.randint(1, 20, (3, 6))
    mask = (torch.arange(6) < torch.tensor([[2], [6], [4]])).to(dtype)
    expected = LRP(lambda i: model(i, mask, 2.0))(ids, 1)
    assert expected.abs().sum() > 0
    for given in ((mask, 2.0), {"mask": mask, "scale": 2.0}, {"scale": 2.0, "mask": mask}):
        torch.testing.assert_close(LRP(model)(ids, 1, given=given), expected)
    torch.testing.assert_close(LRP(model)(ids, 1, given=mask) * 2, expected, rtol=1e-4, atol=1e-6)
    assert LRP(model).plan(ids, 1, given=(mask,)).residuals
    with pytest.raises(TypeError, match="given: a tuple"):
        LRP(model)(ids, 1, given=3)  # type: ignore[arg-type]


def test_numbers_that_are_no_ids_are_not_explained_unasked() -> None:
    model, ids = Masked().double(), torch.randint(1, 20, (3, 6))
    with pytest.raises(neon.UnsupportedOperationError, match="pass masks and lengths with given="):
        LRP(model)((ids, torch.ones_like(ids)), 1)
    with pytest.raises(TypeError, match="pass masks with given="):
        LRP(model)((ids, ids > 0), 1)


def test_what_is_given_stays_as_it_is() -> None:
    weight = torch.ones(4, 2, 8, dtype=torch.float64)

    def model(x: Tensor, weight: Tensor) -> Tensor:
        weight.mul_(0.5)
        weight[0] = x[0]
        return NET(x * weight)

    LRP(model)(X, 0, given=(weight,))
    assert torch.equal(weight, torch.ones_like(weight))


def test_inference_mode() -> None:
    expected = LRP(NET, "epsilon_plus")(X, 1)
    found = torch.inference_mode()(lambda: LRP(NET, "epsilon_plus")(X, 1))()
    assert torch.equal(found, expected)
    decorated = torch.inference_mode()(NET.forward)
    assert torch.equal(LRP(decorated, "epsilon_plus")(X, 1), expected)
    with torch.inference_mode():
        x, built = X.clone(), nn.Sequential(*[type(m)(*a) for m, a in _PARTS]).double().eval()
        built.load_state_dict(NET.state_dict())
        values = neon.Explainer(NET, composite="epsilon_plus")(X, [1] * 4).values
    assert torch.equal(LRP(NET, "epsilon_plus")(x, 1), expected)
    assert torch.equal(LRP(built, "epsilon_plus")(X, 1), expected)
    torch.testing.assert_close(torch.tensor(values), expected)

    def partly(x: Tensor) -> Tensor:
        with torch.inference_mode():
            h = NET[:3](x)
            h[:, 0] += 1
        return NET[3:](h)

    def wholly(x: Tensor) -> Tensor:
        h = NET[:3](x)
        return NET[3:](torch.cat([h[:, :1] + 1, h[:, 1:]], 1))

    torch.testing.assert_close(LRP(partly, "zero")(X, 1), LRP(wholly, "zero")(X, 1))


_PARTS = [(nn.Conv1d(2, 4, 3), (2, 4, 3)), (nn.ReLU(), ()), (nn.MaxPool1d(2), (2,)), (nn.Flatten(), ()), (nn.Linear(12, 3), (12, 3))]  # fmt: skip # noqa: E501


@pytest.mark.parametrize("fullgraph", [False, True])
def test_compiled_models_are_explained_as_written_and_still_run(fullgraph: bool) -> None:
    torch._dynamo.reset()
    head = nn.Linear(3, 2).double()
    compiled = torch.compile(NET, fullgraph=fullgraph, backend="aot_eager")
    expected = LRP(nn.Sequential(NET, head), "epsilon_plus")(X, 1)
    for first in (True, False):  # before and after it was compiled in a call
        assert torch.equal(LRP(compiled, "epsilon_plus")(X, 1), LRP(NET, "epsilon_plus")(X, 1))
        assert torch.equal(LRP(lambda x: head(compiled(x)), "epsilon_plus")(X, 1), expected)
        if first:
            torch.testing.assert_close(compiled(X), NET(X))
    with torch.no_grad():
        torch.testing.assert_close(compiled(X), NET(X))
    rules = [("0", neon.rules.Gamma(1.0)), (neon.composites.anything(), neon.rules.Epsilon())]
    assert torch.equal(LRP(compiled, rules)(X, 1), LRP(NET, rules)(X, 1))


def test_outputs_without_a_sample_axis() -> None:
    one = nn.Linear(16, 1).double()
    squeezed = lambda x: one(x.flatten(1)).squeeze()  # noqa: E731
    assert torch.equal(LRP(squeezed)(X[:1]), LRP(lambda x: one(x.flatten(1)))(X[:1]))
    with pytest.raises(ValueError, match="one number for 4 samples"):
        LRP(lambda x: one(x.flatten(1)).squeeze().sum())(X)


def test_small_errors_teach() -> None:
    with pytest.raises(ValueError, match="one output at a time"):
        LRP(NET)(X, "all")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="to_dense"):
        LRP(NET)(X.to_sparse(), 0)
    with pytest.raises(TypeError, match="given="):
        LRP(NET)((X, 3), 0)  # type: ignore[arg-type]
    with pytest.raises(neon.UnsupportedOperationError) as raised:
        LRP(lambda x: torch.special.bessel_j0(x).flatten(1))(X, 0)
    assert "similar" not in str(raised.value)
