"""What a queue owes a job's place: at the head of its level, in its own, or behind the level's own."""

import asyncio

import pytest

from gexdesk.model.job import Place
from gexdesk.model.level import LEVELS
from gexdesk.queues.base import Queue
from tests.contracts.queue_setting import NOON, Setting, drain, ids, job, take

C, H, M, L = LEVELS
SAME = {"received_at": NOON, "deadline_at": NOON + 99}


class Places:
    """Part of ``QueueContract``."""

    async def test_a_place_counts_before_the_score_and_never_across_levels(self, queue: Queue) -> None:
        await queue.put([job("escalated", H, 0.89, place=Place.ESCALATED), job("own", H, 0.7)])
        await queue.put([job("head", H, 0.7, place=Place.HEAD), job("critical", C, 0.9, place=Place.ESCALATED)])
        await queue.put([job("medium", M, 0.69, place=Place.HEAD)])
        assert ids(await queue.peek(9)) == ["critical", "head", "own", "escalated", "medium"]
        assert await drain(queue) == ["critical", "head", "own", "escalated", "medium"]

    async def test_inside_a_place_the_order_is_the_usual_one(self, queue: Queue) -> None:
        for place in (Place.ESCALATED, Place.HEAD):
            name = place.name.lower()
            await queue.put([job(f"{name} low", H, 0.7, place=place, **SAME), job(f"{name} first", H, 0.8, place=place, **SAME)])
            await queue.put([job(f"{name} second", H, 0.8, place=place, **SAME)])
        heads = ["head first", "head second", "head low"]
        assert await drain(queue) == [*heads, "escalated first", "escalated second", "escalated low"]

    async def test_a_medium_job_escalated_to_high_goes_behind_the_levels_own(self, queue: Queue) -> None:
        await queue.put([job("m1", M, received_at=NOON), job("m2", M), job("h1", H, 0.7)])
        assert await queue.relevel(["m1"], H, 0.89, 300.0, "escalated", place=Place.ESCALATED) == 1
        await queue.put([job("h2", H, 0.7)])
        moved = (await queue.peek(9))[2]
        assert (moved.job_id, moved.level, moved.place, moved.deadline_at) == ("m1", H, Place.ESCALATED, NOON + 300)
        assert ids(await queue.peek(9)) == ["h1", "h2", "m1", "m2"]
        assert await drain(queue) == ["h1", "h2", "m1", "m2"]

    async def test_a_new_level_without_a_word_of_the_place_is_the_own_one(self, queue: Queue) -> None:
        await queue.put([job("j", H, 0.7, place=Place.HEAD), job("other", C, 0.95)])
        await queue.relevel(["j"], C, 0.9, 30.0, "raised by jm")
        assert [(j.job_id, j.place) for j in await queue.peek(9)] == [("other", Place.OWN), ("j", Place.OWN)]

    async def test_a_job_at_risk_goes_to_the_head_of_its_level_and_no_further(self, queue: Queue) -> None:
        await queue.put([job("c1", C, 0.99), job("c2", C, 0.9), job("h1", H, 0.89), job("h2", H, 0.7)])
        await queue.relevel(["c2"], C, 0.9, 30.0, "at risk", place=Place.HEAD)
        await queue.relevel(["h2"], H, 0.7, 300.0, "at risk", place=Place.HEAD)
        assert ids(await queue.peek(9)) == ["c2", "c1", "h2", "h1"]

    async def test_a_reserved_slot_never_takes_an_escalated_job(self, queue: Queue) -> None:
        await queue.put([job("escalated", C, 0.99, place=Place.ESCALATED)])
        assert await queue.claim("reserved", [C], 5.0, reserved=True) is None
        await queue.put([job("own", C, 0.9), job("head", C, 0.9, place=Place.HEAD), job("high", H)])
        claims = [await queue.claim("reserved", [C], 5.0, reserved=True) for _ in range(3)]
        assert [claim and claim.job.job_id for claim in claims] == ["head", "own", None]
        assert (await take(queue)).job.job_id == "escalated"

    async def test_a_reserved_slot_of_several_levels_passes_over_the_escalated(self, queue: Queue) -> None:
        await queue.put([job("escalated", C, place=Place.ESCALATED), job("high", H)])
        claim = await queue.claim("reserved", [C, H], 5.0, reserved=True)
        assert claim is not None
        assert claim.job.job_id == "high"

    async def test_what_dropped_to_low_goes_behind_the_escalated_there_and_to_no_reserved_slot(self, queue: Queue) -> None:
        await queue.put([job("old", H, symbol="SPX", as_of=1.0), job("new", L, symbol="SPX", as_of=2.0, place=Place.ESCALATED)])
        assert ids(await queue.peek(9)) == ["new", "old"]
        assert await queue.claim("reserved", LEVELS, 5.0, reserved=True) is None
        assert await drain(queue) == ["new", "old"]

    async def test_a_reserved_slot_waits_on_while_only_escalated_jobs_come(self, queue: Queue) -> None:
        waiting = asyncio.ensure_future(queue.wait([C], 1000.0, reserved=True))
        await asyncio.sleep(0)
        await queue.put([job("own", C)])
        await asyncio.wait_for(waiting, 5)
        await drain(queue)
        await queue.put([job("escalated", C, place=Place.ESCALATED)])
        waiting = asyncio.ensure_future(queue.wait([C], 1000.0, reserved=True))
        done, _ = await asyncio.wait((waiting,), timeout=0.05)  # spurious returns are fine, a spin is not
        waiting.cancel()
        assert not done
        await asyncio.wait_for(queue.wait([C], 1000.0), 5)

    async def test_a_place_is_kept_over_retry_rescue_pause_and_restart(self, queue: Queue, setting: Setting) -> None:
        await queue.put([job("own", H, 0.7), job("escalated", H, 0.8, place=Place.ESCALATED)])
        await queue.put([job("head", H, 0.7, place=Place.HEAD)])
        expected = ["head", "own", "escalated"]
        await queue.retry(await take(queue), 0.0, "x")
        assert ids(await queue.peek(9)) == expected
        held = [await take(queue, lease_s=1.0) for _ in range(3)]
        assert [claim.job.place for claim in held] == [Place.HEAD, Place.OWN, Place.ESCALATED]
        await setting.pass_time(2.0)
        await queue.rescue()
        await queue.pause("cboe")
        await queue.resume("cboe")
        assert ids(await queue.peek(9)) == expected
        await queue.close()
        again = await setting.open()
        assert [(j.job_id, j.place) for j in await again.peek(9)] == list(zip(expected, sorted(Place), strict=True))
        await again.close()

    async def test_a_critical_job_at_risk_takes_its_successor_to_the_head(self, queue: Queue) -> None:
        await queue.put([job("other", C, 0.99), job("old", C, 0.9, symbol="SPX", as_of=1.0)])
        await queue.relevel(["old"], C, 0.9, 30.0, "at risk", place=Place.HEAD)
        await queue.put([job("new", C, 0.9, symbol="SPX", as_of=2.0)])
        assert [(j.job_id, j.place) for j in await queue.peek(9)] == [
            ("new", Place.HEAD), ("old", Place.HEAD), ("other", Place.OWN),
        ]  # fmt: skip

    async def test_an_escalated_job_that_is_superseded_drops_to_low(self, queue: Queue) -> None:
        await queue.put([job("old", H, 0.8, symbol="SPX", as_of=1.0), job("low", L, 0.0)])
        await queue.relevel(["old"], C, 0.9, 30.0, "escalated", place=Place.ESCALATED)
        await queue.put([job("new", H, 0.8, symbol="SPX", as_of=2.0)])
        assert [(j.job_id, j.level, j.place) for j in await queue.peek(9)] == [
            ("new", H, Place.OWN), ("low", L, Place.OWN), ("old", L, Place.OWN),
        ]  # fmt: skip

    async def test_an_escalated_successor_of_a_critical_one_goes_ahead_of_it(self, queue: Queue) -> None:
        await queue.put([job("new", H, 0.8, symbol="SPX", as_of=2.0)])
        await queue.relevel(["new"], C, 0.95, 30.0, "escalated", place=Place.ESCALATED)
        await queue.put([job("late", C, 0.9, symbol="SPX", as_of=1.0)])
        claim = await queue.claim("reserved", [C], 5.0, reserved=True)
        assert claim is not None
        assert claim.job.job_id == "new"  # it stands for the CRITICAL one now
        await queue.put([job("newest", M, symbol="SPX", as_of=3.0)])
        assert ids(await queue.peek(9)) == ["newest", "late"]

    async def test_a_superseded_job_raised_by_escalation_stays_behind_the_levels_own(self, queue: Queue) -> None:
        await queue.put([job("old", H, symbol="SPX", as_of=1.0), job("new", C, 0.9, symbol="SPX", as_of=2.0), job("own", C, 0.9)])
        await queue.relevel(["old"], C, 0.99, 30.0, "escalated", place=Place.ESCALATED)
        assert ids(await queue.peek(9)) == ["new", "own", "old"]
        claims = [await queue.claim("reserved", [C], 5.0, reserved=True) for _ in range(3)]
        assert [claim and claim.job.job_id for claim in claims] == ["new", "own", None]

    # ---- position ----

    async def test_the_position_is_the_number_in_the_true_order(self, queue: Queue, setting: Setting) -> None:
        await queue.put([job(f"{level[0]}{n}", level, source=f"s{n % 3}") for n in range(9) for level in (M, C, L, H)])
        await queue.relevel(["M4"], H, 0.7, 300.0, "", place=Place.ESCALATED)
        await queue.relevel(["H8"], H, 0.7, 300.0, "", place=Place.HEAD)
        await queue.retry(await take(queue), 9.0, "x")
        claimed = await take(queue)
        await queue.pause("s2")
        await queue.cancel(["L3"], "x")
        order = ids(await queue.peek(99))
        assert len(order) == 21
        assert [await queue.position(name) for name in order] == list(range(1, 22))
        for name in ("C0", claimed.job.job_id, "M2", "L3", "nobody"):  # delayed, claimed, held, dead, unknown
            assert await queue.position(name) is None
        await setting.pass_time(10.0)
        assert await queue.position("C0") == 1

    @pytest.mark.parametrize("stopped", [True, False])
    async def test_a_stopped_queue_still_says_what_is_next(self, queue: Queue, stopped: bool) -> None:
        await queue.put([job("a", C), job("b", H)])
        await queue.stop_all(stopped)
        assert await queue.position("b") == 2
