-- The queue inside Redis (7.0 or later) or Valkey: one FUNCTION library, all keys of a queue under one prefix with one hash tag.
--
--   <p>jobs             hash    id -> entry: the truth; everything else but the ends is an index that ``repair`` makes again
--   <p>lane:<l>:<src>   zset    waiting jobs of a level and source, all scores 0: members compare as their bytes (see key_of)
--   <p>age:<l>:<src>    zset    the same jobs by receipt
--   <p>heads:<l>        zset    the first member of every lane whose source is not held
--   <p>chain:<n>:<src>:<symbol>  zset  queued jobs of a source and symbol, oldest snapshot first; score 0 dropped, 1 standing
--   <p>delayed          zset    id -> eligible at, microseconds of the server's clock
--   <p>lease:<l>        zset    id -> lease until, likewise
--   <p>done  <p>dead_at zset    id -> finished at, likewise            <p>dead   hash  id -> {entry or false, error}
--   <p>sources          hash    source -> queued jobs                  <p>delays hash  level -> delayed jobs
--   <p>held             set     paused sources    <p>stopped  the kill switch    <p>arrivals  last arrival number
--   <p>parcel:<id>      bytes that travel with a job    <p>said:<client>  last answer, given again to a call that is repeated; what a
--                       client did last is known by it, too
--   <p>idle  <p>idle:0  somebody sleeps, until a job waits or until a CRITICAL one does: ring the bell
--   <p>listening        somebody wants events           <p>birth          random, once
--   <p>followed         a step of the server's clock was answered for just now
--
-- A call carries several acts. Each reads, changes entries in memory and writes at its end (``flush``), so that an act that is
-- refused has changed nothing. Nothing here compares strings with ``<``: that follows the server's locale.

-- While it is loaded a library may use nothing of Lua (string, math, redis.call): all of it is made by the first call.

local function make()

local ID, SOURCE, SYMBOL, LEVEL, SCORE, FRESH, RECEIVED, AS_OF, DEADLINE, ATTEMPT, SUPER, NOTE, PLACE =
  1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13
-- Fields of a job, what the guidelines had decided last. One that comes has two more: its parcel (false; true where it is there
-- already; else its number among the arguments of the act), and whether its client has its results at hand.
local OF_JOB = 15
local SEQ, KEY, PLACED, RAISED, STAGE, DUE, OWNER, PARCEL = 16, 17, 18, 19, 20, 21, 22, 23
local WAITING, DELAYED, CLAIMED, GONE = 0, 1, 2, 3
local LOW, OUTDATED, ESCALATED, BEHIND = 3, 99, 1, 2
local KEY_BYTES, SHARED_BYTES = 42, 26
-- In PARCEL stands false, true, or the client that has the job's results at hand, for its first attempt: to begin it costs nothing.
local STEP = 2000000 -- a clock that is so many microseconds off was set
local PIECE = 2000 -- Lua's stack takes no more arguments than about 8000

local call, byte, char, sub, huge = redis.call, string.byte, string.char, string.sub, math.huge
local pack, unpack_, dpack = cmsgpack.pack, cmsgpack.unpack, struct.pack

local P, NOW, CLIENT, PARCELS, parcels_from
local cache, was, dirty, chains, heads_before, held_sources, events, faults, buried, conflated, stopped, listening
local woke, wrote -- the strictest rank of which a job began to wait; whether the queue was changed

local function now_us() local t = call('TIME') return t[1] * 1000000 + t[2] end

local function wakes(rank) if not woke or rank < woke then woke = rank end end

local function renew()
  cache, was, dirty, chains, heads_before = {}, {}, {}, {}, {}
end
