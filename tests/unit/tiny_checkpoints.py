"""Tiny checkpoints with random weights, saved to a folder as a reader's own would be."""

from pathlib import Path

import torch
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)
from transformers import (
    CONFIG_MAPPING,
    MODEL_FOR_TEXT_ENCODING_MAPPING,
    AutoModel,
    AutoModelForCausalLM,
    PreTrainedTokenizerFast,
    logging,
)

WORDS = "hope is the thing with feathers that perches in soul wild nights".split()
LETTERS = list("abcdefghijklmnopqrstuvwxyz!.")
# What each kind of tokenizer adds to a text, and the numbers of its special tokens.
STYLES = {
    "bert": "[CLS] $A [SEP]",
    "roberta": "<s> $A </s>",
    "xlnet": "$A </s> <s>",
    "t5": "$A </s>",
}
SPECIAL = {
    "bert": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],  # padding is 0
    "roberta": ["<s>", "<pad>", "</s>", "<unk>", "<mask>"],  # padding is 1
}


def tiny_tokenizer(style: str) -> PreTrainedTokenizerFast:
    """Make a tokenizer of a few words, and of letters for all others."""
    specials = SPECIAL["bert" if style == "bert" else "roberta"]
    cls, sep, pad, unk = (
        ("[CLS]", "[SEP]", "[PAD]", "[UNK]")
        if style == "bert"
        else ("<s>", "</s>", "<pad>", "<unk>")
    )
    pieces = [*specials, *WORDS, *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token=unk))
    backend.normalizer = normalizers.BertNormalizer()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single=STYLES[style],
        special_tokens=[(token, vocabulary[token]) for token in (cls, sep)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, sep_token=sep, pad_token=pad, unk_token=unk,
        cls_token=None if style == "t5" else cls,
    )  # fmt: skip


def save_disturbed(folder: Path, model, tokenizer) -> Path:
    """Save a model, each of its numbers moved a little, and its tokenizer."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_tiny(folder: Path, model_type: str, style: str, **settings) -> Path:
    """Save a model of a kind, no number of it trivial, and its tokenizer."""
    logging.disable_progress_bar()
    tokenizer = tiny_tokenizer(style)
    config = CONFIG_MAPPING[model_type](vocab_size=len(tokenizer), **settings)
    encoder_alone = model_type in ("t5", "umt5")
    torch.manual_seed(1)
    model = (
        MODEL_FOR_TEXT_ENCODING_MAPPING[type(config)](config)
        if encoder_alone
        else AutoModel.from_config(config)
    )
    return save_disturbed(folder, model, tokenizer)


BERT = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 32, "max_position_embeddings": 66,
}  # fmt: skip

LLAMA = {
    "hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 6,
    "num_key_value_heads": 2, "intermediate_size": 40, "max_position_embeddings": 4096,
}  # fmt: skip
GPT2 = {"n_embd": 24, "n_layer": 3, "n_head": 6, "n_positions": 256}


def tiny_byte_pairs() -> PreTrainedTokenizerFast:
    """Make a tokenizer of all bytes and a few pairs of them."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("Ġ", "t"), ("h", "e"), ("Ġt", "he"), ("i", "n")]
    pieces = ["<|end|>", *alphabet, *("".join(pair) for pair in merges)]
    backend = Tokenizer(models.BPE({piece: i for i, piece in enumerate(pieces)}, merges))
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True),
         pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )  # fmt: skip
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<|end|>", eos_token="<|end|>",
        unk_token="<|end|>", pad_token="<|end|>",
    )  # fmt: skip


def save_tiny_decoder(folder: Path, model_type: str = "llama", **settings) -> Path:
    """Save a model that writes, no number of it trivial, and its tokenizer."""
    logging.disable_progress_bar()
    tokenizer = tiny_byte_pairs()
    settings = {**(GPT2 if model_type == "gpt2" else LLAMA), **settings}
    config = CONFIG_MAPPING[model_type](
        vocab_size=len(tokenizer), bos_token_id=0, eos_token_id=0, pad_token_id=0, **settings
    )
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(config)
    return save_disturbed(folder, model, tokenizer)
