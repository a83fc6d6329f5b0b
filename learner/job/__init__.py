"""One night: settings and a journal come in; a version in the registry goes out, or why there is none.

Each stage leaves its result on disk, so that a run which was killed goes on with the stage it was in."""
