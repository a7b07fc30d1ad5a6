"""Teach an encoder a task: one plain loop, a head of one linear map, and LoRA by hand.

Chapter: ``chapters/task.md``, "Change the model itself".
"""

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AutoModel

from layerwise.batching import pad
from layerwise.embedding import read_together
from layerwise.models import Encoder
from layerwise.pooling import mean_pool
from layerwise.tokenizing import tokenize


class Classifier(NamedTuple):
    """An encoder, and a linear map from the mean of its last layer to a number a label."""

    encoder: Encoder
    head: nn.Linear


def new_classifier(encoder: Encoder, n_labels: int, seed: int = 0) -> Classifier:
    """Return a copy of an encoder with a head that knows nothing; all weights can be trained.

    Parameters
    ----------
    encoder : Encoder
        Stays as it is.
    n_labels : int
    seed : int
        Decides on the head.
    """
    tokenizer, model, device = encoder
    torch.manual_seed(seed)
    head = nn.Linear(model.config.hidden_size, n_labels).to(device)
    trained = copy.deepcopy(model).requires_grad_(True)
    return Classifier(Encoder(tokenizer, trained, device), head)


def without_pretraining(encoder: Encoder, seed: int = 0) -> Encoder:
    """Return an encoder of the same shape with random weights."""
    torch.manual_seed(seed)
    config = copy.deepcopy(encoder.model.config)
    model = AutoModel.from_config(config, attn_implementation="eager")
    return encoder._replace(model=model.to(encoder.device).eval())


def add_lora(linear: nn.Linear, rank: int = 4, scale: float = 2.0) -> None:
    """Freeze a linear map, and add to it the product of two thin matrices that can be trained.

    The second begins as zero, so that at first nothing changes.

    Source: Hu et al. (2022), "LoRA", section 4.1; ``scale`` is its α / r.
    """
    linear.requires_grad_(False)
    down = torch.randn(rank, linear.in_features) / linear.in_features**0.5
    linear.lora_down = nn.Parameter(down.to(linear.weight))
    linear.lora_up = nn.Parameter(torch.zeros(linear.out_features, rank).to(linear.weight))

    def add(linear, inputs, output):  # (..., n_in) and (..., n_out)
        return output + scale * (inputs[0] @ linear.lora_down.T @ linear.lora_up.T)

    linear.register_forward_hook(add)


def lora_classifier(
    encoder: Encoder, n_labels: int, rank: int = 4, seed: int = 0
) -> Classifier:
    """Return a classifier of which only the head and LoRA on queries and values are trained.

    Parameters
    ----------
    encoder : Encoder
        A BERT; stays as it is.
    n_labels, rank, seed : int
    """
    classifier = new_classifier(encoder, n_labels, seed)
    model: Any = classifier.encoder.model.requires_grad_(False)
    for layer in model.encoder.layer:
        add_lora(layer.attention.self.query, rank)
        add_lora(layer.attention.self.value, rank)
    return classifier


def trained_parameters(classifier: Classifier) -> list[nn.Parameter]:
    """List the weights that training changes."""
    parameters = [*classifier.encoder.model.parameters(), *classifier.head.parameters()]
    return [parameter for parameter in parameters if parameter.requires_grad]


def logits_of(batch: dict[str, Tensor], classifier: Classifier) -> Tensor:
    """Return a number for each text and label, of shape (n_texts, n_labels)."""
    hidden = classifier.encoder.model(**batch).last_hidden_state  # (n_texts, n_tokens, n_dims)
    return classifier.head(mean_pool(hidden, batch["attention_mask"]))


def shuffled_batches(
    lengths: Sequence[int], size: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Group texts of like length, equal ones in random order, and shuffle the batches."""
    order = np.lexsort((rng.random(len(lengths)), np.asarray(lengths)))  # ties at random
    batches = np.array_split(order, range(size, len(order), size))
    return [batches[i] for i in rng.permutation(len(batches))]


def fine_tune(
    classifier: Classifier,
    texts: Sequence[str],
    labels: Sequence[int] | np.ndarray,
    n_epochs: int = 3,
    learning_rate: float = 5e-5,
    size: int = 32,
    seed: int = 0,
    held_out: tuple[Sequence[str], Sequence[int] | np.ndarray] | None = None,
) -> pd.DataFrame:
    """Train a classifier on labelled texts, in place.

    Parameters
    ----------
    classifier : Classifier
    texts : sequence of str
    labels : sequence of int, one for each text
        From 0 on.
    n_epochs : int
        How often every text is seen.
    learning_rate : float
        Falls from here to zero, in a line.
    size : int
        Texts in a batch.
    seed : int
        Decides on the order of batches, and on dropout.
    held_out : texts and labels, optional
        Measured after each epoch; nothing is learned from them.

    Returns
    -------
    DataFrame
        A row an epoch: ``loss``, in nats a text, and ``right``, a share, both while training;
        and of what was held out, ``held-out loss`` and ``held-out right``.
    """
    model = classifier.encoder.model
    inputs = tokenize(texts, classifier.encoder, truncate=True)
    targets = torch.as_tensor(np.asarray(labels))  # (n_texts,)
    lengths = [len(text["input_ids"]) for text in inputs]
    n_steps = n_epochs * -(-len(inputs) // size)
    optimizer = torch.optim.AdamW(trained_parameters(classifier), learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0, n_steps)
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    epochs = []
    for _ in range(n_epochs):
        model.train()  # dropout is on
        losses, right = np.zeros(len(inputs)), np.zeros(len(inputs))
        for positions in shuffled_batches(lengths, size, rng):
            batch = pad([inputs[i] for i in positions], classifier.encoder)
            logits = logits_of(batch, classifier)  # (size, n_labels)
            aim = targets[positions].to(logits.device)
            each = F.cross_entropy(logits, aim, reduction="none")  # (size,)
            optimizer.zero_grad()
            each.mean().backward()
            optimizer.step()
            schedule.step()
            losses[positions] = each.detach().cpu()
            right[positions] = (logits.argmax(dim=1) == aim).cpu()
        model.eval()
        epoch = {"loss": losses.mean(), "right": right.mean()}
        epochs.append(epoch | (measure(classifier, *held_out) if held_out else {}))
    return pd.DataFrame(epochs, index=pd.RangeIndex(1, n_epochs + 1, name="epoch"))


def measure(
    classifier: Classifier, texts: Sequence[str], labels: Sequence[int] | np.ndarray
) -> dict:
    """Return the loss on held-out texts, in nats a text, and the share that is right."""
    logits, targets = predict(classifier, texts), np.asarray(labels)
    loss = F.cross_entropy(torch.from_numpy(logits), torch.from_numpy(targets)).item()
    right = float((logits.argmax(axis=1) == targets).mean())
    return {"held-out loss": loss, "held-out right": right}


def predict(classifier: Classifier, texts: Sequence[str]) -> np.ndarray:
    """Return the logits of texts, a float array of shape (n_texts, n_labels)."""
    encoder, head = classifier
    inputs = tokenize(texts, encoder, truncate=True)
    logits = np.empty((len(inputs), head.out_features))
    with torch.inference_mode():
        for positions in read_together(inputs, encoder):
            batch = pad([inputs[i] for i in positions], encoder)
            logits[positions] = logits_of(batch, classifier).cpu().double()
    return logits
