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
--   <p>parcel:<id>      bytes that travel with a job    <p>said:<client>  last answer, given again to a call that is repeated
--   <p>idle             somebody sleeps: ring the bell  <p>listening      somebody wants events    <p>birth  random, once
--
-- A call carries several acts. Each reads, changes entries in memory and writes at its end (``flush``), so that an act that is
-- refused has changed nothing. Nothing here compares strings with ``<``: that follows the server's locale.

-- While it is loaded a library may use nothing of Lua (string, math, redis.call): all of it is made by the first call.

local function make()

local ID, SOURCE, SYMBOL, LEVEL, SCORE, FRESH, RECEIVED, AS_OF, DEADLINE, ATTEMPT, SUPER, NOTE, PLACE =
  1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13
local OF_JOB = 15 -- fields of a job, what the guidelines had decided last; a job that comes has one more: is there a parcel?
local SEQ, KEY, PLACED, RAISED, STAGE, DUE, OWNER, PARCEL = 16, 17, 18, 19, 20, 21, 22, 23
local WAITING, DELAYED, CLAIMED, GONE = 0, 1, 2, 3
local LOW, OUTDATED, ESCALATED, BEHIND = 3, 99, 1, 2
local KEY_BYTES, SHARED_BYTES = 42, 26
local PIECE = 2000 -- Lua's stack takes no more arguments than about 8000

local call, byte, char, sub, huge = redis.call, string.byte, string.char, string.sub, math.huge
local pack, unpack_, dpack = cmsgpack.pack, cmsgpack.unpack, struct.pack

local P, NOW, CLIENT
local cache, was, dirty, chains, heads_before, held_sources, events, faults, buried, conflated, woke

local function now_us() local t = call('TIME') return t[1] * 1000000 + t[2] end

local function renew()
  cache, was, dirty, chains, heads_before = {}, {}, {}, {}, {}
end

-- ---- places ----

-- Eight bytes that compare as the number does; -0 is 0.
local function ordered(x)
  local a, b, c, d, e, f, g, h = byte(dpack('>d', x + 0), 1, 8)
  if a < 128 then return char(a + 128, b, c, d, e, f, g, h) end
  return char(255 - a, 255 - b, 255 - c, 255 - d, 255 - e, 255 - f, 255 - g, 255 - h)
end

local function newest_first(e)
  local as_of = e[AS_OF]
  return ordered(as_of == as_of and -as_of or 0)
end

-- Place, score down, freshness, deadline, arrival; then newest snapshot and arrival between those that share a place.
local function key_of(e)
  local arrival, age = ordered(e[SEQ]), newest_first(e)
  if e[SUPER] then
    local place = e[LEVEL] == LOW and BEHIND or e[PLACE]
    return char(place + 1) .. ordered(-e[SCORE]) .. char(OUTDATED) .. age .. arrival .. age .. arrival
  end
  return char(e[PLACE] + 1) .. ordered(-e[SCORE]) .. char(e[FRESH]) .. ordered(e[DEADLINE] or huge) .. arrival .. age .. arrival
end

local function beside(anchor, e)
  return sub(anchor, 1, SHARED_BYTES) .. newest_first(e) .. ordered(e[SEQ])
end

local function bytes_before(a, b)
  if a == b then return false end
  for at = 1, #a do
    local x, y = byte(a, at), byte(b, at)
    if x ~= y then return y ~= nil and x < y end
  end
  return true
end

local function goes_before(a, b)
  if a[LEVEL] ~= b[LEVEL] then return a[LEVEL] < b[LEVEL] end
  return bytes_before(a[KEY], b[KEY])
end

local function older(a, b)
  if a[AS_OF] ~= b[AS_OF] then return a[AS_OF] < b[AS_OF] end
  return a[SEQ] < b[SEQ]
end

-- ---- entries ----

local function tell(kind, e) events[#events + 1] = { kind, e[ID], e[SOURCE], e[LEVEL] } end

local function is_dropped(e) return e[SUPER] and e[LEVEL] == LOW end

local function in_chain(e)
  local as_of = e[AS_OF]
  return e[STAGE] <= DELAYED and e[SYMBOL] ~= '' and as_of == as_of and as_of < huge and as_of > -huge
end

local function chain_score(e)
  if not in_chain(e) then return nil end
  return is_dropped(e) and 0 or 1
end

local function number(x) return type(x) == 'number' and x == x end

local function sound(e, id)
  return type(e) == 'table' and e[ID] == id and type(e[SOURCE]) == 'string' and type(e[SYMBOL]) == 'string'
    and (e[LEVEL] == 0 or e[LEVEL] == 1 or e[LEVEL] == 2 or e[LEVEL] == 3)
    and number(e[SCORE]) and number(e[FRESH]) and number(e[RECEIVED]) and type(e[AS_OF]) == 'number' and number(e[SEQ])
    and type(e[KEY]) == 'string' and #e[KEY] == KEY_BYTES and number(e[STAGE]) and type(e[OWNER]) == 'string' and number(e[ATTEMPT])
    and number(e[PLACE]) and (e[DEADLINE] == false or number(e[DEADLINE])) and number(e[DUE])
end

-- Foreign bytes go no further than here: the answer has to be readable.
local function readable(text) return (string.gsub(sub(text, 1, 200), '[^%w%p ]', '?')) end

local function fault(id, why)
  if #faults < 20 then faults[#faults + 1] = { readable(id), why } end
end

local function die_unread(id, why)
  fault(id, why)
  buried[id] = true
  call('HDEL', P .. 'jobs', id)
  call('HSET', P .. 'dead', id, pack({ false, why }))
  call('ZADD', P .. 'dead_at', NOW, id)
  events[#events + 1] = { 'dead', id, '', LOW }
end

local function remember(e)
  cache[e[ID]] = e
  was[e[ID]] = { e[STAGE], e[LEVEL], e[KEY], chain_score(e) }
  return e
end

-- Return an entry, nil where there is none; one that cannot be read becomes a dead letter that says so.
local function recall(id, body)
  local e = cache[id]
  if e then return e end
  body = body or call('HGET', P .. 'jobs', id)
  if not body then return nil end
  local ok
  ok, e = pcall(unpack_, body)
  if ok and sound(e, id) then return remember(e) end
  die_unread(id, 'its record in Redis cannot be read')
  return nil
end

-- An index names a job that has no entry: a dead letter says so, unless the job has ended or was none.
local function missing(id)
  if cache[id] or buried[id] or call('HEXISTS', P .. 'jobs', id) == 1 then return end
  if call('ZSCORE', P .. 'done', id) or call('ZSCORE', P .. 'dead_at', id) or #id == 0 then
    fault(id, 'a member that is no queued job was removed from an index in Redis')
  else
    die_unread(id, 'its record in Redis is missing')
  end
end

local function touch(e) dirty[#dirty + 1] = e[ID] end

local function is_held(source)
  local held = held_sources[source]
  if held == nil then
    held = call('SISMEMBER', P .. 'held', source) == 1
    held_sources[source] = held
  end
  return held
end

-- ---- writing ----

local function group(groups, name)
  local g = groups[name]
  if not g then
    g = {}
    groups[name] = g
    groups[#groups + 1] = name
  end
  return g
end

local function send(command, name, values)
  local count = #values
  for from = 1, count, PIECE do
    call(command, name, unpack(values, from, math.min(from + PIECE - 1, count)))
  end
end

local function lane_head(rank, source)
  return call('ZRANGE', P .. 'lane:' .. rank .. ':' .. source, 0, 0)[1] or false
end

local function note_head(rank, source)
  local name = rank .. ':' .. source
  if heads_before[name] == nil then
    heads_before[name] = { rank, source, lane_head(rank, source) }
    heads_before[#heads_before + 1] = name
  end
end

local function flush()
  if #dirty == 0 then return end
  local gone, kept = {}, {}
  local adds, rems = {}, {}
  local queued, delayed = {}, {}
  local seen = {}
  for at = 1, #dirty do
    local id = dirty[at]
    local e = cache[id]
    if not seen[id] then
      seen[id] = true
      local old = was[id]
      local stage, rank, key, source = e[STAGE], e[LEVEL], e[KEY], e[SOURCE]
      if stage == GONE then
        gone[#gone + 1] = id
      else
        kept[#kept + 1] = id
        kept[#kept + 1] = pack(e)
      end
      local ostage, orank, okey = GONE, rank, key
      if old then ostage, orank, okey = old[1], old[2], old[3] end
      -- the lane and the ages
      local moved = ostage ~= stage or orank ~= rank or okey ~= key
      if moved and ostage == WAITING then
        note_head(orank, source)
        local r = group(rems, 'lane:' .. orank .. ':' .. source)
        r[#r + 1] = okey .. id
        if stage ~= WAITING or orank ~= rank then
          r = group(rems, 'age:' .. orank .. ':' .. source)
          r[#r + 1] = id
        end
      end
      if moved and stage == WAITING then
        note_head(rank, source)
        local a = group(adds, 'lane:' .. rank .. ':' .. source)
        a[#a + 1] = 0
        a[#a + 1] = key .. id
        if ostage ~= WAITING or orank ~= rank then
          a = group(adds, 'age:' .. rank .. ':' .. source)
          a[#a + 1] = string.format('%.17g', e[RECEIVED])
          a[#a + 1] = id
        end
      end
      -- retry times and leases
      if ostage == DELAYED then
        delayed[orank] = (delayed[orank] or 0) - 1
        if stage ~= DELAYED then
          local r = group(rems, 'delayed')
          r[#r + 1] = id
        end
      end
      if stage == DELAYED then
        delayed[rank] = (delayed[rank] or 0) + 1
        local a = group(adds, 'delayed')
        a[#a + 1] = e[DUE]
        a[#a + 1] = id
      end
      if stage == CLAIMED then
        local a = group(adds, 'lease:' .. rank)
        a[#a + 1] = e[DUE]
        a[#a + 1] = id
      elseif ostage == CLAIMED then
        local r = group(rems, 'lease:' .. orank)
        r[#r + 1] = id
      end
      -- the chain and the count of its source
      local score, oscore = chain_score(e), old and old[4]
      if score ~= oscore then
        local name = 'chain:' .. #source .. ':' .. source .. ':' .. e[SYMBOL]
        local member = ordered(e[AS_OF]) .. ordered(e[SEQ]) .. id
        if score then
          local a = group(adds, name)
          a[#a + 1] = score
          a[#a + 1] = member
        else
          local r = group(rems, name)
          r[#r + 1] = member
        end
      end
      local change = (stage <= DELAYED and 1 or 0) - (ostage <= DELAYED and 1 or 0)
      if change ~= 0 then
        if queued[source] == nil then queued[#queued + 1] = source end
        queued[source] = (queued[source] or 0) + change
      end
    end
  end
  if #kept > 0 then send('HSET', P .. 'jobs', kept) end
  if #gone > 0 then send('HDEL', P .. 'jobs', gone) end
  for at = 1, #rems do send('ZREM', P .. rems[at], rems[rems[at]]) end
  for at = 1, #adds do send('ZADD', P .. adds[at], adds[adds[at]]) end
  for at = 1, #queued do
    local source = queued[at]
    local change = queued[source]
    if change ~= 0 and call('HINCRBY', P .. 'sources', source, change) <= 0 then call('HDEL', P .. 'sources', source) end
  end
  for rank = 0, 3 do
    local change = delayed[rank]
    if change and change ~= 0 then call('HINCRBY', P .. 'delays', rank, change) end
  end
  for at = 1, #heads_before do
    local h = heads_before[heads_before[at]]
    local before, after = h[3], lane_head(h[1], h[2])
    if before ~= after and not is_held(h[2]) then
      if before then call('ZREM', P .. 'heads:' .. h[1], before) end
      if after then call('ZADD', P .. 'heads:' .. h[1], 0, after) end
      if after then woke = true end
    end
  end
  renew()
end

-- ---- conflation: see conflation.py, whose words these are ----

local function chain_of(source, symbol)
  local name = P .. 'chain:' .. #source .. ':' .. source .. ':' .. symbol
  local chain = chains[name]
  if chain then return chain end
  chain = { standing = {}, dropped = nil }
  chains[name] = chain
  if call('ZCARD', name) > 0 then
    local newest = call('ZREVRANGEBYSCORE', name, 0, 0, 'LIMIT', 0, 1)[1]
    if newest then chain.dropped = recall(sub(newest, 17)) end
    local standing = call('ZRANGEBYSCORE', name, 1, 1)
    for at = 1, #standing do
      local e = recall(sub(standing[at], 17))
      if e and in_chain(e) then chain.standing[#chain.standing + 1] = e else call('ZREM', name, standing[at]) end
    end
  end
  return chain
end

local function share_place(head, counting)
  local best = counting[1]
  for at = 2, #counting do
    if goes_before(counting[at], best) then best = counting[at] end
  end
  if goes_before(best, head) then
    if best[LEVEL] == head[LEVEL] and (head[PLACE] ~= ESCALATED or best[PLACE] == ESCALATED) then
      head[NOTE] = 'in the place of ' .. best[ID] .. ', which it supersedes'
      head[PLACE] = best[PLACE]
    else
      local names = { [0] = 'CRITICAL', 'HIGH', 'MEDIUM', 'LOW' }
      head[NOTE] = 'raised to ' .. names[best[LEVEL]] .. ': supersedes ' .. best[ID] .. ', whose promise counts'
      head[LEVEL], head[PLACE], head[SCORE], head[DEADLINE] = best[LEVEL], best[PLACE], best[SCORE], best[DEADLINE]
      head[RAISED] = true
    end
    head[KEY], head[PLACED] = beside(best[KEY], head), true
    touch(head)
    tell('moved', head)
  end
  for at = 1, #counting do
    local e = counting[at]
    local escalated = e[PLACE] == ESCALATED and head[PLACE] ~= ESCALATED
    if e[LEVEL] == head[LEVEL] and sub(e[KEY], 1, SHARED_BYTES) ~= sub(head[KEY], 1, SHARED_BYTES) and not escalated then
      e[PLACE], e[KEY], e[PLACED], e[RAISED] = head[PLACE], beside(head[KEY], e), true, false
      touch(e)
      tell('moved', e)
    end
  end
end

local function settle(chain)
  local head = chain.dropped
  for at = 1, #chain.standing do
    if not head or older(head, chain.standing[at]) then head = chain.standing[at] end
  end
  local counting, standing = {}, {}
  for at = 1, #chain.standing do
    local e = chain.standing[at]
    if e == head or not (e[AS_OF] < head[AS_OF]) then
      standing[#standing + 1] = e
    elseif e[RAISED] or not (e[SUPER] or (e[LEVEL] == 0 and e[PLACE] ~= ESCALATED)) then
      if not e[SUPER] then conflated = conflated + 1 end
      e[LEVEL], e[PLACE], e[SCORE], e[DEADLINE], e[SUPER] = LOW, 0, 0, false, true
      e[NOTE] = 'superseded by ' .. head[ID]
      e[KEY], e[PLACED], e[RAISED] = key_of(e), false, false
      touch(e)
      tell('moved', e)
    else
      counting[#counting + 1] = e
      standing[#standing + 1] = e
      if not e[SUPER] then
        conflated = conflated + 1
        e[SUPER], e[NOTE], e[PLACED], e[RAISED] = true, 'superseded by ' .. head[ID], true, false
        touch(e)
        tell('moved', e)
      end
    end
  end
  chain.standing = standing
  if #counting > 0 then
    share_place(head, counting)
    if head == chain.dropped and not is_dropped(head) then
      standing[#standing + 1] = head
      chain.dropped = nil
    end
  end
end

-- Put a queued entry into its chain, in memory; its chain must have been read before it was changed.
local function join(chain, e)
  for at = #chain.standing, 1, -1 do
    if chain.standing[at] == e then table.remove(chain.standing, at) end
  end
  if chain.dropped == e then chain.dropped = nil end
  if not is_dropped(e) then
    chain.standing[#chain.standing + 1] = e
  elseif not chain.dropped or older(chain.dropped, e) then
    chain.dropped = e
  end
end

-- ---- what a client may ask for ----

local acts = {}

local function lost(id) return nil, 'LOST', id end

-- The attempt alone does not tell who holds a job: a revived one is counted from the start.
local function holder(id, fence, worker)
  local e = recall(id)
  if e and e[STAGE] == CLAIMED and e[ATTEMPT] == fence and e[OWNER] == CLIENT .. '/' .. worker then return e end
  return nil
end

local function wake()
  while true do
    local due = call('ZRANGEBYSCORE', P .. 'delayed', '-inf', NOW, 'LIMIT', 0, 200)
    if #due == 0 then return end
    for at = 1, #due do
      local e = recall(due[at])
      if e and e[STAGE] == DELAYED then
        e[STAGE] = WAITING
        touch(e)
      else
        call('ZREM', P .. 'delayed', due[at])
        missing(due[at])
      end
    end
    flush()
  end
end

function acts.put(jobs)
  local ids = {}
  for at = 1, #jobs do ids[at] = jobs[at][ID] end
  local live = call('HMGET', P .. 'jobs', unpack(ids))
  local done = call('ZMSCORE', P .. 'done', unpack(ids))
  local dead = call('ZMSCORE', P .. 'dead_at', unpack(ids))
  for at = 1, #jobs do
    if jobs[at][OF_JOB + 1] and not done[at] and call('PERSIST', P .. 'parcel:' .. ids[at]) == 0
      and call('EXISTS', P .. 'parcel:' .. ids[at]) == 0 then
      return nil, 'PARCEL', ids[at]
    end
  end
  local added, seq = 0, nil
  for at = 1, #jobs do
    local e = jobs[at]
    if not live[at] and not done[at] and not dead[at] and not cache[e[ID]] then
      if not seq then seq = call('INCRBY', P .. 'arrivals', #jobs) - #jobs end
      added = added + 1
      e[PARCEL] = e[OF_JOB + 1]
      e[SEQ], e[PLACED], e[RAISED], e[STAGE], e[DUE], e[OWNER] = seq + added, false, false, WAITING, 0, ''
      e[KEY] = key_of(e)
      cache[e[ID]] = e
      touch(e)
      tell('queued', e)
      if in_chain(e) then
        local chain = chain_of(e[SOURCE], e[SYMBOL])
        join(chain, e)
        if #chain.standing > 1 or chain.dropped then settle(chain) end
      end
    end
  end
  return added
end

-- A head that leads nowhere: find its lane, take it out and leave a dead letter.
local function bury_head(rank, member)
  local id = sub(member, KEY_BYTES + 1)
  call('ZREM', P .. 'heads:' .. rank, member)
  local sources = call('HKEYS', P .. 'sources')
  for at = 1, #sources do
    local source = sources[at]
    if call('ZREM', P .. 'lane:' .. rank .. ':' .. source, member) == 1 then
      call('ZREM', P .. 'age:' .. rank .. ':' .. source, id)
      if call('HINCRBY', P .. 'sources', source, -1) <= 0 then call('HDEL', P .. 'sources', source) end
      local after = lane_head(rank, source)
      if after and not is_held(source) then call('ZADD', P .. 'heads:' .. rank, 0, after) end
    end
  end
  if recall(id) then
    fault(id, 'it stood at a place that is not its own')
  else
    missing(id)
  end
end

local function first(ranks, reserved)
  for at = 1, #ranks do
    local rank = ranks[at]
    while true do
      local member = call('ZRANGE', P .. 'heads:' .. rank, 0, 0)[1]
      if not member then break end
      local e = #member > KEY_BYTES and recall(sub(member, KEY_BYTES + 1))
      if e and e[STAGE] == WAITING and e[LEVEL] == rank and sub(member, 1, KEY_BYTES) == e[KEY] and not is_held(e[SOURCE]) then
        if reserved and byte(member) > ESCALATED then break end -- the last of their level: no others are there
        return e, member
      end
      bury_head(rank, member)
    end
  end
  return nil
end

local function job_of(e)
  local job = {}
  for at = 1, OF_JOB do job[at] = e[at] end
  return job
end

function acts.claim(worker, ranks, lease_us, reserved)
  if call('EXISTS', P .. 'stopped') == 1 then return false end
  local e, member = first(ranks, reserved)
  if not e then return false end
  local name = e[LEVEL] .. ':' .. e[SOURCE]
  heads_before[name] = { e[LEVEL], e[SOURCE], member }
  heads_before[#heads_before + 1] = name
  e[STAGE], e[ATTEMPT], e[DUE], e[OWNER] = CLAIMED, e[ATTEMPT] + 1, NOW + lease_us, CLIENT .. '/' .. worker
  touch(e)
  tell('claimed', e)
  return { job_of(e), e[DUE] }
end

-- A claim whose caller left before it had the answer: nobody began, so it is not an attempt.
function acts.give_back(id, fence, worker)
  local e = holder(id, fence, worker)
  if not e then return 0 end
  e[STAGE], e[ATTEMPT] = WAITING, e[ATTEMPT] - 1
  touch(e)
  return 1
end

-- Say whether a claim would give something; where not, note that somebody sleeps and say when the next retry is due.
function acts.doze(ranks, reserved, timeout_us)
  if call('EXISTS', P .. 'stopped') == 0 and first(ranks, reserved) then return 0 end
  call('SET', P .. 'idle', 1, 'PX', math.max(1, math.ceil(timeout_us / 1000)))
  local due = call('ZRANGE', P .. 'delayed', 0, 0, 'WITHSCORES')[2]
  return due and math.max(1, due - NOW) or -1
end

function acts.heartbeat(id, fence, worker, lease_us)
  local e = holder(id, fence, worker)
  if not e then return lost(id) end
  e[DUE] = NOW + lease_us
  touch(e)
  return e[DUE]
end

function acts.ack(id, fence, worker)
  local e = holder(id, fence, worker)
  if not e then return lost(id) end
  if e[PARCEL] then call('UNLINK', P .. 'parcel:' .. id) end
  call('ZADD', P .. 'done', NOW, id)
  e[STAGE] = GONE
  touch(e)
  tell('completed', e)
  return 1
end

local function bury(e, why)
  local stage = e[STAGE]
  e[STAGE] = WAITING -- as it comes back
  call('HSET', P .. 'dead', e[ID], pack({ e, why }))
  call('ZADD', P .. 'dead_at', NOW, e[ID])
  e[STAGE] = GONE
  touch(e)
  tell('dead', e)
  return stage
end

function acts.bury(id, fence, worker, why)
  local e = holder(id, fence, worker)
  if not e then return lost(id) end
  bury(e, why)
  return 1
end

function acts.retry(id, fence, worker, after_us, note)
  local e = holder(id, fence, worker)
  if not e then return lost(id) end
  e[NOTE], e[DUE] = note, NOW + after_us
  e[STAGE] = after_us > 0 and DELAYED or WAITING
  touch(e)
  tell('retried', e)
  return 1
end

local function come_back(e, jobs)
  e[STAGE] = WAITING
  touch(e)
  tell('rescued', e)
  jobs[#jobs + 1] = job_of(e)
end

function acts.rescue()
  local jobs = {}
  for rank = 0, 3 do
    local expired = call('ZRANGEBYSCORE', P .. 'lease:' .. rank, '-inf', NOW, 'LIMIT', 0, 200)
    for at = 1, #expired do
      local e = recall(expired[at])
      if e and e[STAGE] == CLAIMED then
        come_back(e, jobs)
      else
        call('ZREM', P .. 'lease:' .. rank, expired[at])
        missing(expired[at])
      end
    end
  end
  return jobs
end

-- What this engine holds, or held in a former life, waits again; a client's name is <engine>/<life>.
function acts.reclaim(engine)
  local jobs, mark = {}, engine .. '/'
  for rank = 0, 3 do
    local leased = call('ZRANGE', P .. 'lease:' .. rank, 0, -1)
    for at = 1, #leased do
      local e = recall(leased[at])
      if e and e[STAGE] == CLAIMED and sub(e[OWNER], 1, #mark) == mark then come_back(e, jobs) end
    end
  end
  return #jobs
end

-- Claims of this very client that it never heard of, as the answer was lost: nobody began, so they are no attempts.
function acts.unheard(held)
  local heard, count, mark = {}, 0, CLIENT .. '/'
  for at = 1, #held do heard[held[at]] = true end
  for rank = 0, 3 do
    local leased = call('ZRANGE', P .. 'lease:' .. rank, 0, -1)
    for at = 1, #leased do
      local e = recall(leased[at])
      if e and e[STAGE] == CLAIMED and not heard[e[ID]] and sub(e[OWNER], 1, #mark) == mark then
        e[STAGE], e[ATTEMPT] = WAITING, e[ATTEMPT] - 1
        touch(e)
        count = count + 1
      end
    end
  end
  return count
end

function acts.relevel(ids, rank, score, after_s, note, place)
  local moved, order = {}, {}
  for at = 1, #ids do
    local e = recall(ids[at])
    if e and e[STAGE] <= DELAYED and not moved[e[ID]] then
      moved[e[ID]] = true
      local chain = in_chain(e) and chain_of(e[SOURCE], e[SYMBOL])
      local outdated = e[SUPER] and rank == LOW
      e[DEADLINE] = false
      if after_s and not outdated then e[DEADLINE] = e[RECEIVED] + after_s end
      e[LEVEL], e[SCORE], e[NOTE], e[PLACE] = rank, outdated and 0 or score, note, outdated and 0 or place
      e[KEY], e[PLACED], e[RAISED] = key_of(e), false, false
      touch(e)
      tell('moved', e)
      order[#order + 1] = e
      if chain then
        join(chain, e)
        if not moved[chain] then
          moved[chain] = true
          moved[#moved + 1] = chain
        end
      end
    end
  end
  for at = 1, #moved do settle(moved[at]) end
  return #order
end

function acts.cancel(ids, why)
  local count = 0
  for at = 1, #ids do
    local e = recall(ids[at])
    if e and e[STAGE] <= DELAYED then
      bury(e, why)
      count = count + 1
    end
  end
  return count
end

function acts.revive(ids)
  local back, settled = 0, {}
  for at = 1, #ids do
    local id = ids[at]
    local body = call('HGET', P .. 'dead', id)
    local kept = body and unpack_(body)
    if kept and kept[1] and not cache[id] then
      local e = kept[1]
      e[STAGE], e[ATTEMPT], e[DUE] = WAITING, 0, 0
      cache[id] = e
      back = back + 1
      call('HDEL', P .. 'dead', id)
      call('ZREM', P .. 'dead_at', id)
      touch(e)
      tell('queued', e)
      if in_chain(e) then
        local chain = chain_of(e[SOURCE], e[SYMBOL])
        join(chain, e)
        if not settled[chain] then
          settled[chain] = true
          settled[#settled + 1] = chain
        end
      end
    end
  end
  for at = 1, #settled do settle(settled[at]) end
  return back
end

-- ---- what an engine did on its own while it could not reach us: see redis_bridge.py ----

-- Forget queued jobs that are held there; a job that somebody here works on, or has ended here, is named.
function acts.withdraw(ids)
  local taken = {}
  for at = 1, #ids do
    local e = recall(ids[at])
    if e and e[STAGE] <= DELAYED then
      e[STAGE] = GONE
      touch(e)
    elseif e or call('ZSCORE', P .. 'done', ids[at]) or call('ZSCORE', P .. 'dead_at', ids[at]) then
      taken[#taken + 1] = ids[at]
    end
  end
  return taken
end

-- Take jobs for completed that were completed there, so that nobody does them again.
function acts.settle(ids)
  for at = 1, #ids do
    local e = recall(ids[at])
    if not e or e[STAGE] <= DELAYED then
      if e then
        e[STAGE] = GONE
        touch(e)
        tell('completed', e)
      end
      if not call('ZSCORE', P .. 'dead_at', ids[at]) then call('ZADD', P .. 'done', NOW, ids[at]) end
      call('UNLINK', P .. 'parcel:' .. ids[at])
    end
  end
  return #ids
end

local function surface(source, on)
  for rank = 0, 3 do
    local head = lane_head(rank, source)
    if head then call(on and 'ZADD' or 'ZREM', P .. 'heads:' .. rank, unpack(on and { 0, head } or { head })) end
    if head and on then woke = true end
  end
end

local function queued_of(source) return tonumber(call('HGET', P .. 'sources', source) or 0) end

function acts.pause(source)
  call('SADD', P .. 'held', source)
  held_sources[source] = true
  surface(source, false)
  events[#events + 1] = { 'paused', '', source, false }
  return queued_of(source)
end

function acts.resume(source)
  call('SREM', P .. 'held', source)
  held_sources[source] = false
  surface(source, true)
  events[#events + 1] = { 'resumed', '', source, false }
  return queued_of(source)
end

function acts.stop_all(stopped)
  if stopped then call('SET', P .. 'stopped', 1) else call('DEL', P .. 'stopped') end
  woke = woke or not stopped
  events[#events + 1] = { stopped and 'paused' or 'resumed', '', '', false }
  return 1
end

function acts.prune(before_us)
  local limit = 2000
  local done = call('ZRANGEBYSCORE', P .. 'done', '-inf', '(' .. string.format('%.17g', before_us), 'LIMIT', 0, limit)
  if #done > 0 then send('ZREM', P .. 'done', done) end
  local dead = call('ZRANGEBYSCORE', P .. 'dead_at', '-inf', '(' .. string.format('%.17g', before_us), 'LIMIT', 0, limit)
  for at = 1, #dead do call('UNLINK', P .. 'parcel:' .. dead[at]) end
  if #dead > 0 then
    send('ZREM', P .. 'dead_at', dead)
    send('HDEL', P .. 'dead', dead)
  end
  return { #done + #dead, (#done == limit or #dead == limit) and 1 or 0 }
end

-- ---- looking ----

function acts.state()
  local levels = {}
  local sources = call('HGETALL', P .. 'sources')
  local delays = call('HMGET', P .. 'delays', 0, 1, 2, 3)
  for rank = 0, 3 do
    levels[rank + 1] = { 0, 0, tonumber(delays[rank + 1] or 0), call('ZCARD', P .. 'lease:' .. rank), false }
  end
  for at = 1, #sources, 2 do
    local held = is_held(sources[at])
    for rank = 0, 3 do
      local name = rank .. ':' .. sources[at]
      local count = call('ZCARD', P .. 'lane:' .. name)
      if count > 0 then
        local l = levels[rank + 1]
        if held then
          l[2] = l[2] + count
        else
          l[1] = l[1] + count
          local oldest = tonumber(call('ZRANGE', P .. 'age:' .. name, 0, 0, 'WITHSCORES')[2])
          if oldest and (not l[5] or oldest < l[5]) then l[5] = oldest end
        end
      end
    end
  end
  return { levels, sources, call('SMEMBERS', P .. 'held'), call('EXISTS', P .. 'stopped') }
end

-- The first ``limit`` waiting jobs of a level in order, held sources left out: lanes are merged through a heap of cursors.
local function walk(rank, limit, jobs)
  local sources = call('HKEYS', P .. 'sources')
  local heap = {}
  local function sink(at)
    local item = heap[at]
    while true do
      local child = 2 * at
      if child > #heap then break end
      if child < #heap and bytes_before(heap[child + 1].member, heap[child].member) then child = child + 1 end
      if not bytes_before(heap[child].member, item.member) then break end
      heap[at] = heap[child]
      at = child
    end
    heap[at] = item
  end
  local function turn(cursor)
    cursor.at = cursor.at + 1
    if cursor.at > #cursor.page then
      cursor.from = cursor.from + #cursor.page
      cursor.page = call('ZRANGE', cursor.lane, cursor.from, cursor.from + 31)
      cursor.at = 1
    end
    cursor.member = cursor.page[cursor.at]
    return cursor.member
  end
  for at = 1, #sources do
    local cursor = { lane = P .. 'lane:' .. rank .. ':' .. sources[at], from = 0, page = {}, at = 0 }
    if not is_held(sources[at]) and turn(cursor) then heap[#heap + 1] = cursor end
  end
  for at = math.floor(#heap / 2), 1, -1 do sink(at) end
  while #heap > 0 and #jobs < limit do
    local e = recall(sub(heap[1].member, KEY_BYTES + 1))
    if e then jobs[#jobs + 1] = job_of(e) end
    if not turn(heap[1]) then
      heap[1] = heap[#heap]
      heap[#heap] = nil
    end
    if #heap > 0 then sink(1) end
  end
end

function acts.peek(limit)
  local jobs = {}
  for rank = 0, 3 do walk(rank, limit, jobs) end
  return jobs
end

-- A page of a source's waiting or held jobs of one level, from an index on: {level, place in hexadecimal, job} each.
local function placed(e)
  return { e[LEVEL], (string.gsub(e[KEY], '.', function(c) return string.format('%02x', byte(c)) end)), job_of(e) }
end

function acts.lane(source, rank, from, count)
  local jobs = {}
  local members = call('ZRANGE', P .. 'lane:' .. rank .. ':' .. source, from, from + count - 1)
  for at = 1, #members do
    local e = recall(sub(members[at], KEY_BYTES + 1))
    if e then jobs[#jobs + 1] = placed(e) end
  end
  return { #members, jobs }
end

function acts.delayed(source)
  local jobs = {}
  local ids = call('ZRANGE', P .. 'delayed', 0, -1)
  for at = 1, #ids do
    local e = recall(ids[at])
    if e and e[SOURCE] == source and e[STAGE] == DELAYED then jobs[#jobs + 1] = placed(e) end
  end
  return jobs
end

function acts.position(id)
  local e = recall(id)
  if not e or e[STAGE] ~= WAITING or is_held(e[SOURCE]) then return 0 end
  local ahead = 0
  local sources = call('HKEYS', P .. 'sources')
  for at = 1, #sources do
    if not is_held(sources[at]) then
      for rank = 0, e[LEVEL] - 1 do ahead = ahead + call('ZCARD', P .. 'lane:' .. rank .. ':' .. sources[at]) end
      ahead = ahead + call('ZLEXCOUNT', P .. 'lane:' .. e[LEVEL] .. ':' .. sources[at], '-', '(' .. e[KEY] .. id)
    end
  end
  return ahead + 1
end

local function status(id)
  local e = recall(id)
  if e then return e[STAGE] == CLAIMED and 'PROCESSING' or 'QUEUED' end
  if call('ZSCORE', P .. 'done', id) then return 'COMPLETED' end
  return call('ZSCORE', P .. 'dead_at', id) and 'DEAD' or ''
end

function acts.statuses(ids)
  local found = {}
  for at = 1, #ids do found[at] = status(ids[at]) end
  return found
end

function acts.has_parcel(id)
  local e = recall(id)
  return e and e[PARCEL] and 1 or 0
end

function acts.listen(seconds)
  call('SET', P .. 'listening', 1, 'EX', seconds)
  return 1
end

-- ---- repair: make the indexes again from the entries ----

-- Say how many jobs there are and how many the indexes hold; they differ where somebody else wrote under the prefix.
function acts.audit()
  local indexed = call('ZCARD', P .. 'delayed')
  local sources = call('HKEYS', P .. 'sources')
  for rank = 0, 3 do
    indexed = indexed + call('ZCARD', P .. 'lease:' .. rank)
    for at = 1, #sources do indexed = indexed + call('ZCARD', P .. 'lane:' .. rank .. ':' .. sources[at]) end
  end
  return { call('HLEN', P .. 'jobs'), indexed }
end

function acts.names() return call('HKEYS', P .. 'sources') end

local function ensure(name, score, member)
  if tonumber(call('ZSCORE', name, member) or 'nan') == tonumber(score) then return 0 end
  call('ZADD', name, score, member)
  return 1
end

function acts.repair(cursor)
  local page = call('HSCAN', P .. 'jobs', cursor, 'COUNT', 200)
  local mended = 0
  for at = 1, #page[2], 2 do
    local e = recall(page[2][at], page[2][at + 1])
    if e then
      local id, rank, source, stage = e[ID], e[LEVEL], e[SOURCE], e[STAGE]
      if stage == WAITING then
        mended = mended + ensure(P .. 'lane:' .. rank .. ':' .. source, 0, e[KEY] .. id)
        call('ZADD', P .. 'age:' .. rank .. ':' .. source, string.format('%.17g', e[RECEIVED]), id)
      else
        mended = mended + ensure(stage == DELAYED and P .. 'delayed' or P .. 'lease:' .. rank, string.format('%.17g', e[DUE]), id)
      end
      local score = chain_score(e)
      if score then
        call('ZADD', P .. 'chain:' .. #source .. ':' .. source .. ':' .. e[SYMBOL], score, ordered(e[AS_OF]) .. ordered(e[SEQ]) .. id)
      end
      call('HSETNX', P .. 'sources', source, 0)
    end
  end
  return { page[1], mended }
end

-- After ``repair``: take foreign members out of the lanes, count again, and set the heads.
function acts.recount()
  local sources, removed = call('HKEYS', P .. 'sources'), 0
  local counts, delays = {}, { [0] = 0, 0, 0, 0 }
  for at = 1, #sources do counts[sources[at]] = 0 end
  local delayed = call('ZRANGE', P .. 'delayed', 0, -1)
  for at = 1, #delayed do
    local e = recall(delayed[at])
    if e and e[STAGE] == DELAYED then
      counts[e[SOURCE]] = (counts[e[SOURCE]] or 0) + 1
      delays[e[LEVEL]] = delays[e[LEVEL]] + 1
    else
      call('ZREM', P .. 'delayed', delayed[at])
      missing(delayed[at])
      removed = removed + 1
    end
  end
  for rank = 0, 3 do
    call('HSET', P .. 'delays', rank, delays[rank])
    call('DEL', P .. 'heads:' .. rank)
    for at = 1, #sources do
      local head = lane_head(rank, sources[at])
      counts[sources[at]] = counts[sources[at]] + call('ZCARD', P .. 'lane:' .. rank .. ':' .. sources[at])
      if head and not is_held(sources[at]) then call('ZADD', P .. 'heads:' .. rank, 0, head) end
    end
  end
  for at = 1, #sources do
    local source = sources[at]
    if counts[source] > 0 then call('HSET', P .. 'sources', source, counts[source]) else call('HDEL', P .. 'sources', source) end
  end
  return removed
end

-- A page of a lane: members that are not where their entry says are taken out.
function acts.weed(source, rank, from, count)
  local name, age = P .. 'lane:' .. rank .. ':' .. source, P .. 'age:' .. rank .. ':' .. source
  local members = call('ZRANGE', name, from, from + count - 1)
  local removed = 0
  for at = 1, #members do
    local id = sub(members[at], KEY_BYTES + 1)
    local e = recall(id)
    if not (e and e[STAGE] == WAITING and e[LEVEL] == rank and e[SOURCE] == source and members[at] == e[KEY] .. id) then
      call('ZREM', name, members[at])
      if not e then
        call('ZREM', age, id)
        missing(id)
      end
      removed = removed + 1
    end
  end
  return { #members, removed }
end

-- ---- the door ----

-- One call: {client, number of the call, expected birth or '', acts}. A call that comes again is answered, not done again.
local function run(keys, args)
  P = keys[1]
  local ask = unpack_(args[1])
  CLIENT = ask[1]
  local said = P .. 'said:' .. CLIENT
  local last = call('GET', said)
  if last then
    local number = struct.unpack('>d', last)
    if number == ask[2] then return sub(last, 9) end
    if number > ask[2] then return redis.error_reply('STALE this call was overtaken by a later one of its client') end
  end
  local birth = call('GET', P .. 'birth')
  if ask[3] ~= '' and birth ~= ask[3] then return redis.error_reply('BIRTH the queue this client worked on is gone') end
  NOW = now_us()
  held_sources, events, faults, buried, conflated, woke = {}, {}, {}, {}, 0, false
  renew()
  local awake, broken = pcall(wake)
  local answers = {}
  for at = 1, #ask[4] do
    local act = ask[4][at]
    local ok, value, code, about = false, broken
    if awake then ok, value, code, about = pcall(acts[act[1]], act[2], act[3], act[4], act[5], act[6], act[7]) end
    if ok and value ~= nil then ok, code = pcall(flush) end
    if not ok then
      local why = value
      if code then why = code end
      if type(why) == 'table' then why = why.err end
      answers[at] = { 0, 'FAULT', readable(tostring(why)) }
      renew()
    elseif value == nil then
      answers[at] = { 0, code, readable(about) }
      renew()
    else
      answers[at] = { 1, value }
    end
  end
  if woke and call('DEL', P .. 'idle') == 1 then call('PUBLISH', P .. 'bell', '') end
  if #events > 0 and call('EXISTS', P .. 'listening') == 1 then call('PUBLISH', P .. 'events', pack({ NOW, events })) end
  local answer = pack({ NOW, conflated, faults, answers })
  call('SET', said, dpack('>d', ask[2]) .. answer, 'EX', 3600)
  return answer
end

return run
end

local made
local function door(keys, args)
  if not made then made = make() end
  return made(keys, args)
end

redis.register_function('@NAME@_add', door)
redis.register_function { function_name = '@NAME@_run', callback = door, flags = { 'allow-oom' } }
