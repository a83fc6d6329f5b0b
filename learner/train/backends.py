"""A base's folder and a profile come in; a model with a fresh adapter, ready to be trained, goes out.

Three ways: `cpu` (the base as it is, in float32), `peft` (an NF4 base through bitsandbytes) and `unsloth`
(the same on CUDA, faster). Whatever the way, the training loop and the adapter's files are the same.
"""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from agent_runtime.errors import TrainingError
from learner.train.memory import loading
from learner.train.profiles import Profile

Name = Literal["cpu", "peft", "unsloth"]
ROUND = 32
"""Lengths are rounded up to this: torch's CPU library keeps code and memory for every shape it has met."""


@dataclass(frozen=True, slots=True)
class Trainable:
    """A model in PEFT's wrapping. Only the adapter's weights take gradients."""

    model: Any
    device: torch.device

    @property
    def weights(self) -> list[nn.Parameter]:
        """The adapter's, in a fixed order."""
        return [weight for weight in self.model.parameters() if weight.requires_grad]

    def dropout(self, on: bool) -> None:
        """Switch dropout. Never `eval()`: bitsandbytes repacks an NF4 base for inference at the first look
        without gradients, and from then on gradients pass it by in silence."""
        for module in self.model.modules():
            module.train(on if isinstance(module, nn.Dropout) else True)

    def scores(self, ids: Tensor, chosen: Tensor) -> Tensor:
        """Logits (chosen positions, vocabulary) of right-padded rows (rows, length)."""
        # Rows are padded on the right and attention looks left, so no mask is needed; the output layer
        # is spared the positions that nobody asks about.
        inner = self.model.get_base_model()
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            hidden = inner.model(input_ids=ids, use_cache=False).last_hidden_state[chosen]
            count = len(hidden)
            logits: Tensor = inner.lm_head(F.pad(hidden, (0, 0, 0, -count % ROUND)))
        return logits[:count].float()

    def logits(self, ids: Sequence[int]) -> Tensor:
        """All logits (length, vocabulary) of one sequence, as precise as the weights are."""
        inner = self.model.get_base_model()
        self.dropout(False)
        with torch.no_grad():
            out = inner(input_ids=torch.tensor([list(ids)], device=self.device), use_cache=False).logits[0]
        return torch.as_tensor(out).float().cpu()

    @contextmanager
    def amplified(self, factor: float) -> Iterator[None]:
        """Meanwhile the adapter works `factor` times as strongly."""
        from peft.helpers import rescale_adapter_scale

        with rescale_adapter_scale(self.model, factor):
            yield

    @property
    def changed(self) -> list[str]:
        """The base's weights that the adapter changes."""
        from peft.tuners.lora import LoraLayer

        modules = self.model.get_base_model().named_modules()
        return [f"{name}.weight" for name, module in modules if isinstance(module, LoraLayer)]

    def change(self, name: str) -> Tensor:
        """What the adapter adds to that weight (rows, columns): α/r · B·A."""
        module = self.model.get_base_model().get_submodule(name.removesuffix(".weight"))
        return torch.as_tensor(module.get_delta_weight(module.active_adapters[0])).detach().float().cpu()


class Backend(Protocol):
    """One way to load a base for training."""

    name: Name

    def load(self, base: Path, profile: Profile, seed: int) -> Trainable:
        """A fresh adapter on the base, the same for the same seed. Raises `TrainingError`: `backend`, or
        `out_of_memory`."""


class Cpu:
    """The base in float32 with plain LoRA, without bitsandbytes or a GPU."""

    name: Name = "cpu"

    def load(self, base: Path, profile: Profile, seed: int) -> Trainable:
        return load_plain(base, profile, seed, torch.float32)


class Peft:
    """An NF4 base (double quantised) through bitsandbytes, on CUDA where there is one."""

    name: Name = "peft"

    def load(self, base: Path, profile: Profile, seed: int) -> Trainable:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        with _quiet(), loading(base):
            from transformers import AutoModelForCausalLM, BitsAndBytesConfig

            _demand_quantisable(base, profile, device)
            settings: dict[str, Any] = {"dtype": torch.bfloat16}
            if profile.quantization == "nf4":
                settings["quantization_config"] = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
                    load_in_4bit=True,
                    bnb_4bit_quant_type="nf4",
                    bnb_4bit_use_double_quant=True,
                    bnb_4bit_compute_dtype=torch.bfloat16,
                )
            model = AutoModelForCausalLM.from_pretrained(
                base, local_files_only=True, device_map={"": device}, **settings
            )
            # PEFT's `prepare_model_for_kbit_training` would turn all that has no four bits into float32:
            # experts, too, which are most of a mixture.
            model.requires_grad_(False)
            if device.type == "cuda":
                model.gradient_checkpointing_enable({"use_reentrant": False})  # type: ignore[no-untyped-call]
                model.enable_input_require_grads()  # type: ignore[no-untyped-call]
            return Trainable(_adapted(model, profile, seed), device)


class Unsloth:
    """The same with Unsloth's kernels: CUDA only. It patches other libraries when imported, so a run
    with it belongs into a process of its own."""

    name: Name = "unsloth"

    def load(self, base: Path, profile: Profile, seed: int) -> Trainable:
        problem = no_unsloth()
        if problem:
            raise TrainingError("backend", f"unsloth: {problem}; choose the backend peft or cpu")
        with _quiet(), loading(base):
            from unsloth import FastLanguageModel

            model, _ = FastLanguageModel.from_pretrained(
                model_name=str(base),
                max_seq_length=profile.schedule.context,
                load_in_4bit=profile.quantization == "nf4",
                local_files_only=True,
            )
            torch.manual_seed(seed)
            model = FastLanguageModel.get_peft_model(
                model,
                r=profile.lora.r,
                lora_alpha=profile.lora.alpha,
                lora_dropout=profile.lora.dropout,
                target_modules=list(profile.lora.targets),
                layers_to_transform=_layers(profile, model),
                bias="none",
                use_gradient_checkpointing="unsloth",
                random_state=seed,
            )
            return Trainable(model, torch.device("cuda"))


def load_plain(base: Path, profile: Profile, seed: int, dtype: torch.dtype) -> Trainable:
    """The base as it is, on the processor, with a fresh adapter. Raises as a backend does."""
    with _quiet(), loading(base):
        from transformers import AutoModelForCausalLM

        model = AutoModelForCausalLM.from_pretrained(base, dtype=dtype, local_files_only=True)
        return Trainable(_adapted(model, profile, seed), torch.device("cpu"))


BACKENDS: dict[Name, Backend] = {"cpu": Cpu(), "peft": Peft(), "unsloth": Unsloth()}


def choose(profile: Profile) -> tuple[Backend, str]:
    """The backend for a profile on this machine, and why, in words for the admin."""
    if profile.quantization == "none":
        return BACKENDS["cpu"], "a small base trains as it is"
    problem = no_unsloth()
    if not problem:
        return BACKENDS["unsloth"], "CUDA and unsloth are here"
    if torch.cuda.is_available():
        return BACKENDS["peft"], f"NF4 through bitsandbytes on CUDA ({problem})"
    return BACKENDS["peft"], f"NF4 through bitsandbytes on the processor, slowly ({problem})"


def backend_for(profile: Profile, named: Name | None) -> tuple[Backend, str]:
    """The backend of this name, or the one that this machine and profile ask for; and why."""
    return (BACKENDS[named], "as learn.backend says") if named else choose(profile)


def no_unsloth() -> str:
    """Why Unsloth cannot be used here; empty when it can. It is not imported for that."""
    if not torch.cuda.is_available():
        return "no CUDA device"
    if importlib.util.find_spec("unsloth") is None:
        return "unsloth is not installed: the extra `gpu` brings it"
    return ""


def _demand_quantisable(base: Path, profile: Profile, device: torch.device) -> None:
    """Raise `TrainingError` (`backend`) for a base that bitsandbytes cannot make small enough: it quantises
    linear layers only, and experts that lie in one tensor for each layer stay in bfloat16."""
    if profile.quantization != "nf4":
        return
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(base, local_files_only=True)
    known = getattr(config, "quantization_config", None)
    if known:
        raise TrainingError(
            "backend",
            f"peft: {base} is quantised already ({known.get('quant_method', 'somehow')}), and bitsandbytes "
            "needs weights that are not; give the folder of its bfloat16 weights in learn.base",
        )
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    whole = sum(weight.numel() * 2 for weight in model.parameters() if weight.dim() > 2) / 1e6
    room = torch.cuda.mem_get_info(device)[0] / 1e6 if device.type == "cuda" else profile.budget.memory_mb
    if whole > room:
        raise TrainingError(
            "backend",
            f"peft: {whole:.0f} MB of experts of {base} would stay in bfloat16, because bitsandbytes "
            f"quantises linear layers only, and there is room for {room:.0f} MB; choose the backend unsloth "
            "on CUDA, or a base without experts",
        )


def _adapted(model: Any, profile: Profile, seed: int) -> Any:
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    config = LoraConfig(
        r=profile.lora.r,
        lora_alpha=profile.lora.alpha,  # type: ignore[arg-type]
        lora_dropout=profile.lora.dropout,
        target_modules=list(profile.lora.targets),
        layers_to_transform=_layers(profile, model),
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config)


def _layers(profile: Profile, model: Any) -> list[int] | None:
    if profile.lora.layers is None:
        return None
    first, last = profile.lora.layers
    count = model.config.num_hidden_layers
    if last >= count:
        raise TrainingError(
            "backend",
            f"profile {profile.name} trains layer {last} of a base with {count}; change lora.layers",
        )
    return list(range(first, last + 1))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the libraries' own bars and hints off the terminal: the caller shows progress."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    from transformers.utils import logging as hints

    hints.disable_progress_bar()  # type: ignore[no-untyped-call]
    hints.set_verbosity_error()  # type: ignore[no-untyped-call]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
