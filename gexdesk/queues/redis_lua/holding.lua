-- ---- pauses, the kill switch, and forgetting ----

local function surface(source, on)
  for rank = 0, 3 do
    local head = lane_head(rank, source)
    if head then call(on and 'ZADD' or 'ZREM', P .. 'heads:' .. rank, unpack(on and { 0, head } or { head })) end
    if head and on then wakes(rank) end
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

function acts.stop_all(on)
  stopped = on
  if on then call('SET', P .. 'stopped', 1) else call('DEL', P .. 'stopped') end
  if not on then wakes(0) end
  events[#events + 1] = { on and 'paused' or 'resumed', '', '', false }
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
