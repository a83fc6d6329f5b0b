"""Where model files come from: the embedded base or a Hub repository go in, the path of a GGUF goes out.

Everything lands in HOME/models. A file appears there only whole and with the right checksum.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import urlsplit

from agent_runtime.config import share_dir
from agent_runtime.engine import modelfile
from agent_runtime.errors import DownloadError, ModelFileError

# Called with the bytes that are there and the bytes there will be.
Progress = Callable[[int, int], None]

_SHA256 = re.compile(r"[0-9a-f]{64}")


def embedded_model(home: Path) -> Path:
    """The GGUF of the model that comes along, made on first use. Raises `ModelFileError`."""
    from exporters.gguf import base_digest, export_base

    source = share_dir() / "data" / "base"
    path = home / "models" / f"townsfolk-base-{base_digest(source)[:12]}.gguf"
    if not path.is_file():
        try:
            export_base(source, path)
        except OSError as error:
            raise ModelFileError(f"{path}: cannot be written: {error.strerror or error}") from error
    return path


def pull(
    repo: str,
    file: str,
    home: Path,
    *,
    endpoint: str | None = None,
    revision: str = "main",
    progress: Progress | None = None,
) -> Path:
    """Fetch one GGUF from a Hugging Face repository, or from another `endpoint` that speaks its interface.

    A transfer that broke off goes on where it ended. Without `progress` a bar is drawn on the terminal.
    Raises `DownloadError`, or `ModelFileError` when what came is no usable model.
    """
    # Half a second and 40 MB that a running server never needs.
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import (  # type: ignore[attr-defined]
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        HTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    # A token for the Hub is nobody else's business.
    token = False if endpoint else None
    try:
        url = hf_hub_url(repo, file, revision=revision, endpoint=endpoint)
        metadata = get_hf_file_metadata(url, token=token)
        target = home / "models" / Path(file).name
        return _fetch(target, url, metadata.location, metadata.etag, metadata.size, token, progress)
    except GatedRepoError as error:
        raise DownloadError(
            f"{repo}: needs its owner's permission: ask on its page, then `hf auth login`"
        ) from error
    except RepositoryNotFoundError as error:
        raise DownloadError(f"{repo}: no such repository, or a private one; check OWNER/NAME") from error
    except RevisionNotFoundError as error:
        raise DownloadError(f"{repo}: no revision {revision!r}; look at its branches") from error
    except EntryNotFoundError as error:
        raise DownloadError(f"{repo}: holds no file {file!r}; look at its list of files") from error
    except HfHubHTTPError as error:
        raise DownloadError(
            f"{repo}: the server answers {error.response.status_code}; try again later"
        ) from error
    except HTTPError as error:
        raise DownloadError(
            f"{repo}: cannot be reached ({error}); check the connection, then run it again"
        ) from error
    except ValueError as error:
        raise DownloadError(f"{repo} {file}: {error}") from error
    except OSError as error:
        raise DownloadError(f"{file}: {error}; what came is kept, so run it again") from error


def _fetch(
    target: Path,
    url: str,
    location: str,
    digest: str | None,
    size: int | None,
    token: bool | None,
    progress: Progress | None,
) -> Path:
    """Bring `location` to `target` by way of a part file named by the checksum."""
    if target.suffix != ".gguf":
        raise DownloadError(f"{target.name}: not a GGUF file; name one that ends in .gguf")
    if not digest or not _SHA256.fullmatch(digest) or size is None:
        raise DownloadError(f"{target.name}: the server names no sha256 and size; a GGUF on the Hub has both")
    if target.is_file() and modelfile.digest(target) == digest:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.parent / f"{digest}.part"
    missing = size - (part.stat().st_size if part.exists() else 0)
    if missing < 0:
        part.unlink()
        missing = size
    free = shutil.disk_usage(target.parent).free
    if missing > free:
        raise DownloadError(
            f"{target.name}: {missing / 2**20:.0f} MiB are still to come, and {target.parent} has room "
            f"for {free / 2**20:.0f}; make room, then run it again"
        )
    _transfer(
        part, location, size, token if urlsplit(url).netloc == urlsplit(location).netloc else False, progress
    )
    found = modelfile.digest(part)
    if found != digest:
        part.unlink()
        raise DownloadError(
            f"{target.name}: the checksum is wrong ({found[:12]}…, the server says {digest[:12]}…); it was "
            "thrown away; run it again, and if that does not help choose another file"
        )
    try:
        modelfile.read_header(part)
    except ModelFileError:
        part.unlink()
        raise
    os.replace(part, target)
    return target


def _transfer(part: Path, location: str, size: int, token: bool | None, progress: Progress | None) -> None:
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers, tqdm  # type: ignore[attr-defined]

    class Quiet(tqdm):
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **{**options, "disable": True})  # type: ignore[no-untyped-call]

    headers = {**build_hf_headers(token=token), "Accept-Encoding": "identity"}
    with part.open("ab") as file:
        there = file.tell()
        counting = _Counting(file, size, progress) if progress else file
        http_get(
            location,
            cast(BinaryIO, counting),
            resume_size=there,
            headers=headers,
            expected_size=size,
            displayed_filename=part.name,
            tqdm_class=Quiet if progress else None,
        )


class _Counting:
    """A file that tells how much of it is there."""

    def __init__(self, file: BinaryIO, size: int, progress: Progress) -> None:
        self._file = file
        self._size = size
        self._progress = progress
        progress(file.tell(), size)

    def write(self, data: bytes) -> int:
        count = self._file.write(data)
        self._progress(self._file.tell(), self._size)
        return count

    def seek(self, place: int) -> int:
        return self._file.seek(place)

    def tell(self) -> int:
        return self._file.tell()

    def truncate(self) -> int:
        return self._file.truncate()
