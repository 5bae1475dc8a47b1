-- ---- entries ----

local function tell(kind, e) if listening then events[#events + 1] = { kind, e[ID], e[SOURCE], e[LEVEL] } end end

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
