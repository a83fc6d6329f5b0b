"""When the learner runs: settings and a clock come in, `townsfolk learn run` is started as a process of its
own, and what it leaves in its folder can be read. Nothing here learns, or imports what does."""
