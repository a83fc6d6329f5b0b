"""A plain Llama in torch, with the names of Hugging Face's: token ids come in, logits go out.

It never generates (that is the engine's part) and holds no training code.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from learner.base.layout import Block, Layout, causal


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Sizes. `hidden` and `inner` are multiples of 32, which is what Q8_0 blocks need."""

    vocabulary: int = 3072
    hidden: int = 256
    inner: int = 576
    layers: int = 5
    heads: int = 4
    context: int = 1024
    rope_theta: float = 100_000.0
    epsilon: float = 1e-5

    def hugging_face(self, end: int, pad: int) -> dict[str, Any]:
        """The same as a Hugging Face `config.json`."""
        return {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "vocab_size": self.vocabulary,
            "hidden_size": self.hidden,
            "intermediate_size": self.inner,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.heads,
            "head_dim": self.hidden // self.heads,
            "max_position_embeddings": self.context,
            "rope_theta": self.rope_theta,
            "rms_norm_eps": self.epsilon,
            "hidden_act": "silu",
            "attention_bias": False,
            "mlp_bias": False,
            "tie_word_embeddings": True,
            "bos_token_id": None,
            "eos_token_id": end,
            "pad_token_id": pad,
            "torch_dtype": "float16",
        }

    def as_dict(self) -> dict[str, Any]:
        """For checkpoints."""
        return asdict(self)


def rotary(positions: Tensor, config: ModelConfig) -> tuple[Tensor, Tensor]:
    """Cosines and sines of shape (length, 1, head size) for the positions (length,)."""
    size = config.hidden // config.heads
    steps = torch.arange(0, size, 2, dtype=torch.float32, device=positions.device)
    frequencies = config.rope_theta ** (-steps / size)
    angles = positions[:, None, None].float() * frequencies
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Rotary positions in Hugging Face's order: the two halves of a head belong together."""
    first, second = x.chunk(2, dim=-1)
    return x * cosines.to(x.dtype) + torch.cat((-second, first), dim=-1) * sines.to(x.dtype)


def gather(x: Tensor, index: Tensor) -> Tensor:
    """The rows of `x` (length, ...) at the positions `index` (n, m), as (n, m, ...)."""
    return x.index_select(0, index.flatten()).view(*index.shape, *x.shape[1:])


class Norm(nn.Module):
    """Root mean square norm."""

    def __init__(self, size: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        scaled = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.epsilon)
        # Converted here once, and not by each of the products that read it.
        kind = x.device.type
        return (scaled * self.weight).to(
            torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
        )


class Attention(nn.Module):
    """Multi-head attention among the positions that a layout lets see each other."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.q_proj = nn.Linear(config.hidden, config.hidden, bias=False)
        self.k_proj = nn.Linear(config.hidden, config.hidden, bias=False)
        self.v_proj = nn.Linear(config.hidden, config.hidden, bias=False)
        self.o_proj = nn.Linear(config.hidden, config.hidden, bias=False)

    def forward(
        self, x: Tensor, cosines: Tensor, sines: Tensor, layout: Layout, keep: Tensor | None = None
    ) -> Tensor:
        q = rotate(self._heads(self.q_proj(x)), cosines, sines)
        k = rotate(self._heads(self.k_proj(x)), cosines, sines)
        v = self._heads(self.v_proj(x))
        answers = [self._answers(q, k, v, block) for block in layout.blocks]
        places = layout.places if keep is None else layout.places[keep]
        result: Tensor = self.o_proj(torch.cat(answers).index_select(0, places))
        return result

    def _heads(self, x: Tensor) -> Tensor:
        return x.view(x.shape[0], self.heads, -1)

    @staticmethod
    def _answers(q: Tensor, k: Tensor, v: Tensor, block: Block) -> Tensor:
        asking, keys, values = (
            gather(x, index).transpose(1, 2).flatten(0, 1)
            for x, index in ((q, block.queries), (k, block.keys), (v, block.keys))
        )
        mask = block.mask.to(q.dtype).expand(-1, q.shape[1], -1, -1).flatten(0, 1)
        scores = torch.baddbmm(mask, asking, keys.mT, alpha=q.shape[2] ** -0.5)
        out = torch.softmax(scores, dim=-1).to(v.dtype) @ values
        count, asked = block.queries.shape
        return out.view(count, -1, asked, q.shape[2]).transpose(1, 2).reshape(count * asked, -1)


class FeedForward(nn.Module):
    """The gated linear unit."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden, config.inner, bias=False)
        self.up_proj = nn.Linear(config.hidden, config.inner, bias=False)
        self.down_proj = nn.Linear(config.inner, config.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))
        return result


class Layer(nn.Module):
    """One block."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.input_layernorm = Norm(config.hidden, config.epsilon)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = Norm(config.hidden, config.epsilon)
        self.mlp = FeedForward(config)

    def forward(
        self, x: Tensor, cosines: Tensor, sines: Tensor, layout: Layout, keep: Tensor | None = None
    ) -> Tensor:
        heard = self.self_attn(self.input_layernorm(x), cosines, sines, layout, keep)
        x = (x if keep is None else x.index_select(0, keep)) + heard
        result: Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return result


class Body(nn.Module):
    """Everything below the output layer."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocabulary, config.hidden)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = Norm(config.hidden, config.epsilon)


class Llama(nn.Module):
    """The model. Output weights are the embeddings."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.model = Body(config)

    def attention(self, index: int) -> Attention:
        """The attention of one layer."""
        layer = self.model.layers[index]
        assert isinstance(layer, Layer)
        return layer.self_attn

    def hidden(self, ids: Tensor, positions: Tensor, layout: Layout, keep: Tensor | None = None) -> Tensor:
        """Normed hidden states (length, hidden) of ids at their positions, both (length,).

        With `keep` (kept,), only the states at these places, which spares the last layer the rest.
        """
        cosines, sines = rotary(positions, self.config)
        x = self.model.embed_tokens(ids)
        last = self.config.layers - 1
        for index, layer in enumerate(self.model.layers):
            x = layer(x, cosines, sines, layout, keep if index == last else None)
        normed: Tensor = self.model.norm(x)
        return normed

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores over the vocabulary."""
        return F.linear(hidden, self.model.embed_tokens.weight.to(hidden.dtype))

    def forward(self, ids: Tensor) -> Tensor:
        """Logits (length, vocabulary) of one plain sequence (length,)."""
        length, device = ids.shape[0], ids.device
        positions = torch.arange(length, device=device)
        return self.logits(self.hidden(ids, positions, causal(length).to(device)))
