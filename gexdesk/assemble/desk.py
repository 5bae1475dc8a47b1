"""Join the parts of one desk to an engine."""

from collections.abc import Callable, Coroutine
from functools import partial

from gexdesk.assemble.feeding import Feeding, feeding_of
from gexdesk.assemble.ground import Ground, Log, ground_of
from gexdesk.assemble.levers import Hands, hands_of
from gexdesk.assemble.looks import lookout_of
from gexdesk.assemble.sources import position_of
from gexdesk.assemble.watching import Watching, watching_of
from gexdesk.assemble.way import Way, way_of
from gexdesk.engine.elsewhere import Elsewhere
from gexdesk.engine.engine import Engine
from gexdesk.engine.lock import StateLock
from gexdesk.engine.parts import Parts
from gexdesk.engine.picture import Picture
from gexdesk.engine.relay import Relay
from gexdesk.model.clock import Clock
from gexdesk.settings.desk import Settings
from gexdesk.settings.places import LOCK_NAME


def assemble(
    settings: Settings, clock: Clock, *, once: bool = False, replay_speed: float = 1.0, log: Log | None = None
) -> Engine:
    """Join one engine; nothing runs before its ``start``.

    Args:
        once: Sources that can end do so when they have given everything: directories when quiet, replays at their end.
        replay_speed: Story seconds a replay plays in one second.
        log: Given every line of the chronicle, and the ids it is about.

    Raises:
        SettingsError: A key file, a replay folder or the like cannot be used.
        GuidelineError: The rule file cannot be used.
    """
    ground = ground_of(settings, clock, log)
    way = way_of(ground)
    feeding = feeding_of(ground, way, once=once, replay_speed=replay_speed)
    watching = watching_of(ground, way, feeding)
    hands = hands_of(ground, way, feeding, watching)
    picture = _picture(ground, way, feeding, watching, hands)
    follow: tuple[Callable[[], Coroutine[None, None, None]], ...] = ()
    if feeding.fleet is not None:
        feeding.fleet.describes(picture.beat)
        if ground.link is not None and ground.link.live is not None:
            follow = (partial(ground.link.live.follow, ground.provision.serving.show),)
    limits, lookout = settings.engine, lookout_of(ground, way, watching, hands)
    relay = None
    if feeding.fleet is not None and ground.link is not None:
        relay = Relay(
            ground.link.talk(), feeding.fleet, look=lookout.answer, pull=hands.levers.pull, read_only=settings.read_only,
            chronicle=ground.chronicle, clock=clock,
        )  # fmt: skip
    return Engine(
        Parts(
            clock=clock,
            state=ground.state,
            lock=StateLock(ground.state / LOCK_NAME),
            queue=ground.queue,
            spool=ground.spool,
            pool=way.pool,
            ledger=ground.ledger,
            flights=ground.flights,
            standing=ground.standing,
            keeper=ground.keeper,
            triage=way.triage,
            receive=way.receive,
            requests=way.requests,
            backfill=hands.backfill,
            leases=way.leases,
            work=way.work,
            endings=way.endings,
            letters=way.letters,
            elsewhere=Elsewhere(ground.queue, ground.flights, way.endings, clock),
            supply=feeding.supply,
            rulebook=hands.rulebook,
            schedules=hands.schedules,
            escalate=way.escalate,
            water=way.water,
            audit=ground.audit,
            levers=hands.levers,
            levels=hands.levels,
            lookout=lookout,
            picture=picture,
            cache=ground.cache,
            fleet=feeding.fleet,
            relay=relay,
            follow=follow,
            provision=ground.provision,
            incidents=watching.incidents,
            pager=watching.pager,
            shift=watching.shift,
            rewind=watching.rewind,
            watch=watching.watch,
            host=watching.host,
            lag=watching.lag,
            flow=ground.flow,
            chronicle=ground.chronicle,
            tally=ground.tally,
            promises=ground.promises,
            deviation=way.deviation,
            replay_position=lambda: position_of(feeding.replays),
            keep_s=limits.keep_days * 86_400,
            keep_bytes=int(limits.keep_gb * 1e9),
            lake_keep_days=limits.lake_keep_days,
        )
    )


def _picture(ground: Ground, way: Way, feeding: Feeding, watching: Watching, hands: Hands) -> Picture:
    return Picture(
        queue=ground.queue,
        ledger=ground.ledger,
        standing=ground.standing,
        triage=way.triage,
        work=way.work,
        endings=way.endings,
        receive=way.receive,
        keeper=ground.keeper,
        symbols=ground.provision.picture,
        flights=ground.flights,
        flow=ground.flow,
        tally=ground.tally,
        incidents=watching.incidents,
        mutes=watching.mutes,
        pager=watching.pager,
        shift=watching.shift,
        chronicle=ground.chronicle,
        promises=ground.promises,
        rulebook=hands.rulebook,
        levels=hands.levels,
        schedules=hands.schedules,
        escalate=way.escalate,
        measure=way.measure,
        water=way.water,
        lag=watching.lag,
        clock=ground.clock,
        engine_id=ground.engine_id,
        mode=ground.settings.mode,
        read_only=ground.settings.read_only,
        fleet=feeding.fleet,
        name=ground.link.engine if ground.link is not None else ground.engine_id,
    )
