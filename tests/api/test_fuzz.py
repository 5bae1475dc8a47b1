"""The short form of ``contract_fuzz``: every operation as the document describes it, on a real engine."""

from pathlib import Path

import pytest

from tests.api.contract_fuzz import fuzz


@pytest.mark.timeout(300)
@pytest.mark.parametrize("keyed", [True, False], ids=["key", "no key"])
async def test_every_answer_is_as_the_document_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keyed: bool) -> None:
    monkeypatch.setattr("gexdesk.api.guard.FAILED_PER_MINUTE", 1_000_000)
    # Whether a request is asked about after it was made is a matter of draws: six an operation once drew none.
    outcome = await fuzz(tmp_path, 25 if keyed else 6, keyed=keyed, phases=("fuzzing", "stateful"))
    assert outcome.found == (), outcome.said
    assert outcome.cases > 60
    assert outcome.followed is keyed, outcome.said
