"""Other forms of a network give what it gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, RegressorMixin

import neon
from neon import extend, nn
from neon.lrp import LRP
from neon.nn import forms
from neon.nn.linear.chain import Chain
from neon.nn.linear.layers import Selection
from neon.nn.linear.side_by_side import InParallel
from neon.nn.pooling.groups import group_minimum
from tests.nn.textbook import close, draw

CENTERS, FACTOR = draw(5, 4), draw(3, 4, seed=2)
NETWORKS = {
    "nearest": [nn.SquaredDistance(CENTERS), nn.Evidence(2.0)],
    "metric": [nn.SquaredDistance(CENTERS, FACTOR, draw(5, seed=3)), nn.Evidence(2.0)],
    "groups": [nn.SquaredDistance(CENTERS), *group_minimum([2, 1, 2], 1.0), nn.Evidence(1.0)],
    "equal groups": [nn.SquaredDistance(CENTERS[:4]), *group_minimum([2, 2], 1.0), nn.Evidence(1.0)],
    "shifted": [nn.Affine(2.0), nn.SquaredDistance(CENTERS), nn.Affine(1.0, draw(5, seed=4)), nn.Evidence(1.0)],
    "decisions": [nn.SquaredDistance(CENTERS[:2]), nn.Linear([[1.0, -1.0], [-2.0, 2.0]])],
    "manhattan": [nn.ManhattanDistance(CENTERS), nn.Evidence(1.0)],
    "lengths": [nn.ManhattanDistance(CENTERS), nn.PooledMinimum(5, 1.0)],
    "maxima": [nn.Linear(draw(6, 4)), nn.PooledMaximum([2, 1, 3], 1.0)],
    "rivals": [nn.Linear(draw(3, 4)), Selection([0, 1, 0, 2, 1, 2]), nn.Affine(draw(6)), nn.PooledMinimum(3, 1.0)],
    "side by side": [
        nn.SideBySide([torch.nn.Sequential(nn.PooledMinimum(1, 1.0), nn.TwoClass()), nn.Linear(draw(2, 1))], [3, 1])
    ],
    "in parallel": [
        InParallel([torch.nn.Sequential(nn.ManhattanDistance(CENTERS), nn.PooledMinimum(1, 1.0)), torch.nn.ReLU()])
    ],
    "odds": [nn.LinearEnergy(draw(2, 4), draw(2)), nn.Evidence(soft=True)],
    "binary": [
        torch.nn.Sequential(nn.Linear(draw(3, 4), draw(3)), torch.nn.ReLU()),
        nn.Linear(draw(1, 3)),
        nn.TwoClass(),
    ],
}


@pytest.mark.parametrize("layers", NETWORKS.values(), ids=NETWORKS)
def test_relu(layers: list[torch.nn.Module]) -> None:
    x, network = draw(20, 4, seed=9), torch.nn.Sequential(*layers)
    plain = forms.relu(network, 4)
    assert {type(layer) for layer in plain} <= {torch.nn.Linear, torch.nn.ReLU}
    close(plain(x), network(x))


@pytest.mark.parametrize("layers", NETWORKS.values(), ids=NETWORKS)
def test_spelled_out(layers: list[torch.nn.Module]) -> None:
    x, network = draw(20, 4, seed=9), torch.nn.Sequential(*layers)
    plain = forms.spelled_out(network, 4)
    assert not {type(layer) for layer in plain} & {nn.SquaredDistance, nn.ManhattanDistance, nn.Evidence}
    close(plain(x), network(x))
    start = draw(*network(x).shape, seed=3)
    close(LRP(plain, "neon")(x, start), LRP(network, "neon")(x, start))


def test_log_ratio_spelled_out() -> None:
    x, network = draw(20, 4, seed=9), [nn.SquaredDistance(CENTERS), nn.LogRatio(draw(2, 5), draw(2), 0.5)]
    plain = forms.spelled_out(network, 4)
    assert [type(layer).__name__ for layer in plain] == [
        "Difference",
        "Square",
        "Total",
        "Linear",
        "LogSumExp",
        "Linear",
    ]
    close(plain(x), torch.nn.Sequential(*network)(x))


def test_networks_inside_layers_are_spelled_out() -> None:
    distance, linear = torch.nn.Sequential(nn.SquaredDistance(CENTERS), nn.PooledMinimum(1, 1.0)), nn.Linear(draw(1, 5))
    chain = Chain([distance, linear], [distance, linear], [1, 0])
    x, plain = draw(20, 4, seed=9), forms.spelled_out([chain], 4)
    assert not any(type(layer) is nn.SquaredDistance for layer in plain.modules())
    assert plain[0].hands[0] is plain[0].scores[0]
    close(plain(x), chain(x))


def test_a_map_to_differences_of_distances_is_one_layer() -> None:
    assert len(forms.relu([nn.SquaredDistance(CENTERS[:2]), nn.Evidence(1.0)], 4)) == 1


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([nn.SquaredDistance(CENTERS)], "a distance is not piecewise linear"),
        ([nn.SquaredDistance(CENTERS), nn.PooledMinimum(5, 1.0)], "a distance is not piecewise linear"),
        ([nn.Linear(draw(3, 4)), nn.Evidence(soft=True)], "for two alternatives"),
        ([torch.nn.Tanh()], "Tanh is not made of Linear and ReLU alone"),
    ],
)
def test_none_of_linear_and_relu_alone(layers: list[torch.nn.Module], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        forms.relu(layers, 4)


def test_float32_networks_have_other_forms() -> None:
    x, network = (
        torch.randn(5, 4),
        torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2, bias=False)),
    )
    for form in (forms.spelled_out, forms.relu):
        assert torch.equal(form(network, 4)(x), network(x))
    for after in (torch.nn.Linear(2, 2), torch.nn.Linear(3, 2, bias=False)):
        before = torch.nn.Linear(4, after.in_features)
        torch.testing.assert_close(forms._joined(before, after)(x), after(before(x)))


def test_a_converter_may_give_float32_layers() -> None:
    class Half(BaseEstimator, RegressorMixin):
        def fit(self, X: np.ndarray, y: np.ndarray) -> Half:
            linear = torch.nn.Linear(X.shape[1], 3), torch.nn.Linear(3, 1)
            self.n_features_in_, self.layers_ = X.shape[1], torch.nn.Sequential(linear[0], torch.nn.ReLU(), linear[1])
            return self

        def predict(self, X: np.ndarray) -> np.ndarray:
            with torch.no_grad():
                return self.layers_(torch.as_tensor(X).float())[:, 0].double().numpy()

    def convert_half(model: Half, ask: extend.Ask) -> extend.Conversion:
        return extend.Conversion(model.layers_, "prediction", ("y",), lambda X: model.predict(X)[:, None])

    X = draw(6, 4).numpy()
    extend.register(Half, by=convert_half)
    for form in ("fused", "layers", "relu"):
        assert neon.neuralize(Half().fit(X, X[:, 0]), form=form).verify(X) < 1e-6
