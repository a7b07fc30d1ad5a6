"""Read an earlier layer of a decoder as if it were its last: plainly, or through a map.

Chapter: ``chapters/wires.md``, "The lens that flatters".
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack

import torch
from torch import Tensor
from transformers import PreTrainedModel

from layerwise.interventions import record, stream


def streams_of(
    model: PreTrainedModel, ids: Tensor, layers: Sequence[int]
) -> dict[int, Tensor]:
    """Return the streams of all tokens of some texts, by layer, (n_tokens, n_dims)."""
    with ExitStack() as stack:
        kept = {
            layer: stack.enter_context(record(stream(model, layer))) for layer in layers
        }  # fmt: skip
        model(ids, logits_to_keep=1)
    return {layer: found[0].flatten(0, 1) for layer, found in kept.items()}


def last_step(model: PreTrainedModel) -> Callable[[Tensor], Tensor]:
    """Return the function by which a decoder makes log probabilities of its last stream.

    It takes streams, (n_tokens, n_dims), and returns (n_tokens, n_pieces).
    """
    base, to_logits = model.base_model, model.get_output_embeddings()
    norm = base.get_submodule("norm" if hasattr(base, "norm") else "ln_f")
    return lambda stream: to_logits(norm(stream)).log_softmax(-1)


def with_one(x: Tensor) -> Tensor:
    """Return rows with a 1 at their end, so that a map can add a constant."""
    return torch.cat([x, torch.ones_like(x[:, :1])], dim=1)


def linear_map(x: Tensor, y: Tensor, strength: float = 1e-3) -> Tensor:
    """Return the map that takes x, with one, to y with the least squares, a ridge added.

    Parameters
    ----------
    x, y : Tensor of shape (n, n_dims)
    strength : float
        Of the ridge, as a share of the mean square of a dimension.

    Returns
    -------
    Tensor of shape (n_dims + 1, n_dims)
    """
    x = with_one(x)
    gram = x.T @ x
    gram += strength * gram.diagonal().mean() * torch.eye(len(gram), device=x.device)
    return torch.linalg.solve(gram, x.T @ y)


def divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Return how many bits more the words of p cost, coded by q, (n_tokens,).

    Parameters
    ----------
    log_p, log_q : Tensor of shape (n_tokens, n_pieces)
        Natural logarithms of probabilities; one row of q may stand for all.
    """
    return (log_p.exp() * (log_p - log_q)).sum(-1) / torch.log(torch.tensor(2.0))
