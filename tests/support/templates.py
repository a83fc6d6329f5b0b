"""Chat templates that do for plain talk what those of Qwen3 and gpt-oss do, written anew and without their
tools: the header of a reply depends on settings, and a date is asked for."""

from __future__ import annotations

import json
from pathlib import Path

from agent_runtime.engine.template import EMBEDDED_SPECIAL_TOKENS

QWEN3 = """\
{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}
"""

GPT_OSS = """\
{{- "<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.\\n" }}
{{- "Current date: " + strftime_now("%Y-%m-%d") + "\\n\\nReasoning: " }}
{{- (reasoning_effort if reasoning_effort is defined else "medium") + "\\n\\n" }}
{{- "# Valid channels: analysis, commentary, final.<|end|>" }}
{%- if messages[0].role == "system" %}
    {{- "<|start|>developer<|message|># Instructions\\n\\n" + messages[0].content + "\\n\\n<|end|>" }}
    {%- set messages = messages[1:] %}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == "assistant" %}
        {%- set last = loop.last and not add_generation_prompt %}
        {{- "<|start|>assistant<|channel|>final<|message|>" + message.content }}
        {{- "<|return|>" if last else "<|end|>" }}
    {%- else %}
        {{- "<|start|>user<|message|>" + message.content + "<|end|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt -%}
<|start|>assistant
{%- endif -%}
"""

SPELLINGS = {
    "qwen3": ("<|endoftext|>", "<|im_end|>", "<|im_start|>", "<think>", "</think>"),
    "gpt_oss": ("<|return|>", "<|end|>", "<|start|>", "<|message|>", "<|channel|>"),
}
ENDS = {"qwen3": "<|im_end|>", "gpt_oss": "<|return|>"}


def speak_like(base: Path, family: str) -> Path:
    """Give a tiny base's folder the family's template, and its own special tokens the family's spelling."""
    spelling = dict(zip(EMBEDDED_SPECIAL_TOKENS, SPELLINGS[family], strict=True))
    tokenizer = json.loads((base / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    tokenizer["model"]["vocab"] = {spelling.get(token, token): number for token, number in vocabulary.items()}
    for entry in tokenizer["added_tokens"]:
        entry["content"] = spelling[entry["content"]]
    (base / "tokenizer.json").write_text(json.dumps(tokenizer))
    template = {"qwen3": QWEN3, "gpt_oss": GPT_OSS}[family]
    first = SPELLINGS[family][0]
    named = {"eos_token": ENDS[family], "pad_token": first, "chat_template": template, "add_bos_token": False}
    (base / "tokenizer_config.json").write_text(json.dumps(named))
    return base
