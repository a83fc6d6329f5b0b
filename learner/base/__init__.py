"""The embedded base: the texts in `texts/` come in; a tokenizer, a small chat model and its scores go out.

`python -m learner.base` runs all stages: corpus, tokenizer, training, export, evaluation."""
