"""What every directory promises about the doors it may not have, and about people who left."""

from __future__ import annotations

from authgate.directories.contract import Gone, Refused, StillGood, Visitor
from tests.clauses import clause
from tests.directories.contract.cases import DirectoryCase

EMAIL, PASSWORD = "ana@example.com", "a long enough password"
VISITOR = Visitor("192.0.2.1")


@clause("ASVS 5.0", "7.4.2")
async def test_a_recheck_tells_who_must_go(any_case: DirectoryCase) -> None:
    sub = await any_case.add(EMAIL, PASSWORD)
    outcome = await any_case.directory.recheck(sub)
    assert isinstance(outcome, StillGood)
    assert (outcome.person.sub, outcome.person.directory) == (sub, any_case.directory.name)
    await any_case.disable(EMAIL)
    assert await any_case.directory.recheck(sub) == Gone()

    other = await any_case.add("other@example.com", PASSWORD)
    await any_case.remove("other@example.com")
    assert await any_case.directory.recheck(other) == Gone()
    for nobody in ("", "ag_nobody", EMAIL, "\0"):
        assert await any_case.directory.recheck(nobody) == Gone()


async def test_a_person_added_again_is_somebody_else(any_case: DirectoryCase) -> None:
    """Or what was granted to the first would belong to the second (ASVS 6.8.1)."""
    first = await any_case.add(EMAIL, PASSWORD)
    await any_case.remove(EMAIL)
    assert await any_case.add(EMAIL, PASSWORD) != first
    assert await any_case.directory.recheck(first) == Gone()


async def test_a_made_up_first_factor_opens_no_second(any_case: DirectoryCase) -> None:
    for sealed in ("", "x", "gAAAAA" + "A" * 100, "\ud800"):
        assert await any_case.directory.answer_factor(sealed, "123456", VISITOR) == Refused()


async def test_a_provider_that_is_not_offered_is_refused(any_case: DirectoryCase) -> None:
    offered = any_case.directory.ways.providers
    for provider in {"github", "google", "", "../x"} - set(offered):
        directory = any_case.directory
        assert await directory.start_social(provider, "http://localhost/cb", "t") == Refused()
        assert await directory.finish_social(provider, "s", {"code": "c"}, VISITOR) == Refused()
