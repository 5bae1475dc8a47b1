"""What every queue owes (``gexdesk/queues/base.py``), as tests that each implementation inherits.

An implementation gives a ``setting`` fixture; see ``Setting``. ``queue_model.py`` has the same promises against a naive queue,
in any order of calls.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from gexdesk.model.errors import LeaseLost, QueueError
from gexdesk.model.job import JobStatus
from gexdesk.model.level import LEVELS, Level
from gexdesk.queues.base import Queue
from tests.contracts.queue_endings import Endings
from tests.contracts.queue_places import Places
from tests.contracts.queue_setting import NOON, Setting, drain, ids, job, take
from tests.contracts.queue_telling import Telling

C, H, M, L = LEVELS


async def _all_asleep() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class QueueContract(Places, Endings, Telling):
    """Inherit this and give the ``setting`` fixture."""

    @pytest.fixture
    async def queue(self, setting: Setting) -> AsyncIterator[Queue]:
        queue = await setting.open()
        yield queue
        await queue.close()

    # ---- order ----

    async def test_a_stricter_level_goes_first_whatever_came_before(self, queue: Queue) -> None:
        await queue.put([job("l", L), job("m", M), job("h", H), job("c", C)])
        assert ids(await queue.peek(9)) == ["c", "h", "m", "l"]
        assert await drain(queue) == ["c", "h", "m", "l"]

    async def test_a_critical_job_that_arrives_late_goes_next(self, queue: Queue) -> None:
        await queue.put([job(f"h{n}", H) for n in range(50)])
        for _ in range(10):
            await queue.ack(await take(queue))
        await queue.put([job("late", C)])
        assert (await take(queue)).job.job_id == "late"

    async def test_inside_a_level_score_then_freshness_then_deadline_then_arrival(self, queue: Queue) -> None:
        at = NOON
        await queue.put(
            [
                job("arrived last of equals", M, 0.5, freshness=1, deadline_at=None, received_at=at),
                job("no deadline goes last", M, 0.5, freshness=1, deadline_at=None, received_at=at),
                job("later deadline", M, 0.5, freshness=1, deadline_at=at + 90, received_at=at),
                job("earlier deadline", M, 0.5, freshness=1, deadline_at=at + 30, received_at=at),
                job("fresher", M, 0.5, freshness=0, deadline_at=at + 99, received_at=at),
                job("higher score", M, 0.6, freshness=2, deadline_at=None, received_at=at),
            ]
        )
        assert await drain(queue) == [
            "higher score",
            "fresher",
            "earlier deadline",
            "later deadline",
            "arrived last of equals",
            "no deadline goes last",
        ]

    async def test_equals_keep_the_order_of_arrival_over_several_puts_and_sources(self, queue: Queue) -> None:
        names = [f"j{n}" for n in range(30)]
        for at, name in enumerate(names):
            await queue.put([job(name, H, 0.8, source=f"s{at % 3}", deadline_at=NOON)])
        assert ids(await queue.peek(30)) == names
        assert await drain(queue) == names

    async def test_peek_cuts_to_the_limit(self, queue: Queue) -> None:
        await queue.put([job(f"j{n}", H, 0.8) for n in range(7)])
        assert ids(await queue.peek(3)) == ["j0", "j1", "j2"]
        assert ids(await queue.peek(0)) == []

    async def test_a_job_without_a_finite_score_is_refused_and_nothing_is_added(self, queue: Queue) -> None:
        with pytest.raises(QueueError, match="score nan"):
            await queue.put([job("fine"), job("nowhere", M, float("nan"))])
        assert await queue.peek(9) == []

    # ---- claim ----

    async def test_claim_takes_only_the_levels_asked_for(self, queue: Queue) -> None:
        await queue.put([job("h", H), job("l", L)])
        assert await queue.claim("reserved", [C], 5.0) is None
        claim = await queue.claim("w", [L, M], 5.0)
        assert claim is not None
        assert claim.job.job_id == "l"
        assert ids(await queue.peek(9)) == ["h"]

    async def test_claim_says_who_holds_what_and_counts_the_attempt(self, queue: Queue) -> None:
        await queue.put([job("j", H)])
        claim = await take(queue, worker="w7")
        assert (claim.worker, claim.job.job_id, claim.job.attempt, claim.fence) == ("w7", "j", 1, 1)
        assert await queue.status("j") is JobStatus.PROCESSING
        assert await queue.claim("w8", LEVELS, 5.0) is None

    async def test_concurrent_claims_never_share_a_job(self, queue: Queue) -> None:
        await queue.put([job(f"j{n}", H) for n in range(40)])
        claims = await asyncio.gather(*(queue.claim(f"w{n}", LEVELS, 5.0) for n in range(50)))
        got = [claim.job.job_id for claim in claims if claim is not None]
        assert sorted(got) == sorted(f"j{n}" for n in range(40))

    async def test_a_cancelled_claim_leaves_no_job_behind(self, queue: Queue) -> None:
        await queue.put([job("first", H, 0.8), job("second", H, 0.8)])
        claiming = asyncio.ensure_future(queue.claim("w", LEVELS, 5.0))
        await asyncio.sleep(0)
        claiming.cancel()
        try:
            claim = await claiming
        except asyncio.CancelledError:
            claim = await take(queue)
        assert claim is not None
        assert (claim.job.job_id, claim.job.attempt) == ("first", 1)
        assert ids(await queue.peek(9)) == ["second"]

    # ---- leases ----

    async def test_an_expired_lease_is_rescued_at_its_original_place(self, queue: Queue, setting: Setting) -> None:
        await queue.put([job(f"j{n}", H, 0.8) for n in range(3)])
        lost = await take(queue, lease_s=2.0)
        kept = await take(queue, lease_s=60.0)
        assert await queue.rescue() == []
        await setting.pass_time(3.0)
        assert ids(await queue.rescue()) == [lost.job.job_id]
        assert ids(await queue.peek(9)) == ["j0", "j2"]
        again = await take(queue)
        assert (again.job.job_id, again.job.attempt, again.fence) == ("j0", 2, 2)
        assert await queue.status(kept.job.job_id) is JobStatus.PROCESSING

    async def test_a_heartbeat_keeps_the_lease(self, queue: Queue, setting: Setting) -> None:
        await queue.put([job("j")])
        claim = await take(queue, lease_s=2.0)
        await setting.pass_time(1.0)
        renewed = await queue.heartbeat(claim, 10.0)
        assert renewed.lease_until > claim.lease_until
        await setting.pass_time(2.0)
        assert await queue.rescue() == []
        await queue.ack(renewed)

    @pytest.mark.parametrize("act", ["ack", "heartbeat", "retry", "bury"])
    @pytest.mark.parametrize("claimed_again", [False, True])
    async def test_who_lost_the_job_can_do_nothing_to_it(
        self, queue: Queue, setting: Setting, act: str, claimed_again: bool
    ) -> None:
        await queue.put([job("j")])
        zombie = await take(queue, lease_s=1.0)
        await setting.pass_time(2.0)
        await queue.rescue()
        holder = await take(queue, worker="w2") if claimed_again else None
        acts = {
            "ack": lambda: queue.ack(zombie),
            "heartbeat": lambda: queue.heartbeat(zombie, 5.0),
            "retry": lambda: queue.retry(zombie, 0.0, "late"),
            "bury": lambda: queue.bury(zombie, "late"),
        }
        with pytest.raises(LeaseLost, match="j"):
            await acts[act]()
        assert await queue.status("j") is (JobStatus.PROCESSING if holder else JobStatus.QUEUED)
        if holder:
            await queue.ack(holder)
            assert await queue.status("j") is JobStatus.COMPLETED

    async def test_a_job_is_acked_once(self, queue: Queue) -> None:
        await queue.put([job("j")])
        claim = await take(queue)
        outcomes = await asyncio.gather(queue.ack(claim), queue.ack(claim), return_exceptions=True)
        assert outcomes[0] is None
        assert isinstance(outcomes[1], LeaseLost)
        assert await queue.status("j") is JobStatus.COMPLETED

    async def test_an_ack_and_a_rescue_at_once_agree(self, queue: Queue, setting: Setting) -> None:
        await queue.put([job("j")])
        claim = await take(queue, lease_s=1.0)
        await setting.pass_time(2.0)
        acked, rescued = await asyncio.gather(queue.ack(claim), queue.rescue(), return_exceptions=True)
        if acked is None:
            assert rescued == []
            assert await queue.status("j") is JobStatus.COMPLETED
        else:
            assert isinstance(acked, LeaseLost)
            assert ids(rescued) == ["j"]
            assert await queue.status("j") is JobStatus.QUEUED

    # ---- retry, bury ----

    async def test_a_retry_waits_its_time_and_keeps_its_place(self, queue: Queue, setting: Setting) -> None:
        await queue.put([job(f"j{n}", H, 0.8) for n in range(3)])
        await queue.retry(await take(queue), 10.0, "server said 503")
        assert ids(await queue.peek(9)) == ["j1", "j2"]
        assert ids(await queue.jobs_of("cboe")) == ["j0", "j1", "j2"]
        assert await queue.status("j0") is JobStatus.QUEUED
        await setting.pass_time(9.0)
        assert ids(await queue.peek(9)) == ["j1", "j2"]
        await setting.pass_time(1.5)
        assert ids(await queue.peek(9)) == ["j0", "j1", "j2"]
        claim = await take(queue)
        assert (claim.job.job_id, claim.job.attempt) == ("j0", 2)
        assert "503" in claim.job.note

    async def test_a_retry_at_once_is_eligible_at_once(self, queue: Queue) -> None:
        await queue.put([job("a", H, 0.8), job("b", H, 0.8)])
        await queue.retry(await take(queue), 0.0, "again")
        assert ids(await queue.peek(9)) == ["a", "b"]

    async def test_a_buried_job_is_dead(self, queue: Queue) -> None:
        await queue.put([job("j")])
        await queue.bury(await take(queue), "killed its worker twice")
        assert await queue.status("j") is JobStatus.DEAD
        assert await queue.peek(9) == []
        assert await queue.claim("w", LEVELS, 5.0) is None

    # ---- relevel ----

    async def test_a_new_level_keeps_the_age(self, queue: Queue) -> None:
        old = job("old", L, 0.3, received_at=NOON)
        await queue.put([old, job("h", H, 0.8, deadline_at=NOON + 300, freshness=1, received_at=NOON)])
        await queue.put([job("h2", H, 0.8, deadline_at=NOON + 300, freshness=1, received_at=NOON)])
        assert await queue.relevel(["old"], H, 0.8, 300.0, "raised by jm") == 1
        assert ids(await queue.peek(9)) == ["old", "h", "h2"]
        moved = (await queue.peek(1))[0]
        assert (moved.level, moved.score, moved.deadline_at, moved.received_at) == (H, 0.8, NOON + 300, NOON)
        assert moved.note == "raised by jm"

    async def test_best_effort_has_no_deadline(self, queue: Queue) -> None:
        await queue.put([job("j", C)])
        assert await queue.relevel(["j"], L, 0.1, None, "demoted") == 1
        assert (await queue.peek(1))[0].deadline_at is None

    async def test_only_queued_jobs_are_relevelled(self, queue: Queue, setting: Setting) -> None:
        await queue.put([job("done", C), job("held", M, source="yahoo"), job("delayed", H), job("busy", H, 0.7)])
        await queue.ack(await take(queue))
        await queue.retry(await take(queue), 60.0, "later")
        await take(queue)
        await queue.pause("yahoo")
        names = ["done", "busy", "held", "delayed", "nobody", "held"]
        assert await queue.relevel(names, C, 0.95, 30.0, "now") == 2
        assert await queue.peek(9) == []
        assert await queue.status("done") is JobStatus.COMPLETED
        await queue.resume("yahoo")
        await setting.pass_time(61.0)
        assert sorted(ids(await queue.peek(9))) == ["delayed", "held"]
        assert {j.level for j in await queue.peek(9)} == {C}

    # ---- pause, stop ----

    async def test_a_paused_source_is_held_and_comes_back_at_its_places(self, queue: Queue) -> None:
        await queue.put([job(f"{s}{n}", H, 0.8, source=s, deadline_at=NOON) for n in range(3) for s in ("a", "b")])
        assert await queue.pause("a") == 3
        assert ids(await queue.peek(9)) == ["b0", "b1", "b2"]
        assert (await take(queue)).job.job_id == "b0"
        await queue.put([job("a3", C, source="a")])
        assert (await take(queue)).job.job_id == "b1"
        assert ids(await queue.jobs_of("a")) == ["a3", "a0", "a1", "a2"]
        assert await queue.resume("a") == 4
        assert await drain(queue) == ["a3", "a0", "a1", "a2", "b2"]

    async def test_pausing_twice_or_a_source_without_jobs_is_harmless(self, queue: Queue, setting: Setting) -> None:
        assert await queue.pause("nobody") == 0
        assert await queue.pause("nobody") == 0
        assert (await setting.state(queue)).paused == {"nobody"}
        await queue.put([job("j", source="nobody")])
        assert await queue.claim("w", LEVELS, 5.0) is None
        assert await queue.resume("nobody") == 1
        assert await queue.resume("nobody") == 1
        assert await drain(queue) == ["j"]

    async def test_a_job_that_comes_back_to_a_paused_source_is_held(self, queue: Queue, setting: Setting) -> None:
        await queue.put([job("retried"), job("rescued")])
        first, _ = await take(queue), await take(queue, lease_s=1.0)
        await queue.pause("cboe")
        await queue.retry(first, 0.0, "x")
        await setting.pass_time(2.0)
        await queue.rescue()
        assert await queue.claim("w", LEVELS, 5.0) is None
        await queue.resume("cboe")
        assert await drain(queue) == ["retried", "rescued"]

    async def test_the_kill_switch_stops_claims_and_survives_a_restart(self, queue: Queue, setting: Setting) -> None:
        await queue.put([job("j", C)])
        claim_before = await take(queue)
        await queue.put([job("k", C)])
        await queue.stop_all(True)
        assert await queue.claim("w", LEVELS, 5.0) is None
        await queue.ack(claim_before)
        await queue.close()
        again = await setting.open()
        assert (await setting.state(again)).stopped
        assert await again.claim("w", LEVELS, 5.0) is None
        await again.stop_all(False)
        assert await drain(again) == ["k"]
        await again.close()

    # ---- known ids ----

    async def test_a_known_id_is_ignored_wherever_the_job_is(self, queue: Queue) -> None:
        jobs = [job("done", C), job("dead", C), job("busy", C), job("queued", C)]
        await queue.put(jobs)
        await queue.ack(await take(queue))
        await queue.bury(await take(queue), "x")
        await take(queue)
        await queue.put([replace(j, level=H) for j in jobs] + [job("new", L)] * 2)
        assert ids(await queue.peek(9)) == ["queued", "new"]
        assert (await queue.peek(1))[0].level is C
        done, dead, busy, queued = JobStatus.COMPLETED, JobStatus.DEAD, JobStatus.PROCESSING, JobStatus.QUEUED
        found = await queue.statuses(["done", "dead", "busy", "queued", "new", "other"])
        assert list(found) == [done, dead, busy, queued, queued, None]
        assert await queue.status("other") is None

    async def test_finished_ids_are_known_after_a_restart(self, queue: Queue, setting: Setting) -> None:
        jobs = [job("done", C), job("dead", C), job("queued", C)]
        await queue.put(jobs)
        await queue.ack(await take(queue))
        await queue.bury(await take(queue), "x")
        await queue.close()
        again = await setting.open()
        await again.put(jobs)
        assert ids(await again.peek(9)) == ["queued"]
        found = await again.statuses(["done", "dead", "queued", "zzz", ""])
        assert list(found) == [JobStatus.COMPLETED, JobStatus.DEAD, JobStatus.QUEUED, None, None]
        assert await again.status("done") is JobStatus.COMPLETED
        await again.close()

    # ---- conflation ----

    async def test_an_older_snapshot_drops_to_low_behind_everything(self, queue: Queue, setting: Setting) -> None:
        await queue.put([job("old", H, symbol="SPX", as_of=100.0)])
        await queue.put([job("low", L, 0.0, symbol="NDX"), job("new", L, 0.0, symbol="SPX", as_of=101.0)])
        assert ids(await queue.peek(9)) == ["low", "new", "old"]
        old = (await queue.peek(9))[2]
        assert (old.level, old.superseded, old.deadline_at) == (L, True, None)
        assert "new" in old.note
        assert (await setting.state(queue)).conflated == 1

    async def test_among_the_superseded_the_newest_goes_first(self, queue: Queue) -> None:
        await queue.put([job(f"at{n}", H, symbol="SPX", as_of=float(n)) for n in range(4)])
        assert await drain(queue) == ["at3", "at2", "at1", "at0"]

    async def test_a_late_older_snapshot_is_superseded_on_arrival(self, queue: Queue) -> None:
        await queue.put([job("new", H, 0.75, symbol="SPX", as_of=9.0)])
        await queue.put([job("late", H, 0.85, symbol="SPX", as_of=8.0)])
        assert ids(await queue.peek(9)) == ["new", "late"]
        assert (await queue.peek(9))[1].level is L

    async def test_a_critical_one_follows_directly_behind_its_successor_at_the_better_place(self, queue: Queue) -> None:
        await queue.put([job("old", C, 0.95, symbol="SPX", as_of=1.0, received_at=NOON)])
        await queue.put([job("other", C, 0.95, symbol="NDX", received_at=NOON + 1)])
        await queue.put([job("new", C, 0.95, symbol="SPX", as_of=2.0, received_at=NOON + 2)])
        assert ids(await queue.peek(9)) == ["new", "old", "other"]
        await queue.put([job("best", C, 0.99, symbol="NDX", as_of=NOON + 9), job("newest", C, 0.91, symbol="SPX", as_of=3.0)])
        assert ids(await queue.peek(9)) == ["best", "other", "newest", "new", "old"]
        old = (await queue.peek(9))[4]
        assert (old.level, old.superseded, old.deadline_at) == (C, True, NOON + 30)
        assert await drain(queue) == ["best", "other", "newest", "new", "old"]

    async def test_a_lower_successor_is_raised_to_the_place_of_a_critical_one(self, queue: Queue) -> None:
        await queue.put([job("old", C, 0.95, symbol="SPX", as_of=1.0, received_at=NOON)])
        await queue.put([job("other", C, 0.95, symbol="NDX", received_at=NOON + 1)])
        await queue.put([job("new", M, symbol="SPX", as_of=2.0)])
        assert ids(await queue.peek(9)) == ["new", "old", "other"]
        new = (await queue.peek(1))[0]
        assert (new.level, new.score, new.deadline_at) == (C, 0.95, NOON + 30)
        assert "old" in new.note
        assert "CRITICAL" in new.note
        await queue.put([job("newest", H, symbol="SPX", as_of=3.0)])
        assert ids(await queue.peek(9)) == ["newest", "old", "other", "new"]
        assert (await queue.peek(9))[3].level is L
        claim = await queue.claim("reserved", [C], 5.0)
        assert claim is not None
        assert claim.job.job_id == "newest"

    async def test_claimed_equal_other_and_nameless_ones_are_left_alone(self, queue: Queue, setting: Setting) -> None:
        await queue.put([job("claimed", C, symbol="SPX", as_of=1.0)])
        await take(queue)
        same = {"symbol": "SPX", "as_of": 5.0}
        await queue.put([job("a", H, **same), job("b", H, **same), job("elsewhere", H, symbol="SPX", as_of=1.0, source="yahoo")])
        await queue.put([job("nameless1", H, symbol="", as_of=1.0), job("nameless2", H, symbol="", as_of=2.0)])
        await queue.put([job("unknown", H, symbol="SPX", as_of=float("nan"))])
        assert not any(j.superseded for j in await queue.peek(99))
        assert (await setting.state(queue)).conflated == 0
        assert len(await queue.peek(99)) == 6

    async def test_held_jobs_are_superseded_too(self, queue: Queue) -> None:
        await queue.put([job("old", H, symbol="SPX", as_of=1.0)])
        await queue.pause("cboe")
        await queue.put([job("new", H, symbol="SPX", as_of=2.0)])
        await queue.resume("cboe")
        assert [(j.job_id, j.level) for j in await queue.peek(9)] == [("new", H), ("old", L)]

    async def test_a_whole_source_relevelled_keeps_the_newest_first(self, queue: Queue) -> None:
        await queue.put([job(f"at{n}", H, symbol="SPX", as_of=float(n)) for n in range(3)])
        assert await queue.relevel(["at0", "at1", "at2"], C, 1.0, 30.0, "override") == 3
        assert ids(await queue.peek(9)) == ["at2", "at1", "at0"]
        assert {j.level for j in await queue.peek(9)} == {C}
        assert await queue.relevel(["at2", "at0", "at1"], L, 0.3, None, "override ended") == 3
        assert ids(await queue.peek(9)) == ["at2", "at1", "at0"]

    async def test_a_superseded_one_that_was_lent_a_level_gives_it_back(self, queue: Queue) -> None:
        await queue.put([job("gone", H, symbol="SPX", as_of=5.0), job("lent", H, symbol="SPX", as_of=4.0)])
        assert (await take(queue)).job.job_id == "gone"
        await queue.put([job("late", C, symbol="SPX", as_of=3.0)])
        assert [(j.job_id, j.level) for j in await queue.peek(9)] == [("lent", C), ("late", C)]
        await queue.put([job("newest", L, symbol="SPX", as_of=6.0)])
        assert [(j.job_id, j.level) for j in await queue.peek(9)] == [("newest", C), ("late", C), ("lent", L)]

    async def test_raising_a_superseded_job_raises_its_successor(self, queue: Queue) -> None:
        await queue.put([job("old", H, symbol="SPX", as_of=1.0), job("new", M, symbol="SPX", as_of=2.0), job("h", H)])
        await queue.relevel(["old"], C, 0.95, 30.0, "wanted")
        assert ids(await queue.peek(9)) == ["new", "old", "h"]

    async def test_shared_places_survive_a_restart(self, queue: Queue, setting: Setting) -> None:
        at = {"received_at": NOON, "deadline_at": NOON + 30}
        await queue.put([job("old", C, 0.95, symbol="SPX", as_of=1.0, **at), job("other", C, 0.95, **at)])
        await queue.put([job("new", M, symbol="SPX", as_of=2.0)])
        await queue.close()
        again = await setting.open()
        assert ids(await again.peek(9)) == ["new", "old", "other"]
        await again.put([job("newest", H, symbol="SPX", as_of=3.0)])
        assert ids(await again.peek(9)) == ["newest", "old", "other", "new"]
        assert [j.level for j in await again.peek(9)] == [C, C, C, L]  # new was only lent its level
        await again.close()

    async def test_the_place_of_a_finished_successor_is_not_given_away(self, queue: Queue, setting: Setting) -> None:
        at = {"received_at": NOON, "deadline_at": NOON + 30}
        await queue.put([job("old", C, 0.91, symbol="SPX", as_of=1.0, **at), job("new", C, 0.95, symbol="SPX", as_of=2.0, **at)])
        claim = await take(queue)
        assert claim.job.job_id == "new"
        await queue.ack(claim)
        await queue.close()
        again = await setting.open()
        await again.put([job("later", C, 0.95, symbol="NDX", as_of=9.0, **at)])
        assert ids(await again.peek(9)) == ["old", "later"]
        await again.close()

    async def test_a_job_offered_again_while_it_is_being_finished_stays_finished(self, queue: Queue, setting: Setting) -> None:
        one = job("j")
        await queue.put([one])
        claim = await take(queue)
        await asyncio.gather(queue.put([one]), queue.ack(claim), queue.put([one]))
        await queue.close()
        again = await setting.open()
        assert await again.peek(9) == []
        assert await again.status("j") is JobStatus.COMPLETED
        await again.close()

    # ---- counts ----

    async def test_state_counts_every_job_once(self, queue: Queue, setting: Setting) -> None:
        await queue.put([job("w1", H, received_at=NOON + 5), job("w2", H, received_at=NOON + 4, score=0.7)])
        await queue.put([job("p", H, source="yahoo", received_at=NOON), job("d", C), job("busy", C, score=0.9)])
        await queue.retry(await take(queue), 30.0, "x")
        await take(queue)
        await queue.pause("yahoo")
        state = await setting.state(queue)
        depth = state.levels[H]
        assert (depth.waiting, depth.paused, depth.delayed, depth.processing) == (2, 1, 0, 0)
        assert depth.oldest_received_at == NOON + 4
        depth = state.levels[C]
        assert (depth.waiting, depth.paused, depth.delayed, depth.processing, depth.oldest_received_at) == (0, 0, 1, 1, None)
        assert set(state.levels) == set(LEVELS)
        assert state.levels[L].waiting == 0
        assert state.by_source == {"cboe": 3, "yahoo": 1}
        assert (state.paused, state.stopped, state.conflated) == ({"yahoo"}, False, 0)
        await queue.relevel(["d"], M, 0.5, None, "")
        assert ((await setting.state(queue)).levels[C].delayed, (await setting.state(queue)).levels[M].delayed) == (0, 1)
        await setting.pass_time(31.0)
        assert ((await setting.state(queue)).levels[M].waiting, (await setting.state(queue)).levels[M].delayed) == (1, 0)

    async def test_the_oldest_follows_claims_levels_and_pauses(self, queue: Queue, setting: Setting) -> None:
        await queue.put([job("oldest", H, 0.7, received_at=NOON), job("young", H, 0.8, received_at=NOON + 9)])
        await queue.put([job("other", H, 0.7, received_at=NOON + 3, source="yahoo")])

        async def oldest(level: Level = H) -> float | None:
            return (await setting.state(queue)).levels[level].oldest_received_at

        assert await oldest() == NOON
        await queue.pause("cboe")
        assert await oldest() == NOON + 3
        await queue.resume("cboe")
        assert await oldest() == NOON
        await queue.relevel(["oldest"], M, 0.5, None, "")
        assert (await oldest(), await oldest(M)) == (NOON + 3, NOON)
        await drain(queue)
        assert (await oldest(), await oldest(M)) == (None, None)
        assert (await setting.state(queue)).by_source == {}

    # ---- wait ----

    async def test_wait_returns_when_something_becomes_eligible(self, queue: Queue, setting: Setting) -> None:
        await asyncio.wait_for(self._woken_by(queue, [C], queue.put([job("c", C)])), 5)
        await asyncio.wait_for(queue.wait([C], 1000.0), 5)
        await drain(queue)
        await queue.pause("cboe")
        await queue.put([job("held", H)])
        await asyncio.wait_for(self._woken_by(queue, [H], queue.resume("cboe")), 5)
        claim = await take(queue)
        await asyncio.wait_for(self._woken_by(queue, [H], queue.retry(claim, 0.0, "x")), 5)
        await take(queue, lease_s=1.0)
        await setting.pass_time(2.0)
        await asyncio.wait_for(self._woken_by(queue, [H], queue.rescue()), 5)

    async def _woken_by(self, queue: Queue, levels: list[Level], act: object) -> None:
        waiting = asyncio.ensure_future(queue.wait(levels, 1000.0))
        await asyncio.sleep(0)
        assert not waiting.done()
        await act  # type: ignore[misc]
        await waiting

    async def test_wait_returns_after_the_timeout_and_when_a_retry_is_due(self, queue: Queue, setting: Setting) -> None:
        waiting = asyncio.ensure_future(queue.wait(LEVELS, 3.0))
        await _all_asleep()
        await setting.pass_time(3.5)
        await asyncio.wait_for(waiting, 5)
        await queue.put([job("j")])
        await queue.retry(await take(queue), 2.0, "x")
        waiting = asyncio.ensure_future(queue.wait(LEVELS, 1000.0))
        await _all_asleep()
        await setting.pass_time(2.5)
        await asyncio.wait_for(waiting, 5)
        assert (await take(queue)).job.job_id == "j"

    # ---- recovery ----

    async def test_everything_is_there_again_after_a_restart(self, queue: Queue, setting: Setting) -> None:
        await queue.put([job(f"{s}{level[0]}{n}", level, source=s) for n in range(3) for s in ("a", "b") for level in (M, C, L, H)])
        await queue.put([job(f"x{n}", level, symbol="SPX", as_of=float(n)) for n, level in enumerate((C, H, C, M, C, L))])
        await queue.relevel(["aL1", "bM0"], H, 0.75, 300.0, "raised")
        await queue.ack(await take(queue))
        await queue.bury(await take(queue), "poison")
        await queue.retry(await take(queue), 40.0, "once more")
        await queue.ack(await take(queue))
        busy = await take(queue)
        assert busy.job.source == "a"
        await queue.pause("b")
        order, mine, held = await queue.peek(99), await queue.jobs_of("a"), await queue.jobs_of("b")
        state = await setting.state(queue)
        await queue.close()

        again = await setting.open()
        assert ids((await again.peek(99))[:1]) == [busy.job.job_id]  # it was first when it was claimed, and waits again
        assert (await again.peek(99))[0].attempt == 1
        assert (await again.peek(99))[1:] == order
        assert await again.jobs_of("b") == held
        assert [j for j in await again.jobs_of("a") if j.job_id != busy.job.job_id] == mine
        assert (await setting.state(again)).paused == {"b"}
        assert (await setting.state(again)).levels[M] == state.levels[M]
        with pytest.raises(LeaseLost):
            await again.ack(busy)
        await again.put([job("aH9", H, source="a", received_at=NOON)])
        await again.resume("b")
        first = [j.job_id for j in await again.peek(99)]
        await again.close()

        third = await setting.open()
        assert ids(await third.peek(99)) == first
        await setting.pass_time(41.0)
        assert len(await third.peek(99)) == len(first) + 1
        await third.close()

    async def test_an_attempt_is_counted_even_when_nobody_reports_back(self, queue: Queue, setting: Setting) -> None:
        await queue.put([job("poison")])
        for attempt in (1, 2, 3):
            claim = await take(queue)
            assert claim.job.attempt == attempt
            await queue.close()
            queue = await setting.open()
        assert (await queue.peek(1))[0].attempt == 3
        await queue.close()
