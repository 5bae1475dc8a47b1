"""What a queue owes jobs that are called off, dead ones that come back, and the bytes that travel with them."""

import asyncio

from msgspec.structs import replace

from gexdesk.model.job import JobStatus, Place
from gexdesk.model.level import LEVELS
from gexdesk.queues.base import Queue
from tests.contracts.queue_setting import NOON, Setting, drain, ids, job, take

C, H, M, L = LEVELS


class Endings:
    """Part of ``QueueContract``."""

    # ---- cancel ----

    async def test_queued_jobs_are_cancelled_wherever_they_wait(self, queue: Queue, setting: Setting) -> None:
        await queue.put([job("delayed", C), job("waiting", H), job("held", H, source="yahoo"), job("stays", M)])
        await queue.retry(await take(queue), 60.0, "later")
        await queue.pause("yahoo")
        assert await queue.cancel(["waiting", "held", "delayed", "waiting"], "withdrawn by jm") == 3
        assert ids(await queue.peek(9)) == ["stays"]
        assert await queue.jobs_of("yahoo") == []
        assert [await queue.status(name) for name in ("waiting", "held", "delayed")] == [JobStatus.DEAD] * 3
        state = await setting.state(queue)
        assert dict(state.by_source) == {"cboe": 1}
        assert [sum((d.waiting, d.paused, d.delayed, d.processing)) for d in state.levels.values()] == [0, 0, 1, 0]
        await queue.resume("yahoo")
        await setting.pass_time(61.0)
        assert await drain(queue) == ["stays"]

    async def test_claimed_finished_and_unknown_ones_are_not_cancelled(self, queue: Queue) -> None:
        await queue.put([job("done", C), job("dead", C), job("busy", C)])
        await queue.ack(await take(queue))
        await queue.bury(await take(queue), "x")
        busy = await take(queue)
        assert await queue.cancel(["done", "dead", "busy", "nobody"], "x") == 0
        assert await queue.status("done") is JobStatus.COMPLETED
        await queue.ack(busy)
        assert await queue.cancel([], "x") == 0

    async def test_a_cancelled_job_is_known_and_stays_dead_after_a_restart(self, queue: Queue, setting: Setting) -> None:
        one = job("j")
        await queue.put([one, job("k")])
        await queue.cancel(["j"], "withdrawn")
        await queue.put([one])
        assert ids(await queue.peek(9)) == ["k"]
        await queue.close()
        again = await setting.open()
        await again.put([one])
        assert ids(await again.peek(9)) == ["k"]
        assert await again.status("j") is JobStatus.DEAD
        await again.close()

    async def test_a_job_is_claimed_or_cancelled_never_both(self, queue: Queue) -> None:
        names = [f"j{n}" for n in range(20)]
        await queue.put([job(name, H) for name in names])
        claims = [queue.claim(f"w{n}", LEVELS, 5.0) for n in range(10)]
        *claimed, cancelled = await asyncio.gather(*claims[:5], *claims[5:], queue.cancel(names[5:], "x"))
        held = [claim.job.job_id for claim in claimed if claim is not None]
        assert len(held) + cancelled + len(await queue.peek(99)) == 20
        for name in names:
            status = await queue.status(name)
            assert (status is JobStatus.PROCESSING) == (name in held)

    # ---- revive ----

    async def test_a_dead_job_comes_back_at_its_place_as_if_never_tried(self, queue: Queue) -> None:
        at = {"received_at": NOON, "deadline_at": NOON + 300}
        await queue.put([job(name, H, 0.8, **at) for name in ("a", "b", "c")])
        first, second, _ = [await take(queue) for _ in range(3)]
        await queue.bury(second, "poison")
        await queue.retry(first, 0.0, "x")
        await queue.put([job("d", H, 0.8, **at)])
        assert await queue.revive(["b", "b"]) == 1
        assert [(j.job_id, j.attempt) for j in await queue.peek(9)] == [("a", 1), ("b", 0), ("d", 0)]
        assert await queue.status("b") is JobStatus.QUEUED
        claims = [await take(queue) for _ in range(2)]
        assert (claims[1].job.job_id, claims[1].fence) == ("b", 1)
        await queue.ack(claims[1])
        assert await queue.status("b") is JobStatus.COMPLETED
        assert await queue.revive(["b"]) == 0

    async def test_what_was_left_of_its_death_does_not_take_a_revived_job(self, queue: Queue, setting: Setting) -> None:
        await queue.put([job("j")])
        await queue.bury(await take(queue), "x")
        await queue.revive(["j"])
        await queue.prune(setting.now() - 50.0)
        await queue.close()
        again = await setting.open()
        assert ids(await again.peek(9)) == ["j"]
        await again.close()

    async def test_only_dead_jobs_are_revived(self, queue: Queue) -> None:
        await queue.put([job("done", C), job("busy", C), job("queued", H)])
        await queue.ack(await take(queue))
        await take(queue)
        assert await queue.revive(["done", "busy", "queued", "nobody"]) == 0
        assert await queue.revive([]) == 0

    async def test_a_revival_survives_a_restart_and_so_does_the_right_to_one(self, queue: Queue, setting: Setting) -> None:
        at = {"received_at": NOON, "deadline_at": NOON + 300}
        await queue.put([job(name, H, 0.8, **at) for name in ("a", "b", "c")])
        await queue.cancel(["a", "b"], "x")
        assert await queue.revive(["b"]) == 1
        await queue.close()
        again = await setting.open()
        assert ids(await again.peek(9)) == ["b", "c"]
        await again.put([job("d", H, 0.8, **at)])
        assert await again.revive(["a", "b"]) == 1
        assert ids(await again.peek(9)) == ["a", "b", "c", "d"]
        await again.close()
        third = await setting.open()
        assert ids(await third.peek(9)) == ["a", "b", "c", "d"]
        assert await third.status("a") is JobStatus.QUEUED
        await third.close()

    async def test_the_arrival_number_of_a_dead_job_is_given_to_nobody(self, queue: Queue, setting: Setting) -> None:
        at = {"received_at": NOON, "deadline_at": NOON + 300}
        await queue.put([job("last", H, 0.8, **at)])
        await queue.cancel(["last"], "x")
        await queue.close()
        again = await setting.open()
        await again.put([job("new", H, 0.8, **at)])
        await again.revive(["last"])
        assert await drain(again) == ["last", "new"]
        await again.close()

    async def test_a_revived_job_died_with_its_pause_and_wait_forgotten(self, queue: Queue, setting: Setting) -> None:
        await queue.put([job("delayed", H), job("held", M, source="yahoo", place=Place.HEAD)])
        await queue.retry(await take(queue), 60.0, "later")
        await queue.pause("yahoo")
        await queue.cancel(["delayed", "held"], "x")
        assert await queue.revive(["held", "delayed"]) == 2
        assert ids(await queue.peek(9)) == ["delayed"]  # its wait was over with its life; the pause is the source's
        await queue.resume("yahoo")
        assert [(j.job_id, j.place) for j in await queue.peek(9)] == [("delayed", Place.OWN), ("held", Place.HEAD)]
        await setting.pass_time(100.0)
        assert await drain(queue) == ["delayed", "held"]

    async def test_a_job_dies_and_comes_back_as_often_as_wanted(self, queue: Queue, setting: Setting) -> None:
        await queue.put([job("j", H), job("k", H)])
        for _ in range(3):
            assert await queue.cancel(["j"], "x") == 1
            assert await queue.revive(["j"]) == 1
        for _ in range(3):
            await queue.bury(await take(queue), "x")
            assert await queue.revive(["j"]) == 1
        assert ids(await queue.peek(9)) == ["j", "k"]
        assert (await setting.state(queue)).levels[H].waiting == 2
        assert await drain(queue) == ["j", "k"]

    async def test_what_came_since_supersedes_the_revived(self, queue: Queue) -> None:
        await queue.put([job("old", H, symbol="SPX", as_of=1.0)])
        await queue.cancel(["old"], "x")
        await queue.put([job("new", M, symbol="SPX", as_of=2.0)])
        await queue.revive(["old"])
        assert [(j.job_id, j.level, j.superseded) for j in await queue.peek(9)] == [("new", M, False), ("old", L, True)]

    async def test_a_revived_job_was_never_tried_after_a_restart_either(self, queue: Queue, setting: Setting) -> None:
        await queue.put([job("j"), job("busy", L)])
        await queue.bury(await take(queue), "x")
        await take(queue)
        await queue.revive(["j"])
        await queue.close()
        again = await setting.open()
        assert [(j.job_id, j.attempt) for j in await again.peek(9)] == [("j", 0), ("busy", 1)]
        await again.close()

    async def test_two_who_revive_one_job_revive_it_once(self, queue: Queue) -> None:
        await queue.put([job("j")])
        await queue.cancel(["j"], "x")
        assert sum(await asyncio.gather(*(queue.revive(["j"]) for _ in range(4)))) == 1
        assert await drain(queue) == ["j"]

    async def test_a_pruned_job_cannot_be_revived(self, queue: Queue, setting: Setting) -> None:
        await queue.put([job("j"), job("young")])
        await queue.cancel(["j"], "x")
        await setting.pass_time(50.0)
        between = setting.now()
        await setting.pass_time(50.0)
        await queue.cancel(["young"], "x")
        assert await queue.prune(between) == 1
        assert await queue.revive(["j", "young"]) == 1
        assert ids(await queue.peek(9)) == ["young"]

    # ---- parcels ----

    async def test_what_travels_with_a_job_is_there_as_long_as_the_job(self, queue: Queue, setting: Setting) -> None:
        jobs = [job(name, C) for name in ("a", "b", "c")]
        parcels = [b"\x00\xff" * 50, b"", b"c" * 100_000]
        await queue.put(jobs, parcels)
        await queue.put([job("none", M)])
        await queue.put([replace(jobs[0], level=L)], [b"another"])  # the job is known: so is its parcel
        kept = parcels if queue.shared else [None] * 3
        assert [await queue.parcel(j.job_id) for j in jobs] == kept
        assert await queue.parcel("none") is None
        assert await queue.parcel("nobody") is None
        await queue.ack(await take(queue))
        assert await queue.parcel("a") is None
        await queue.retry(await take(queue), 0.0, "x")
        await queue.cancel(["c"], "x")
        await queue.revive(["c"])
        assert [await queue.parcel(name) for name in ("b", "c")] == kept[1:]
        await queue.cancel(["c"], "x")
        await setting.pass_time(100.0)
        await queue.prune(setting.now() - 50.0)
        assert await queue.parcel("c") is None
