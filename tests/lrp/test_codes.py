"""Whole numbers carry the relevance of the table's row that they mean: token ids, and codes in a floating table."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from neon import LRP, UnsupportedOperationError

torch.manual_seed(0)
TABLE = nn.Embedding(12, 4).double()
BODY = nn.Sequential(nn.Linear(7, 16), nn.ReLU(), nn.Linear(16, 2)).double()
RNN, HEAD = nn.LSTM(4, 6, batch_first=True).double(), nn.Linear(6, 2).double()
X = torch.cat([torch.randn(6, 3), torch.randint(0, 5, (6, 1)).float()], 1).double()
CUTS = torch.tensor([0.5, 1.5, 2.5, 3.5], dtype=torch.float64)

CODES: dict[str, Callable[[Tensor], Tensor]] = {
    "long": lambda c: TABLE(c.long()),
    "int": lambda c: TABLE(c.int()),
    "to": lambda c: TABLE(c.to(torch.int64)),
    "type": lambda c: TABLE(c.type(torch.int64)),
    "round": lambda c: TABLE(c.round().int()),
    "clamped": lambda c: TABLE(c.floor().clamp(0, 3).long()),
    "offset": lambda c: TABLE(c.long() + 3),
    "bucketize": lambda c: TABLE(torch.bucketize(c.contiguous(), CUTS)),
    "searchsorted": lambda c: TABLE(torch.searchsorted(CUTS, c.contiguous())),
    "one_hot": lambda c: F.one_hot(c.long(), 12).double() @ TABLE.weight,
    "shifted before": lambda c: TABLE((c + 0.2).floor().long()),
    "shifted there and back": lambda c: TABLE((c - 1.0 + 1.0).round().long()),
    "flipped": lambda c: TABLE((5.0 - (5.0 - c)).long()),
    "scaled before": lambda c: TABLE(((c * 2 + 1) / 2).clamp(0, 4).trunc().int()),
    "floor_divide": lambda c: TABLE((c * 3 + 1).floor_divide(3).long()),
    "//": lambda c: TABLE(((c * 3 + 1) // 3).long()),
    "shifted, moved": lambda c: TABLE((c + 0.2)[:, None].repeat(1, 2)[:, 1].long()),
    "shifted to bins": lambda c: TABLE(torch.bucketize(c + 0.2, CUTS)),
    "shifted to one_hot": lambda c: F.one_hot((c + 0.2).long(), 12).double() @ TABLE.weight,
    "index": lambda c: TABLE.weight[c.long()],
    "index_select": lambda c: TABLE.weight.index_select(0, c.long()),
    "functional": lambda c: F.embedding(weight=TABLE.weight, input=c.long()),
}


@pytest.mark.parametrize("spelling", CODES)
def test_a_column_of_codes_gets_the_relevance_of_its_embedding(spelling: str) -> None:
    look_up = CODES[spelling]
    with torch.no_grad():
        rows = look_up(X[:, 3])
    numbers, embedded = LRP(lambda x, e: BODY(torch.cat([x, e], 1)), "zero")((X[:, :3], rows), 1)
    model = lambda t: BODY(torch.cat([t[:, :3], look_up(t[:, 3])], 1))  # noqa: E731
    found = LRP(model, "zero")(X, 1)
    torch.testing.assert_close(found, torch.cat([numbers, embedded.sum(1, keepdim=True)], 1))
    low = LRP(model, "zero", memory="low")(X, 1)
    torch.testing.assert_close(low, found)


def test_a_column_that_is_a_number_as_well_shares_as_a_number_does() -> None:
    """Its shift is read by the body too: there the constant has its share."""

    def model(t: Tensor) -> Tensor:
        shifted = t[:, 3:] + 0.2
        return BODY[2](
            torch.cat([shifted, shifted, shifted, shifted], 1).repeat(1, 4) * TABLE(shifted.long()[:, 0])[:, :1]
        )

    walk = LRP(model, "zero").record(X).propagate(1, account=True)
    assert walk.ledger.absorbed["bias"].abs().max() > 0.01
    total = walk.relevance[0].sum(1) + sum(walk.ledger.absorbed.values())
    torch.testing.assert_close(total, model(X)[:, 1].detach())


def test_codes_that_only_choose_are_constants() -> None:
    """As an index of explained values, a mask or a length."""
    weight = torch.randn(5, dtype=torch.float64)

    def model(t: Tensor) -> Tensor:
        code = t[:, 3].long()
        picked = t[torch.arange(len(t)), code.clamp(max=2)]
        return (picked + t[:, 0] * (code > 2) + weight.sum()).unsqueeze(1)

    x = X.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(x).sum(), x)
    torch.testing.assert_close(LRP(model, "zero")(X), X * gradient)
    with pytest.raises(UnsupportedOperationError, match="constant table"):
        LRP(lambda t: t[:, :1] + weight.gather(0, t[:, 3].long())[:, None], "zero")(X)


IDS, LENGTHS = torch.randint(1, 12, (3, 6)), torch.tensor([3, 6, 2])


def packed(ids: Tensor) -> Tensor:
    steps = pack_padded_sequence(ids, LENGTHS, batch_first=True, enforce_sorted=False)
    return HEAD(RNN(PackedSequence(TABLE(steps.data), *steps[1:]))[1][0][-1])


def packed_after(ids: Tensor) -> Tensor:
    steps = pack_padded_sequence(TABLE(ids), LENGTHS, batch_first=True, enforce_sorted=False)
    return HEAD(RNN(steps)[1][0][-1])


def shifted(ids: Tensor) -> Tensor:
    moved = ids.new_zeros(ids.shape)
    moved[:, 1:] = ids[:, :-1].clone()
    moved[:, 0] = 1
    return HEAD(RNN(TABLE(moved))[0][:, -1])


def shifted_after(ids: Tensor) -> Tensor:
    start = TABLE.weight[1].expand(len(ids), 1, 4)
    return HEAD(RNN(torch.cat([start, TABLE(ids)[:, :-1]], 1))[0][:, -1])


def at_largest(ids: Tensor) -> Tensor:
    return HEAD(RNN(TABLE(ids))[0][torch.arange(len(ids)), ids.argmax(-1)])


def at_fixed(ids: Tensor) -> Tensor:
    return HEAD(RNN(TABLE(ids))[0][torch.arange(len(ids)), IDS.argmax(-1)])


def padded(ids: Tensor) -> Tensor:
    return HEAD(RNN(TABLE(ids.masked_fill(ids > 8, 0)))[0][:, -1])


def padded_after(ids: Tensor) -> Tensor:
    return HEAD(RNN(torch.where((IDS > 8)[..., None], TABLE.weight[0], TABLE(ids)))[0][:, -1])


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.int16, torch.uint8])
@pytest.mark.parametrize(
    ("model", "plain"),
    [(packed, packed_after), (shifted, shifted_after), (at_largest, at_fixed), (padded, padded_after)],
)
def test_ids_are_followed_to_their_table(
    model: Callable[[Tensor], Tensor], plain: Callable[[Tensor], Tensor], dtype: torch.dtype
) -> None:
    ids = IDS.to(dtype)
    found = LRP(lambda i: model(i.long()), "epsilon")(ids, 1)
    torch.testing.assert_close(found, LRP(plain, "epsilon")(IDS, 1))
    assert found.abs().sum() > 0


def test_lengths_beside_an_input_choose() -> None:
    def last(x: Tensor, n: Tensor) -> Tensor:
        return HEAD(RNN(x)[0][torch.arange(len(x)), n - 1])

    x = torch.randn(3, 6, 4, dtype=torch.float64)
    relevance, of_lengths = LRP(last)((x, LENGTHS), 1)
    assert torch.equal(relevance, LRP(last)(x, 1, given=(LENGTHS,)))
    assert not of_lengths.any()
