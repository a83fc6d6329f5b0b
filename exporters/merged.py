"""The model that serves and a version of it come in; one GGUF that answers as both do goes out: for engines
that take no adapters, and to hand a version on as a file that needs nothing else.

The destination is the whole new file, or as it was before.
"""

from __future__ import annotations

from pathlib import Path

from agent_runtime.engine import adapterfile, modelfile
from agent_runtime.engine.merge import write_merged
from agent_runtime.engine.quantise import KINDS, quantise
from agent_runtime.errors import ExportError
from exporters.gguf import replacing


def export_merged(
    base: Path, adapter: Path, destination: Path, *, version: str, scale: float = 1.0, kind: str = ""
) -> Path:
    """Write the GGUF `base` with scale · the GGUF adapter in its weights. Those keep their type where it is
    Q8_0 or finer, and become Q8_0 otherwise; with a `kind` (one of `KINDS`) all are rounded to it, which
    takes a base of sixteen bits or more. Raises `ExportError`, and `AdapterError` or `ModelFileError` for
    files that are not what they should be."""
    if destination.exists():
        raise ExportError(f"{destination}: is there already; give a new file")
    if kind and kind not in KINDS:
        raise ExportError(f"{kind!r} is none of {', '.join(KINDS)}")
    header = modelfile.read_header(base)
    checked = adapterfile.check(adapter, header)
    facts = {
        "general.name": f"{header.values.get('general.name', base.stem)}, version {version} merged",
        "general.version": version,
        "townsfolk.base.sha256": modelfile.digest(base),
        "townsfolk.adapter.sha256": checked.digest,
    }
    try:
        with replacing(destination) as temporary:
            write_merged(base, checked, scale, Path(temporary), facts)
            if kind:
                with replacing(Path(temporary)) as rounded:
                    quantise(Path(temporary), Path(rounded), kind)
    except NotImplementedError as error:
        raise ExportError(f"{base}: nothing can be added to its weights ({error})") from error
    except OSError as error:
        raise ExportError(f"{destination}: cannot be written: {error.strerror or error}") from error
    return destination
