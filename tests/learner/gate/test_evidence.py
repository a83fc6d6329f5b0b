"""Evidence is read back as it was written, and told when it is not all there."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_runtime.errors import EvidenceError
from learner.gate.evidence import FILES, digests, read_evidence, write_evidence
from tests.support.simulated import night


def test_what_is_written_is_read(tmp_path: Path) -> None:
    evidence = night(1)
    write_evidence(tmp_path / "evidence", evidence)
    assert read_evidence(tmp_path / "evidence") == evidence
    assert set(digests(tmp_path / "evidence")) == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_or_broken_file_is_an_error_with_its_name(tmp_path: Path, name: str) -> None:
    write_evidence(tmp_path, night(1))
    (tmp_path / name).write_bytes(b'{"unknown": 1}\n')
    with pytest.raises(EvidenceError, match="evaluate again"):
        read_evidence(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(EvidenceError, match=name):
        digests(tmp_path)
