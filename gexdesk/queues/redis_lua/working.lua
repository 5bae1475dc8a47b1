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
    if type(jobs[at][OF_JOB + 1]) == 'number' and (live[at] or dead[at]) then
      call('SET', P .. 'parcel:' .. ids[at], PARCELS[parcels_from + jobs[at][OF_JOB + 1]], 'NX') -- where it was lost it is back
    end
    if jobs[at][OF_JOB + 1] == true and not done[at] and call('PERSIST', P .. 'parcel:' .. ids[at]) == 0
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
      local parcel, ready = e[OF_JOB + 1], e[OF_JOB + 2]
      if type(parcel) == 'number' then call('SET', P .. 'parcel:' .. e[ID], PARCELS[parcels_from + parcel]) end
      e[PARCEL] = parcel and (ready and CLIENT or true)
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

-- Say whether a job of a stricter level could have been claimed: counted apart from the choice, which it judges.
local function stricter_waits(level)
  for rank = 0, level - 1 do
    if call('ZCARD', P .. 'heads:' .. rank) > 0 then return true end
  end
  return false
end

local function take(worker, ranks, lease_us, reserved)
  local e, member = first(ranks, reserved)
  if not e then return nil end
  local over, ready = stricter_waits(e[LEVEL]), e[PARCEL] == CLIENT
  local name = e[LEVEL] .. ':' .. e[SOURCE]
  heads_before[name] = { e[LEVEL], e[SOURCE], member }
  heads_before[#heads_before + 1] = name
  e[STAGE], e[ATTEMPT], e[DUE], e[OWNER] = CLAIMED, e[ATTEMPT] + 1, NOW + lease_us, CLIENT .. '/' .. worker
  e[PARCEL] = e[PARCEL] and true
  touch(e)
  flush()
  tell('claimed', e)
  return { job_of(e), e[DUE], over }, ready
end

-- Take jobs in order: those whose results this client has at hand, and the first that it has not; ``most`` at most.
function acts.claim(worker, ranks, lease_us, reserved, most)
  if stopped then return {} end
  local job, ready = take(worker, ranks, lease_us, reserved)
  local taken = { job }
  while ready and #taken < most do
    local ok
    ok, job, ready = pcall(take, worker, ranks, lease_us, reserved)
    if not ok then -- those taken before it are told of; whoever asks for this one alone hears what is wrong with it
      renew()
      break
    end
    if not job then break end
    taken[#taken + 1] = job
  end
  return taken
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
  if not stopped and first(ranks, reserved) then return 0 end
  local sleepers = #ranks == 1 and ranks[1] == 0 and 'idle:0' or 'idle'
  call('SET', P .. sleepers, 1, 'PX', math.max(1, math.ceil(timeout_us / 1000)))
  local due = call('ZRANGE', P .. 'delayed', 0, 0, 'WITHSCORES')[2]
  return due and math.max(1, due - NOW) or -1
end

-- Of {id, fence, worker} each; 0 stands for a claim that is lost.
function acts.heartbeat(claims, lease_us)
  local till = {}
  for at = 1, #claims do
    local e = holder(unpack(claims[at]))
    if e then
      e[DUE] = NOW + lease_us
      touch(e)
    end
    till[at] = e and e[DUE] or 0
  end
  return till
end

function acts.ack(claims)
  local told, done, parcels = {}, {}, {}
  for at = 1, #claims do
    local e = holder(unpack(claims[at]))
    if e then
      if e[PARCEL] then parcels[#parcels + 1] = P .. 'parcel:' .. e[ID] end
      done[#done + 1] = NOW
      done[#done + 1] = e[ID]
      e[STAGE] = GONE
      touch(e)
      tell('completed', e)
    end
    told[at] = e and 1 or 0
  end
  if #parcels > 0 then call('UNLINK', unpack(parcels)) end
  if #done > 0 then call('ZADD', P .. 'done', unpack(done)) end
  return told
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

-- The server's clock was set: what would be over for that alone, or not for long, has what was left of it by the clock before.
-- Several engines find the same step; the first one does it.
local function follow(before)
  if not call('SET', P .. 'followed', 1, 'NX', 'EX', 10) then return end
  local names, from, to = { 'lease:0', 'lease:1', 'lease:2', 'lease:3' }, '(' .. string.format('%.17g', before), NOW
  if NOW < before then
    names[5], to = 'delayed', '+inf'
  elseif NOW - before < 5 * STEP then
    to = 2 * NOW - before -- cut short, too; what was renewed since may be among these, and lasts so much longer
  end
  for at = 1, #names do
    local ids = call('ZRANGEBYSCORE', P .. names[at], from, to)
    for one = 1, #ids do
      local e = recall(ids[one])
      if e and (e[STAGE] == CLAIMED or e[STAGE] == DELAYED) then
        e[DUE] = NOW + e[DUE] - before
        touch(e)
      end
    end
    flush()
  end
end

-- The client says what time it must be by its own clock since its last sweep; false at its first.
function acts.rescue(expected)
  local jobs = {}
  if expected and math.abs(NOW - expected) > STEP then follow(expected) end
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
