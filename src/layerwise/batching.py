"""How texts become batches, and how batches are spread over a processor's threads."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from layerwise.models import Encoder

# Float32 tokens in a batch: enough to keep the processor busy, few enough for its cache.
BATCH_TOKENS = {"cpu": 512, "mps": 4096, "cuda": 16384}


def tokens_per_batch(encoder: Encoder) -> int:
    """Return how many tokens a batch may hold: twice as many in numbers of half the size."""
    return BATCH_TOKENS[torch.device(encoder.device).type] * 4 // encoder.model.dtype.itemsize


def batches_by_length(
    lengths: Sequence[int], max_tokens: int, may_pad: bool = True
) -> Iterator[list[int]]:
    """Group the positions of texts of like length, longest first, so that padding is rare.

    A batch holds at most max_tokens, padding included, or else one text: many short texts or
    a few long ones are the same amount of work. Longest first: if memory runs out, it does so
    at once. Unless texts may be padded, those of a batch have one length.
    """
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        too_many = batch and (len(batch) + 1) * lengths[batch[0]] > max_tokens
        too_short = batch and lengths[i] < lengths[batch[0]] and not may_pad
        if too_many or too_short:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def pad(inputs: Sequence[Mapping[str, Tensor]], encoder: Encoder) -> dict[str, Tensor]:
    """Make rectangles of texts of different lengths; the mask says which is which.

    Returns
    -------
    dict of int Tensors of shape (n_texts, n_tokens), on the encoder's device
        ``input_ids``, ``attention_mask``, and what else the texts come with.
    """
    tokenizer = encoder.tokenizer
    padding = {
        "input_ids": tokenizer.pad_token_id,
        "token_type_ids": tokenizer.pad_token_type_id,
        "attention_mask": 0,
    }
    return {  # padding on the right: batch first, as pad_sequence's True says
        name: pad_sequence([text[name] for text in inputs], True, padding.get(name, 0)).to(
            encoder.device
        )
        for name in inputs[0]
    }


def map_in_parallel(function: Callable, items: list, device: torch.device) -> Iterator:
    """Call a function on each item, several at a time on a CPU, and yield results in order.

    One batch for each of the CPU's threads is faster than all threads on one batch: the
    products of a small model are so short that threads who share one mostly wait.
    """
    n_threads = torch.get_num_threads()
    n_workers = min(n_threads, len(items)) if device.type == "cpu" else 1
    if n_workers == 1:
        yield from map(function, items)
        return
    try:
        with ThreadPoolExecutor(
            n_workers, initializer=torch.set_num_threads, initargs=(n_threads // n_workers,)
        ) as workers:
            yield from workers.map(function, items)
    finally:
        # What a worker sets for itself, torch also takes as the default of later threads.
        torch.set_num_threads(n_threads)
