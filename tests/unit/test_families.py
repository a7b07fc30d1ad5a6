"""Encoders of other families: each layer is transformers' own, whoever else is in the batch."""

import numpy as np
import pytest
import torch
from tiny_checkpoints import BERT, save_tiny

from layerwise.embedding import embed_layers, padding_counts
from layerwise.models import Encoder, context_window, load_encoder
from layerwise.tokenizing import tokenize

ROBERTA = {**BERT, "pad_token_id": 1}
XLM = {"emb_dim": 16, "n_layers": 2, "n_heads": 2, "max_position_embeddings": 66}
T5 = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}
LATE = {**BERT, "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
DISENTANGLED = {**BERT, "relative_attention": True, "pos_att_type": ["c2p", "p2c"]}
NARROW = {**BERT, "embedding_size": 8}
ESM = {**ROBERTA, "mask_token_id": 4}
SQUEEZE = dict.fromkeys(["q_groups", "k_groups", "v_groups", "post_attention_groups"], 2)
# name: tokenizer, model type, settings, tokens it reads
FAMILIES = {
    "ALBERT": ("bert", "albert", NARROW, 66),
    "BERT": ("bert", "bert", BERT, 66),
    "BertGeneration": ("bert", "bert-generation", BERT, 66),
    "BigBird": ("bert", "big_bird", {**BERT, "block_size": 4, "sep_token_id": 3}, 66),
    "CamemBERT": ("roberta", "camembert", ROBERTA, 64),
    "ConvBERT": ("bert", "convbert", {**BERT, "embedding_size": 16, "conv_kernel_size": 3}, 66),
    "Data2VecText": ("roberta", "data2vec-text", ROBERTA, 64),
    "DeBERTa": ("bert", "deberta", DISENTANGLED, 66),
    "DeBERTa v2": ("bert", "deberta-v2", DISENTANGLED, 66),
    "DistilBERT": (
        "bert", "distilbert",
        {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32,
         "max_position_embeddings": 66}, 66,
    ),
    "ELECTRA": ("bert", "electra", NARROW, 66),
    "ERNIE": ("bert", "ernie", BERT, 66),
    "ESM": ("roberta", "esm", {**ESM, "position_embedding_type": "absolute"}, 64),
    "ESM 2": ("roberta", "esm", {**ESM, "position_embedding_type": "rotary"}, 66),
    "EuroBERT": ("bert", "eurobert", LATE, 66),
    "FlauBERT": ("bert", "flaubert", {**XLM, "pad_index": 0}, 66),
    "FNet": ("bert", "fnet", BERT, 66),
    "LayoutLM": ("bert", "layoutlm", BERT, 66),
    "Longformer": ("roberta", "longformer", {**ROBERTA, "attention_window": 8}, 64),
    "MarkupLM": ("roberta", "markuplm", ROBERTA, 64),
    "Megatron": ("bert", "megatron-bert", BERT, 66),
    "MobileBERT": (
        "bert", "mobilebert", {**BERT, "embedding_size": 16, "intra_bottleneck_size": 16}, 66,
    ),
    "ModernBERT": (
        "bert", "modernbert", {**LATE, "cls_token_id": 2, "sep_token_id": 3}, 66,
    ),
    "MPNet": ("roberta", "mpnet", ROBERTA, 64),
    "NomicBERT": ("bert", "nomic_bert", BERT, 66),
    "Nyströmformer": ("bert", "nystromformer", BERT, 66),
    "RemBERT": (
        "bert", "rembert", {**BERT, "input_embedding_size": 8, "output_embedding_size": 8}, 66,
    ),
    "RoBERTa": ("roberta", "roberta", ROBERTA, 64),
    "RoBERTa, norm first": ("roberta", "roberta-prelayernorm", ROBERTA, 64),
    "RoFormer": ("bert", "roformer", {**BERT, "embedding_size": 16}, 66),
    "Splinter": ("bert", "splinter", BERT, 66),
    "SqueezeBERT": ("bert", "squeezebert", {**BERT, **SQUEEZE, "embedding_size": 16}, 66),
    "T5": ("t5", "t5", T5, float("inf")),
    "UMT5": ("t5", "umt5", T5, float("inf")),
    "XLM": ("bert", "xlm", {**XLM, "pad_index": 0}, 66),
    "XLM-RoBERTa": ("roberta", "xlm-roberta", ROBERTA, 64),
    "XLNet": ("xlnet", "xlnet", {"d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 32},
              float("inf")),
    "YOSO": ("bert", "yoso", BERT, 66),
}  # fmt: skip
# Those in which a token sees padding, whatever the mask says.
SEES_PADDING = {"ConvBERT", "FNet", "MobileBERT", "Nyströmformer", "YOSO"}
TEXTS = [
    "wild nights!",
    "hope",
    "hope is the thing with feathers that perches in the soul",
    "wild hope",
    "the thing with feathers is wild",
    "nights!",
]


@pytest.fixture(scope="module", params=FAMILIES)
def family(request, tmp_path_factory) -> tuple[str, Encoder]:
    style, model_type, settings, _ = FAMILIES[request.param]
    folder = save_tiny(tmp_path_factory.mktemp("tiny"), model_type, style, **settings)
    return request.param, load_encoder(folder, device="cpu")


def tokens_of_each_layer(encoder: Encoder, text: str) -> list[torch.Tensor]:
    """What transformers makes of a text by itself: for each layer (n_tokens, n_dims)."""
    batch = encoder.tokenizer(text, return_tensors="pt")
    with torch.inference_mode():
        hidden_states = encoder.model(**batch, output_hidden_states=True).hidden_states
    return [layer[0] for layer in hidden_states]


def test_every_layer_is_that_of_the_text_alone(family):
    name, encoder = family
    first = {"XLNet": -1, "T5": None, "UMT5": None}.get(name, 0)  # where [CLS] stands
    by_loop = {"mean": lambda tokens: tokens.mean(0), "max": lambda tokens: tokens.amax(0)}
    if first is not None:
        by_loop["cls"] = lambda tokens: tokens[first]
    alone = [tokens_of_each_layer(encoder, text) for text in TEXTS]
    for pooling, pool in by_loop.items():
        theirs = np.stack([np.stack([pool(layer) for layer in text]) for text in alone], axis=1)
        assert np.abs(theirs[-1, 0] - theirs[-1, 2]).max() > 0.01
        for side in ("right", "left"):
            encoder.tokenizer.padding_side = side
            ours = embed_layers(TEXTS, encoder, pooling=pooling, progress=False)
            np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=0)


def test_it_is_measured_whether_padding_counts(family):
    name, encoder = family
    assert padding_counts(tokenize(TEXTS, encoder, False), encoder) == (name in SEES_PADDING)
    same_length = tokenize(["hope", "soul"], encoder, False)
    assert not padding_counts(same_length, encoder)


def test_the_window_is_as_many_tokens_as_the_model_reads(family):
    name, encoder = family
    window = FAMILIES[name][3]
    assert context_window(encoder) == window
    n_special = len(encoder.tokenizer("")["input_ids"])
    n_words = int(min(window, 300)) - n_special
    fits = "hope " * n_words
    assert np.isfinite(embed_layers([fits], encoder, progress=False)).all()
    if np.isfinite(window):
        too_long = "hope " * (n_words + 1)
        with pytest.raises(
            ValueError, match=f"has {window + 1} tokens, the model reads at most {window}"
        ):
            embed_layers([too_long], encoder)
        np.testing.assert_array_equal(
            embed_layers([too_long], encoder, truncate=True, progress=False),
            embed_layers([fits], encoder, progress=False),
        )


OTHERS = {
    "GPT-2": ("gpt2", {"n_embd": 16, "n_layer": 2, "n_head": 2}, "GPT2Model.* is no encoder"),
    "Llama": ("llama", BERT, "LlamaModel.* is no encoder: .* no token sees what comes after"),
    "a BERT made a decoder": ("bert", {**BERT, "is_decoder": True}, "BertModel.* no encoder"),
    "BART": (
        "bart", {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1},
        "BartModel.* has an encoder and a decoder",
    ),
    "CANINE": ("canine", {**BERT, "bos_token_id": 2, "eos_token_id": 3},
               "CanineModel does not keep one vector for each token in each layer"),
}  # fmt: skip


@pytest.mark.parametrize(("model_type", "settings", "message"), OTHERS.values(), ids=OTHERS)
def test_what_is_no_encoder_is_refused_in_one_sentence(
    tmp_path, model_type, settings, message
):
    save_tiny(tmp_path, model_type, "bert", **settings)
    with pytest.raises(ValueError, match=message) as refused:
        load_encoder(tmp_path, device="cpu")
    assert "\n" not in str(refused.value)


def test_a_tokenizer_without_cls_has_no_cls_pooling(tmp_path):
    encoder = load_encoder(save_tiny(tmp_path, "t5", "t5", **T5), device="cpu")
    with pytest.raises(ValueError, match=r"adds no \[CLS\].*use 'mean' or 'max'"):
        embed_layers(["hope"], encoder, pooling="cls")


def test_a_cls_that_is_typed_into_one_text_does_not_make_up_for_the_others(tmp_path):
    encoder = load_encoder(save_tiny(tmp_path, "t5", "t5", **T5), device="cpu")
    encoder.tokenizer.add_special_tokens({"cls_token": "<s>"})
    typed = embed_layers(["<s> hope"], encoder, pooling="cls", progress=False)
    assert typed.shape == (3, 1, 16)
    with pytest.raises(ValueError, match=r"adds no \[CLS\] to a text"):
        embed_layers(["<s> hope", "soul"], encoder, pooling="cls")


def test_the_cls_that_counts_is_the_one_that_was_added(tmp_path):
    settings = {"d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 32}
    save_tiny(tmp_path / "xlnet", "xlnet", "xlnet", **settings)
    save_tiny(tmp_path / "roberta", "roberta", "roberta", **ROBERTA)
    for name, place in {"xlnet": -1, "roberta": 0}.items():
        encoder = load_encoder(tmp_path / name, device="cpu")
        texts = ["<s> hope", "wild <s> nights <s> is the soul", "hope"]
        ours = embed_layers(texts, encoder, pooling="cls", progress=False)
        for i, text in enumerate(texts):
            of_token = tokens_of_each_layer(encoder, text)
            theirs = np.stack([tokens[place] for tokens in of_token])
            np.testing.assert_allclose(ours[:, i], theirs, atol=1e-5)


def test_block_sparse_attention_is_made_full_or_refused(tmp_path):
    save_tiny(tmp_path, "big_bird", "bert", **BERT, block_size=4, sep_token_id=3)
    encoder = load_encoder(tmp_path, device="cpu")
    assert encoder.model.attention_type == "original_full"
    encoder.model.set_attention_type("block_sparse")
    with pytest.raises(ValueError, match=r"block-sparse.*set_attention_type\('original_full'"):
        embed_layers(["hope"], encoder)
