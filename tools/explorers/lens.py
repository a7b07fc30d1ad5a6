"""What each lens reads of some lines, layer by layer: for the explorer of lenses."""

from collections.abc import Callable
from importlib.resources import files

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from layerwise.decoders import Decoder
from layerwise.lens import divergence, last_step, linear_map, streams_of, with_one
from layerwise.texts.poems import load_poems

# First lines of poems on which no map is fitted; the first is the chapter's.
LINES = [
    "It was not death, for I stood up,",
    "I heard a fly buzz when I died;",
    "One need not be a chamber to be haunted,",
    "There's a certain slant of light,",
    "To make a prairie it takes a clover and one bee,—",
]
N_SHOWN = 9  # tokens of a line
N_FITTED = 24  # texts that a map is fitted on
N_TOKENS = 40  # of each of them
EVERY = 3  # layers

Lens = Callable[[int, Tensor], Tensor]  # a layer and its stream to log probabilities


def make_lens(decoder: Decoder) -> dict:
    """Describe what each lens reads at each token of some lines.

    Returns
    -------
    dict
        ``lenses`` names them; each line has its ``tokens``, and what came after each, and for
        each lens ``top``, the piece held most probable, ``share``, its probability in
        thousandths, ``rank`` of what came, 0 the first, and ``bits`` from the model's own
        words, in hundredths: (n_layers, n_tokens), row after row.
    """
    tokenizer, model, _ = decoder
    n_layers = model.config.num_hidden_layers
    layers = sorted({*range(0, n_layers, EVERY), n_layers})
    with torch.inference_mode():
        lenses = fit_lenses(decoder, layers)
        lines = [describe_line(text, decoder, layers, lenses) for text in whole_texts()]
    numbers = sorted({n for line in lines for read in line["read"] for n in read["top"]})
    for line in lines:
        for read in line["read"]:
            read["top"] = np.searchsorted(numbers, read["top"]).tolist()
    return {
        "model": model.name_or_path,
        "layers": layers,
        "lenses": list(lenses),
        "pieces": [tokenizer.decode([n]) for n in numbers],
        "lines": lines,
    }


def whole_texts() -> list[str]:
    """Return the poems that begin with the lines."""
    poems = load_poems().set_index("first_line")["text"]
    return [poems[line] for line in LINES]


def fit_lenses(decoder: Decoder, layers: list[int]) -> dict[str, Lens]:
    """Return the lenses: plain, through maps fitted on poems and on prose, and the constant."""
    tokenizer, model, device = decoder
    prose = pd.read_csv(str(files("layerwise.datasets") / "presidents.csv"))["text"]
    distribution, last = last_step(model), model.config.num_hidden_layers

    def streams(texts) -> dict[int, Tensor]:
        ids = [tokenizer(text)["input_ids"][:N_TOKENS] for text in texts]
        kept = [each for each in ids if len(each) == N_TOKENS][:N_FITTED]
        return streams_of(model, torch.tensor(kept, device=device), [*layers, last])

    def through_maps(found: dict[int, Tensor]) -> Lens:
        maps = {layer: linear_map(found[layer], found[last]) for layer in layers}
        return lambda layer, stream: distribution(with_one(stream) @ maps[layer])

    of_poems = streams(load_poems()["text"])
    constant = distribution(of_poems[last][::4]).exp().mean(0).log()
    return {
        "plain": lambda _, stream: distribution(stream),
        "corrected": through_maps(of_poems),
        "fitted on prose": through_maps(streams(prose)),
        "constant": lambda _, stream: constant.expand(len(stream), -1),
    }


def describe_line(
    text: str, decoder: Decoder, layers: list[int], lenses: dict[str, Lens]
) -> dict:
    """Describe what each lens reads of the first line of a poem."""
    tokenizer, model, device = decoder
    first_line = text.split("\n")[0]
    ids = torch.tensor(tokenizer(text)["input_ids"], device=device)
    n = min(N_SHOWN, len(tokenizer(first_line)["input_ids"]))
    streams = streams_of(model, ids[None, :n], layers)
    final = last_step(model)(streams[layers[-1]])

    def read(lens: Lens) -> dict:
        chances = torch.stack([lens(layer, streams[layer]) for layer in layers])
        best, top = chances.max(-1)  # (n_layers, n_tokens)
        of_next = chances.gather(-1, ids[None, 1 : n + 1, None].expand(len(layers), -1, -1))
        bits = torch.stack([divergence(final, each) for each in chances])
        return {
            "top": top.flatten().tolist(),
            "share": whole_numbers(1000 * best.exp()),
            "rank": (chances > of_next).sum(-1).flatten().tolist(),
            "bits": whole_numbers(100 * bits),
        }

    return {
        "text": first_line,
        "tokens": [tokenizer.decode([i]) for i in ids[: n + 1].tolist()],
        "read": [read(lens) for lens in lenses.values()],
    }


def whole_numbers(numbers: Tensor) -> list[int]:
    """Return numbers rounded, row after row."""
    return numbers.flatten().round().int().tolist()
