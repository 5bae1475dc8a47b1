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
