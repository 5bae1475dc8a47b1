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
  listening = true
  call('SET', P .. 'listening', 1, 'EX', seconds)
  return 1
end
