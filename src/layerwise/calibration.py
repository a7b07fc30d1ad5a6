"""Is a classifier as often right as it is sure?

Chapter: ``chapters/task.md``, "How sure is it, and how often right?".
"""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from layerwise.arrays import plain
from layerwise.evaluation import check_labels
from layerwise.similarity import to_numbers

N_BINS = 10


def calibration_error(confidence, is_right, n_bins: int = N_BINS) -> float:
    """Return the mean gap between confidence and the share that is right, over bins.

    Source: Guo et al. (2017), "On Calibration of Modern Neural Networks", section 2.

    Parameters
    ----------
    confidence : array of shape (n_texts,)
        The probability of the label that was chosen.
    is_right : bool array of shape (n_texts,)
    n_bins : int
        Of equal width between 0 and 1.
    """
    confidence, is_right = (np.asarray(plain(x), float) for x in (confidence, is_right))
    if confidence.shape != is_right.shape or not confidence.size:
        raise ValueError(f"{confidence.size} confidences, but {is_right.size} answers")
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise ValueError(
            f"a confidence is from 0 to 1, and {confidence.max():g} is among these: are they "
            "logits? Take scipy.special.softmax of them"
        )
    of_bin = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    gaps = np.bincount(of_bin, confidence - is_right)  # n in the bin times its mean gap
    return float(np.abs(gaps).sum() / len(confidence))


def error_of_the_calibrated(confidence, n_draws: int = 1000) -> np.ndarray:
    """Return the calibration errors of a model that is right just as often as it is sure.

    With few texts they are not zero: what chance leaves over.

    Returns
    -------
    array of shape (n_draws,)
    """
    rng = np.random.default_rng(0)
    return np.array([
        calibration_error(confidence, rng.random(len(confidence)) < confidence)
        for _ in range(n_draws)
    ])


def fit_temperature(logits, labels) -> float:
    """Return the temperature by which logits are divided for the labels to be most probable.

    Source: Guo et al. (2017), section 4.2.

    Parameters
    ----------
    logits : array of shape (n_texts, n_labels)
        Of texts that were not trained on, nor are tested on.
    labels : int array of shape (n_texts,)

    Returns
    -------
    float
        From 1/20 to 20. Above 1 the model was too sure.

    Raises
    ------
    TypeError, ValueError
        If a logit is no number, or a label is missing or none of the columns.
    """
    logits = to_numbers(logits, "logits")
    labels = check_labels(labels, len(logits))
    n_labels = logits.shape[-1]
    if not np.isin(labels, np.arange(n_labels)).all():
        raise ValueError(
            f"labels are the columns of the logits, from 0 to {n_labels - 1}; got "
            f"{sorted(set(labels.tolist()))[:5]}"
        )
    labels = labels.astype(int)

    def loss(log_temperature: float) -> float:
        chosen = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -chosen[np.arange(len(labels)), labels].mean()

    bounds = (-np.log(20), np.log(20))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))
