"""A sealed snapshot of judged turns comes in; examples to train, validate and test on go out, with a manifest
that counts what was left out and why. The same snapshot, settings and seed give the same files."""
