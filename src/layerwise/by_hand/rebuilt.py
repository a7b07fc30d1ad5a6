"""What the models rebuilt by hand are made of, and what in a model is other than that."""

import re
from collections.abc import Mapping

from torch import nn
from transformers import PreTrainedModel

# All that each is made of: classes of modules, and by which names it has them. Any other part
# computes something else.
BERT = {
    "BertModel": "", "BertEmbeddings": "embeddings", "BertEncoder": "encoder",
    "BertLayer": "layer", "BertAttention": "attention", "BertSelfAttention": "self",
    "BertSelfOutput": "output", "BertIntermediate": "intermediate", "BertOutput": "output",
    "BertPooler": "pooler", "ModuleList": "layer", "LayerNorm": "LayerNorm",
    "Embedding": "word_embeddings position_embeddings token_type_embeddings",
    "Linear": "query key value dense", "Dropout": "dropout",
    "GELUActivation": "intermediate_act_fn", "Tanh": "activation",
}  # fmt: skip
LLAMA = {
    "LlamaForCausalLM": "", "LlamaModel": "model", "ModuleList": "layers",
    "LlamaDecoderLayer": "layers", "LlamaAttention": "self_attn", "LlamaMLP": "mlp",
    "LlamaRMSNorm": "input_layernorm post_attention_layernorm norm",
    "LlamaRotaryEmbedding": "rotary_emb", "Embedding": "embed_tokens",
    "Linear": "q_proj k_proj v_proj o_proj gate_proj up_proj down_proj lm_head",
    "SiLU": "act_fn", "SiLUActivation": "act_fn",
}  # fmt: skip


def not_rebuilt(model: PreTrainedModel, parts: Mapping[str, str], has_bias: bool) -> list[str]:
    """Say what a model is made of, or computes in, that is not rebuilt; a clause for each.

    Parameters
    ----------
    model : PreTrainedModel
    parts : mapping of str to str
        The classes of modules that are rebuilt, and by which names a model may have them; of
        numbers single and double precision are.
    has_bias : bool
        Whether all parts that may have a bias do, or none.
    """
    named = list(model.named_modules())
    kinds = {
        f"{kind} as {role}" if role else kind
        for role, kind in ((role_of(name), type(module).__name__) for name, module in named)
        if role not in parts.get(kind, "none").split(" ")
    }
    said = [f"it has parts of another kind: {', '.join(sorted(kinds))}"] if kinds else []
    wrong = {
        f"{'has no' if has_bias else 'has a'} bias": [
            name for name, module in named
            if hasattr(module, "bias") and (module.bias is not None) != has_bias
        ],
        "has a hook or a forward of its own": [
            name for name, module in named if is_hooked(module)
        ],
        "is in training mode: call model.eval()": [
            name for name, module in named if module.training
        ],
    }  # fmt: skip
    said += [f"{names[0] or 'it'} {what}" for what, names in wrong.items() if names]
    dtypes = {str(weight.dtype) for weight in model.parameters()}
    if len(dtypes) > 1 or not dtypes <= {"torch.float32", "torch.float64"}:
        said.append(f"it computes in {', '.join(sorted(dtypes))}: call model.float()")
    return said


def role_of(name: str) -> str:
    """Return as what a model has a part: ``layer`` for ``encoder.layer.3``."""
    return re.sub(r"\.\d+$", "", name).rpartition(".")[2]


def is_hooked(module: nn.Module) -> bool:
    """Tell whether a module has been made to do more, or other, than its class does.

    The hooks by which transformers keeps what each layer returns change nothing.
    """
    hooks = [*module._forward_pre_hooks.values(), *module._forward_hooks.values()]
    keeping = "transformers.utils.output_capturing"
    others = [hook for hook in hooks if getattr(hook, "__module__", "") != keeping]
    return bool(others) or "forward" in vars(module)
