"""How sure and how often right."""

import numpy as np
import pytest
from scipy.special import expit, softmax

from layerwise.calibration import calibration_error, error_of_the_calibrated, fit_temperature


def test_the_error_weighs_the_gap_of_each_bin_by_its_size():
    confidence = [0.95, 0.91, 0.99, 0.65, 1.0]
    is_right = [True, False, True, True, False]
    nine = abs((0.95 + 0.91 + 0.99 + 1.0) / 4 - 2 / 4)
    assert calibration_error(confidence, is_right) == pytest.approx(0.8 * nine + 0.2 * 0.35)
    assert calibration_error(confidence, is_right, n_bins=1) == pytest.approx(0.9 - 0.6)


def test_a_calibrated_model_of_few_texts_has_an_error_too():
    confidence = np.random.default_rng(0).uniform(0.5, 1, 400)
    few, many = (error_of_the_calibrated(np.tile(confidence, n), 100) for n in (1, 16))
    assert few.mean() == pytest.approx(4 * many.mean(), rel=0.25)  # as 1 / sqrt(n)
    too_sure = np.random.default_rng(1).random(400) < confidence - 0.2
    assert calibration_error(confidence, too_sure) > np.quantile(few, 0.99)


def test_a_temperature_undoes_what_margins_were_multiplied_by():
    rng = np.random.default_rng(0)
    margins = rng.normal(0, 2, 20_000)
    labels = (rng.random(20_000) < expit(margins)).astype(int)
    for times in (0.5, 1, 3):
        logits = np.stack([0 * margins, times * margins], axis=1) - 7  # a constant says nothing
        assert fit_temperature(logits, labels) == pytest.approx(times, rel=0.05)
    logits = np.stack([0 * margins, 3 * margins], axis=1)
    sure = softmax(logits, axis=1).max(axis=1)
    is_right = logits.argmax(axis=1) == labels
    cooled = softmax(logits / fit_temperature(logits, labels), axis=1).max(axis=1)
    assert calibration_error(cooled, is_right) < 0.02 < calibration_error(sure, is_right)


def test_logits_and_labels_that_are_none_are_refused():
    logits = np.array([[1.0, 2, 0], [0, 3, 1], [5, 1, 2]])
    for labels, said in [
        ([0, 1, 3], r"from 0 to 2; got \[0, 1, 3\]"), ([0, -1, 1], r"got \[-1, 0, 1\]"),
        ([0, 1], "3 texts, but 2 labels"), ([0, 1, np.nan], r"texts \[2\] have no label"),
        ([0, 0.5, 1], "from 0 to 2"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=said):
            fit_temperature(logits, labels)
    assert fit_temperature(logits, [0.0, 1, 2]) == fit_temperature(logits, [0, 1, 2])
    logits[1, 2] = np.nan
    with pytest.raises(ValueError, match="logits: vector 1 has a nan"):
        fit_temperature(logits, [0, 1, 2])


def test_what_is_no_confidence_is_refused():
    with pytest.raises(ValueError, match="3 confidences, but 2 answers"):
        calibration_error([0.5, 0.6, 0.7], [True, False])
    with pytest.raises(ValueError, match=r"3.2 is among these: are they logits\?"):
        calibration_error([0.5, 3.2], [True, False])
    with pytest.raises(ValueError, match="0 confidences"):
        calibration_error([], [])
