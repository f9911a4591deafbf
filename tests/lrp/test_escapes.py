"""What relevance cannot follow is refused by name, and never counted as a constant."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from neon import LRP, UnsupportedOperationError, composites, rules

X = torch.rand(2, 12, generator=torch.Generator().manual_seed(0))


class Beside(nn.Module):
    """``x + f(x)``: the first term stays in sight whatever becomes of the second."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return (x + self.function(x)).sum(1, keepdim=True)


class Spectral(nn.Module):
    """A convolution in the Fourier domain beside one in time (FNO, Li et al. 2021)."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.beside, self.head = nn.Conv1d(2, 4, 1), nn.Conv1d(4, 4, 1), nn.Linear(4, 3)
        self.real, self.imaginary = nn.Parameter(torch.zeros(4, 4, 5)), nn.Parameter(torch.zeros(4, 4, 5))

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        modes = torch.fft.rfft(x)[..., :5]
        mixed = torch.einsum("ncm,cdm->ndm", modes, torch.complex(self.real, self.imaginary))
        x = nn.functional.gelu(torch.fft.irfft(mixed, n=x.shape[-1]) + self.beside(x))
        return self.head(x.mean(-1))


def test_a_convolution_in_the_fourier_domain_is_refused() -> None:
    """Its part of the relevance would be missing, and called a bias."""
    with pytest.raises(UnsupportedOperationError, match=r"rfft.*complex numbers"):
        LRP(Spectral())(torch.rand(2, 2, 16), 0)


def scripted(x: Tensor) -> Tensor:
    return x * 2 + 1


def script() -> Callable[[Tensor], Tensor]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(scripted)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: torch.fft.fft(x).real,
        lambda x: torch.view_as_real(torch.view_as_complex(x.unflatten(1, (6, 2))) * 2).flatten(1),
        lambda x: torch.from_numpy(x.numpy() * 2),
        lambda x: torch.tensor(x.tolist()),
        lambda x: x * x[0, 0].item(),
        lambda x: torch.func.vmap(lambda row: row * 2)(x),
        lambda x: script()(x),
    ],
    ids=["fft", "view_as_complex", "numpy", "tolist", "item", "vmap", "script"],
)
def test_ways_out_of_sight_are_refused(function: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(UnsupportedOperationError):
        LRP(Beside(function))(X, 0)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * x.argmax(1).tolist()[0],
        lambda x: x * (x > 0.5),
        lambda x: x * x.shape[1],
        lambda x: x * x.detach()[0, 0].item(),
        lambda x: x[:, torch.arange(11, -1, -1)],
        lambda x: x if bool((x > 0).all()) else -x,
    ],
    ids=["index", "mask", "shape", "detached", "gather", "control flow"],
)
def test_whole_numbers_masks_and_shapes_are_constants(function: Callable[[Tensor], Tensor]) -> None:
    model = Beside(function)
    torch.testing.assert_close(LRP(model, "zero")(X, 0).sum(1), model(X)[:, 0])


def test_a_list_is_a_composite() -> None:
    model = nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 3)).double()
    x = X.double()
    given = [("0", rules.Gamma(0.25)), (composites.anything(), rules.Epsilon(1e-6))]
    built = composites.Composite([(composites.named("0"), rules.Gamma(0.25)), given[1]])
    torch.testing.assert_close(LRP(model, given)(x, 0), LRP(model, built)(x, 0), rtol=0, atol=0)
    assert not torch.equal(LRP(model, given)(x, 0), LRP(model, "epsilon")(x, 0))
    for wrong in ([rules.Epsilon()], [("0", "epsilon")], [(0, rules.Epsilon())]):
        with pytest.raises(TypeError, match="list of \\(selector, rule\\)"):
            LRP(model, wrong)
