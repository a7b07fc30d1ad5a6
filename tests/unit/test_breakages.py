"""Every claim has a twin: with exactly one thing broken, the same check fails."""

import claims
import pytest
import torch

from layerwise import embedding, pooling, similarity
from layerwise.by_hand import attention, bert


def relu_for_gelu(patch):
    patch.setattr(bert, "gelu", torch.relu)


def mask_ignored_by_hand(patch):
    padding_mask = bert.padding_mask
    patch.setattr(bert, "padding_mask", lambda mask: padding_mask(torch.ones_like(mask)))


def mask_ignored_by_the_model(patch):
    right = embedding.run_every_layer

    def wrong(batch, encoder):
        mask = torch.ones_like(batch["attention_mask"])
        return right({**batch, "attention_mask": mask}, encoder)

    patch.setattr(embedding, "run_every_layer", wrong)
    patch.setattr(embedding, "padding_counts", lambda *_: False)  # or it would be made good


def scaling_dropped(patch):
    right = attention.scaled_dot_product_attention

    def wrong(query, key, value, mask=None):
        return right(query * query.shape[-1] ** 0.5, key, value, mask)

    patch.setattr(attention, "scaled_dot_product_attention", wrong)


def causal_mask_one_too_wide(patch):
    patch.setattr(attention, "causal_mask", lambda n: torch.ones(n, n).tril(1).bool())


def causal_mask_one_too_narrow(patch):
    def wrong(n):
        mask = torch.ones(n, n).tril(-1).bool()
        mask[0, 0] = True  # or the first token would see nothing, which is an error
        return mask

    patch.setattr(attention, "causal_mask", wrong)


def heads_interleaved(patch):
    def wrong(x, n_heads):
        n_texts, n_tokens, n_dims = x.shape
        return x.view(n_texts, n_tokens, n_dims // n_heads, n_heads).permute(0, 3, 1, 2)

    patch.setattr(attention, "split_heads", wrong)


def heads_and_tokens_mixed(patch):
    def wrong(x, n_heads):
        n_texts, n_tokens, n_dims = x.shape
        return x.view(n_texts, n_heads, n_tokens, n_dims // n_heads)

    patch.setattr(attention, "split_heads", wrong)


def merged_without_transposing(patch):
    def wrong(x):
        n_texts, n_heads, n_tokens, d_k = x.shape
        return x.reshape(n_texts, n_tokens, n_heads * d_k)

    patch.setattr(attention, "merge_heads", wrong)


def layers_off_by_one(patch):
    right = embedding.pool_every_layer
    patch.setattr(embedding, "pool_every_layer", lambda *args: right(*args).roll(1, dims=0))


def one_layer_late(layers):
    return layers[[0, *range(len(layers) - 1)]]


def drift_off_by_one(patch):
    right = similarity.static_to_layer
    patch.setattr(similarity, "static_to_layer", lambda layers: right(one_layer_late(layers)))


def steps_off_by_one(patch):
    right = similarity.layer_to_layer
    patch.setattr(similarity, "layer_to_layer", lambda layers: right(one_layer_late(layers)))


def order_not_restored(patch):
    right = embedding.tokenize
    patch.setattr(
        embedding, "tokenize",
        lambda *args: sorted(right(*args), key=lambda text: len(text["input_ids"])),
    )  # fmt: skip


def padding_counted_in_the_mean(patch):
    patch.setitem(pooling.POOLINGS, "mean", lambda hidden_states, mask: hidden_states.mean(1))


TWINS = [
    (claims.hidden_states_by_hand_equal_the_models, relu_for_gelu),
    (claims.hidden_states_by_hand_equal_the_models, mask_ignored_by_hand),
    (claims.attentions_by_hand_equal_the_models, mask_ignored_by_hand),
    (claims.padding_gets_no_attention, mask_ignored_by_hand),
    (claims.embeddings_equal_the_textbooks, mask_ignored_by_the_model),
    (claims.company_moves_no_text, mask_ignored_by_the_model),
    (claims.hidden_states_by_hand_equal_the_models, scaling_dropped),
    (claims.attentions_by_hand_equal_the_models, scaling_dropped),
    (claims.attention_equals_torchs, scaling_dropped),
    (claims.later_tokens_move_no_earlier_row, causal_mask_one_too_wide),
    (claims.later_tokens_move_no_earlier_row, causal_mask_one_too_narrow),
    (claims.a_head_is_a_slice_of_consecutive_dimensions, heads_interleaved),
    (claims.attentions_by_hand_equal_the_models, heads_interleaved),
    (claims.attentions_by_hand_equal_the_models, heads_and_tokens_mixed),
    (claims.hidden_states_by_hand_equal_the_models, merged_without_transposing),
    (claims.embeddings_equal_the_textbooks, layers_off_by_one),
    (claims.drift_is_measured_at_the_layer_it_names, drift_off_by_one),
    (claims.each_step_starts_where_the_last_one_ended, steps_off_by_one),
    (claims.embeddings_equal_the_textbooks, order_not_restored),
    (claims.embeddings_equal_the_textbooks, padding_counted_in_the_mean),
    (claims.company_moves_no_text, padding_counted_in_the_mean),
]


@pytest.mark.parametrize(
    ("claim", "breakage"), TWINS, ids=[f"{c.__name__}-{b.__name__}" for c, b in TWINS]
)
def test_claim_holds_and_fails_when_one_thing_is_broken(
    claim, breakage, tiny_encoder, lines, monkeypatch
):
    claim(tiny_encoder, lines)
    breakage(monkeypatch)
    with pytest.raises(AssertionError):
        claim(tiny_encoder, lines)
