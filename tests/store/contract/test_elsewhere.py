"""People whom another service knows too: links, bars, told events and kept sessions."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from authgate.protocol.records import Bar, KeptSession
from authgate.store.contract import Store, Swept
from tests.store.contract.engines import Engine
from tests.store.contract.samples import (
    DAY,
    NOW,
    account,
    audit,
    begin,
    link,
    person,
    session,
)

CROWD = 50


async def _events(store: Store) -> list[str]:
    return [e.event for e in await store.audit_events()]


# --- links --------------------------------------------------------------------------------------


async def test_a_link_is_kept_and_found_from_both_ends(store: Store) -> None:
    assert await store.link(link(), audit("linked")) == link()
    assert await store.link_of("user_1") == link()
    assert await store.links_to("ag_alice") == [link()]
    assert await store.link_of("user_2") is None
    assert list(await store.links_to("ag_bob")) == []
    assert await _events(store) == ["linked"]


async def test_the_first_link_of_a_user_stands(store: Store) -> None:
    await store.link(link(), audit("linked"))
    other = link(sub="ag_bob", how="email", linked_at=NOW + 1)
    assert await store.link(other, audit("again")) == link()
    assert await store.link_of("user_1") == link()
    assert list(await store.links_to("ag_bob")) == []
    assert await _events(store) == ["linked"]


async def test_a_person_may_be_several_users_oldest_first(store: Store) -> None:
    late, early = link("user_a", linked_at=NOW + 5), link("user_c", linked_at=NOW)
    same = link("user_b", linked_at=NOW + 5)
    for one in (same, late, early, link("user_x", sub="ag_bob")):
        assert await store.link(one, audit()) == one
    assert await store.links_to("ag_alice") == [early, late, same]


async def test_a_link_is_removed_once_and_may_be_made_anew(store: Store) -> None:
    await store.link(link(), audit())
    assert await store.unlink("user_1", audit("unlinked")) == link()
    assert await store.unlink("user_1", audit("again")) is None
    assert await store.link_of("user_1") is None
    assert await _events(store) == ["unlinked", "test.event"]
    assert await store.link(link(sub="ag_bob"), audit()) == link(sub="ag_bob")


async def test_of_many_links_of_a_user_one_stands(store: Store) -> None:
    wanted = [link(sub=f"ag_{k}") for k in range(CROWD)]
    found = await asyncio.gather(*(store.link(one, audit("linked")) for one in wanted))
    assert len(set(found)) == 1
    assert await store.link_of("user_1") == found[0]
    assert await _events(store) == ["linked"]


async def test_of_many_removals_one_gets_the_link(store: Store) -> None:
    await store.link(link(), audit())
    gone = await asyncio.gather(*(store.unlink("user_1", audit("gone")) for _ in range(CROWD)))
    assert Counter(gone) == {link(): 1, None: CROWD - 1}
    assert (await _events(store)).count("gone") == 1


# --- bars ---------------------------------------------------------------------------------------


async def test_a_bar_is_kept_and_closes_the_sessions(store: Store) -> None:
    await store.open_session(session(), audit())
    await store.open_session(session("bobs", person=person("ag_bob")), audit())
    assert await store.bar_of("ag_alice") is None
    assert await store.bar("ag_alice", "user_deleted", NOW + 1, audit("barred"))
    assert await store.bar_of("ag_alice") == Bar("ag_alice", "user_deleted", NOW + 1)
    assert await store.session(session().session_digest, NOW) is None
    assert await store.bar_of("ag_bob") is None
    assert await store.session(session("bobs").session_digest, NOW) is not None
    assert (await _events(store))[0] == "barred"


async def test_the_first_reason_and_time_stand(store: Store) -> None:
    assert await store.bar("ag_alice", "first", NOW, audit("barred"))
    assert not await store.bar("ag_alice", "second", NOW + 1, audit("again"))
    await store.end_grants_of("ag_alice", "third", NOW + 2, audit("ended"))
    assert await store.bar_of("ag_alice") == Bar("ag_alice", "first", NOW)
    assert await _events(store) == ["ended", "barred"]


async def test_a_bar_ends_no_grant_of_ours(store: Store) -> None:
    await begin(store)
    await store.bar("ag_alice", "x", NOW, audit())
    found = await store.grant("grant-1")
    assert found is not None
    assert found.revoked_at is None


async def test_whoever_signs_in_anew_is_barred_no_longer(store: Store) -> None:
    for sub in ("ag_alice", "ag_bob"):
        await store.bar(sub, "x", NOW - 1, audit())
    assert await store.open_session(session(), audit())
    assert await store.bar_of("ag_alice") is None
    assert await store.bar_of("ag_bob") == Bar("ag_bob", "x", NOW - 1)
    assert await store.bar("ag_alice", "y", NOW + 1, audit())


@pytest.mark.parametrize("later", [0, 1, 600])
async def test_a_sign_in_that_began_before_a_bar_does_not_lift_it(store: Store, later: int) -> None:
    """What the directory said was true when it was asked, and no longer when it had answered."""
    await store.bar("ag_alice", "x", NOW + later, audit())
    assert not await store.open_session(session(), audit("signed in"))
    assert await store.session(session().session_digest, NOW) is None
    assert await store.bar_of("ag_alice") == Bar("ag_alice", "x", NOW + later)
    assert "signed in" not in await _events(store)
    again = session("again", created_at=NOW + later + 1)
    assert await store.open_session(again, audit())
    assert await store.bar_of("ag_alice") is None


async def test_who_is_sent_away_is_barred_too(store: Store) -> None:
    await store.end_grants_of("ag_stranger", "signed_out", NOW, audit())
    assert await store.bar_of("ag_stranger") == Bar("ag_stranger", "signed_out", NOW)
    for sub in ("ag_off", "ag_gone"):
        await store.add_account(account(sub, f"{sub}@x"), audit())
    await store.set_account_disabled("ag_off", NOW, NOW + 1, audit())
    assert await store.bar_of("ag_off") == Bar("ag_off", "account_disabled", NOW + 1)
    await store.remove_account("ag_gone", NOW + 2, audit())
    assert await store.bar_of("ag_gone") == Bar("ag_gone", "account_removed", NOW + 2)


async def test_nothing_else_bars_or_lifts(store: Store) -> None:
    await store.add_account(account(), audit())
    await store.set_account_password("ag_alice", "$new", NOW, audit())
    await store.set_account_disabled("ag_alice", None, NOW, audit())
    await store.open_session(session(), audit())
    await store.close_sessions_of("ag_alice", audit())
    assert await store.bar_of("ag_alice") is None
    await store.bar("ag_alice", "x", NOW, audit())
    await store.set_account_disabled("ag_alice", None, NOW, audit())
    assert await store.sweep(NOW + 900 * DAY, access_ttl=60) == Swept()
    assert await store.bar_of("ag_alice") == Bar("ag_alice", "x", NOW)


async def test_of_many_bars_one_counts(store: Store) -> None:
    won = await asyncio.gather(
        *(store.bar("ag_alice", str(k), NOW, audit("barred")) for k in range(CROWD))
    )
    assert won.count(True) == 1
    assert await store.bar_of("ag_alice") == Bar("ag_alice", str(won.index(True)), NOW)
    assert await _events(store) == ["barred"]


async def test_no_session_is_left_behind_a_bar(store: Store) -> None:
    """However signing in and barring mix: who is barred has no session, who has one is not."""
    steps = [
        store.bar("ag_alice", str(k), NOW, audit())
        if k % 3
        else store.open_session(session(str(k)), audit())
        for k in range(CROWD)
    ]
    await asyncio.gather(*steps)
    left = [await store.session(session(str(k)).session_digest, NOW) for k in range(0, CROWD, 3)]
    assert (await store.bar_of("ag_alice") is None) == any(left)


async def test_all_sessions_of_a_person_are_closed(store: Store) -> None:
    for k in range(3):
        await store.open_session(session(str(k)), audit())
    await store.open_session(session("bobs", person=person("ag_bob")), audit())
    assert await store.close_sessions_of("ag_alice", audit("closed")) == 3
    assert await store.session(session("1").session_digest, NOW) is None
    assert await store.session(session("bobs").session_digest, NOW) is not None
    assert await store.close_sessions_of("ag_alice", audit("again")) == 0
    assert [e for e in await _events(store) if e != "test.event"] == ["closed"]


async def test_of_a_persons_sessions_those_begun_by_a_moment_are_closed(store: Store) -> None:
    for name, begun in (("before", NOW - 1), ("then", NOW), ("after", NOW + 1)):
        await store.open_session(session(name, created_at=begun), audit())
    await store.open_session(session("bobs", person=person("ag_bob")), audit())
    assert await store.close_sessions_of("ag_alice", audit("closed"), NOW) == 2
    left = {
        name
        for name in ("before", "then", "after", "bobs")
        if await store.session(session(name).session_digest, NOW)
    }
    assert left == {"after", "bobs"}
    assert await store.close_sessions_of("ag_alice", audit("again"), NOW) == 0
    assert [e for e in await _events(store) if e != "test.event"] == ["closed"]


# --- told events --------------------------------------------------------------------------------


async def test_an_event_is_seen_first_once(store: Store) -> None:
    assert await store.first_sight("event_1", NOW)
    assert not await store.first_sight("event_1", NOW + 1)
    assert await store.first_sight("event_2", NOW)


async def test_whether_an_event_was_seen_can_be_asked_before_it_is_remembered(
    store: Store,
) -> None:
    assert not await store.saw("event_1")
    assert not await store.saw("event_1")
    await store.first_sight("event_1", NOW)
    assert await store.saw("event_1")
    assert not await store.saw("event_2")


async def test_of_many_tellings_one_is_the_first(store: Store) -> None:
    for name in ("event_1", "event_2"):
        seen = await asyncio.gather(*(store.first_sight(name, NOW) for _ in range(CROWD)))
        assert seen.count(True) == 1


async def test_an_event_goes_after_seven_days(store: Store) -> None:
    await store.first_sight("event_1", NOW)
    await store.first_sight("event_1", NOW + DAY)  # a repetition does not make it last
    assert await store.sweep(NOW + 7 * DAY - 1, access_ttl=60) == Swept()
    assert not await store.first_sight("event_1", NOW + 7 * DAY - 1)
    swept = await store.sweep(NOW + 7 * DAY, access_ttl=60)
    assert (swept, swept.total) == (Swept(events=1), 1)
    assert await store.first_sight("event_1", NOW + 7 * DAY)


async def test_events_go_in_batches(store: Store) -> None:
    for k in range(5):
        await store.first_sight(f"event_{k}", NOW)
    swept = [await store.sweep(NOW + 8 * DAY, access_ttl=60, batch=2) for _ in range(4)]
    assert [s.events for s in swept] == [2, 2, 1, 0]


# --- kept sessions ------------------------------------------------------------------------------


async def _kept(store: Store, sub: str = "ag_alice") -> KeptSession:
    kept = await store.kept_session(sub)
    assert kept is not None
    return kept


async def test_a_session_is_kept_one_a_person(store: Store) -> None:
    assert await store.kept_session("ag_alice") is None
    assert await store.keep_session("ag_alice", "sealed-1", NOW) is None
    first = await _kept(store)
    assert first == KeptSession("ag_alice", "sealed-1", first.version, NOW, 0)
    assert await store.keep_session("ag_bob", "sealed-bob", NOW) is None
    assert await store.keep_session("ag_alice", "sealed-2", NOW + 1) == first
    second = await _kept(store)
    assert second == KeptSession("ag_alice", "sealed-2", second.version, NOW + 1, 0)
    assert second.version != first.version
    assert (await _kept(store, "ag_bob")).sealed == "sealed-bob"


async def test_a_hold_lasts_to_its_end_and_not_beyond(store: Store) -> None:
    await store.keep_session("ag_alice", "sealed", NOW)
    version = (await _kept(store)).version
    assert await store.hold_kept_session("ag_alice", version, NOW, NOW + 30)
    assert (await _kept(store)).held_until == NOW + 30
    assert not await store.hold_kept_session("ag_alice", version, NOW + 29, NOW + 60)
    assert await store.hold_kept_session("ag_alice", version, NOW + 30, NOW + 60)
    assert not await store.hold_kept_session("ag_alice", version + 1, NOW + 90, NOW + 99)
    assert not await store.hold_kept_session("ag_bob", version, NOW, NOW + 30)


async def test_a_refreshed_session_takes_the_place_of_its_version(store: Store) -> None:
    await store.keep_session("ag_alice", "sealed-1", NOW)
    version = (await _kept(store)).version
    await store.hold_kept_session("ag_alice", version, NOW, NOW + 30)
    assert await store.replace_kept_session("ag_alice", version, "sealed-2", NOW + 5)
    found = await _kept(store)
    assert found == KeptSession("ag_alice", "sealed-2", found.version, NOW + 5, 0)
    assert found.version != version
    assert not await store.replace_kept_session("ag_alice", version, "late", NOW + 6)
    assert not await store.hold_kept_session("ag_alice", version, NOW + 6, NOW + 9)
    assert not await store.drop_kept_session("ag_alice", version)
    assert await _kept(store) == found
    assert await store.hold_kept_session("ag_alice", found.version, NOW + 6, NOW + 9)


async def test_a_newer_sign_in_takes_it_from_its_holder(store: Store) -> None:
    await store.keep_session("ag_alice", "old", NOW)
    version = (await _kept(store)).version
    await store.hold_kept_session("ag_alice", version, NOW, NOW + 30)
    older = await store.keep_session("ag_alice", "new", NOW + 1)
    assert older is not None
    assert (older.sealed, older.held_until) == ("old", NOW + 30)
    assert not await store.replace_kept_session("ag_alice", version, "refreshed old", NOW + 2)
    found = await _kept(store)
    assert (found.sealed, found.held_until) == ("new", 0)


async def test_a_session_is_dropped_once(store: Store) -> None:
    await store.keep_session("ag_alice", "sealed", NOW)
    version = (await _kept(store)).version
    assert not await store.drop_kept_session("ag_alice", version + 1)
    assert await store.drop_kept_session("ag_alice", version)
    assert not await store.drop_kept_session("ag_alice", version)
    assert await store.kept_session("ag_alice") is None


async def test_a_version_is_never_used_again(store: Store) -> None:
    """Whoever was away while the session was dropped and another kept does not undo that."""
    await store.keep_session("ag_alice", "old", NOW)
    version = (await _kept(store)).version
    await store.drop_kept_session("ag_alice", version)
    assert await store.keep_session("ag_alice", "new", NOW) is None
    assert not await store.replace_kept_session("ag_alice", version, "refreshed old", NOW)
    assert not await store.hold_kept_session("ag_alice", version, NOW, NOW + 30)
    assert not await store.drop_kept_session("ag_alice", version)
    assert (await _kept(store)).sealed == "new"


async def test_it_goes_with_the_account_and_not_with_the_grants(store: Store) -> None:
    await store.add_account(account(), audit())
    await store.keep_session("ag_alice", "sealed", NOW)
    await store.end_grants_of("ag_alice", "x", NOW, audit())
    await store.set_account_disabled("ag_alice", NOW, NOW, audit())
    await store.bar("ag_alice", "x", NOW, audit())
    await store.sweep(NOW + 89 * DAY, access_ttl=60)  # a day more, and nobody would ask for it
    assert (await _kept(store)).sealed == "sealed"
    await store.keep_session("ag_bob", "bobs", NOW)
    await store.remove_account("ag_alice", NOW, audit())
    assert await store.kept_session("ag_alice") is None
    assert (await _kept(store, "ag_bob")).sealed == "bobs"


async def test_a_link_stays_when_its_person_goes(store: Store) -> None:
    """Or the bar that the removal leaves would find nobody."""
    await store.add_account(account(), audit())
    await store.link(link(), audit())
    await store.remove_account("ag_alice", NOW, audit())
    assert await store.link_of("user_1") == link()
    assert await store.bar_of("ag_alice") is not None


async def test_of_many_newer_sessions_each_replaces_another(store: Store) -> None:
    names = [f"sealed-{k}" for k in range(CROWD)]
    older = await asyncio.gather(*(store.keep_session("ag_alice", n, NOW) for n in names))
    assert older.count(None) == 1
    told = [one.sealed for one in older if one is not None]
    assert sorted([*told, (await _kept(store)).sealed]) == sorted(names)


@pytest.mark.parametrize("step", ["hold", "replace", "drop"])
async def test_of_many_at_once_one_wins(store: Store, step: str) -> None:
    for _ in range(5):
        await store.keep_session("ag_alice", "sealed", NOW)
        version = (await _kept(store)).version
        steps = {
            "hold": lambda k, v=version: store.hold_kept_session("ag_alice", v, NOW, NOW + 1 + k),
            "replace": lambda k, v=version: store.replace_kept_session("ag_alice", v, str(k), NOW),
            "drop": lambda _, v=version: store.drop_kept_session("ag_alice", v),
        }
        won = await asyncio.gather(*(steps[step](k) for k in range(CROWD)))
        assert won.count(True) == 1
        kept = await store.kept_session("ag_alice")
        if step == "hold":
            assert kept is not None
            assert kept.held_until == NOW + 1 + won.index(True)
        elif step == "replace":
            assert kept is not None
            assert kept.sealed == str(won.index(True))
        else:
            assert kept is None


async def test_a_sealed_session_is_in_no_repr(store: Store, engine: Engine) -> None:
    await store.keep_session("ag_alice", "a secret", NOW)
    assert "a secret" not in repr(await store.kept_session("ag_alice"))
    assert len(engine.rows()["kept_sessions"]) == 1


async def test_who_is_asked_about_may_be_a_stranger_to_any_encoding(store: Store) -> None:
    for odd in ("", "\ud800", "a\x00b"):
        assert await store.bar_of(odd) is None
        assert await store.link_of(odd) is None
        assert await store.kept_session(odd) is None
