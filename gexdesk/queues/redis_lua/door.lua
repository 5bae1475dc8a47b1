-- ---- the door ----

-- What these did is kept by ``flush`` or is nothing: where it comes again without a kept answer it is done again.
local LOOKS = {
  state = true, peek = true, lane = true, delayed = true, position = true, statuses = true, has_parcel = true, doze = true,
  claim = true, rescue = true,
}

-- Wake sleepers, and say whom: the bell tells whether CRITICAL came, and which client knows it already.
local function ring()
  local rung = call('DEL', P .. 'idle')
  if woke == 0 then rung = rung + call('DEL', P .. 'idle:0') end
  if rung > 0 then call('PUBLISH', P .. 'bell', woke .. ' ' .. CLIENT) end
end

-- One call: {client, number of the call, expected birth or '', acts, for each act how many arguments precede its parcels or
-- false, number of the last kept call its client was answered or false}, then parcels. A call that comes again is answered, not
-- done again. Where that last call is not known here, these are data from before it: a copy, or a replica that was behind.
local function run(keys, args)
  P = keys[1]
  local ask = unpack_(args[1])
  CLIENT = ask[1]
  local said = P .. 'said:' .. CLIENT
  local kept = call('MGET', said, P .. 'birth', P .. 'stopped', P .. 'listening')
  local last, birth = kept[1], kept[2]
  stopped, listening = kept[3], kept[4]
  if last then
    local number = struct.unpack('>d', last)
    if number == ask[2] then return sub(last, 9) end
    if number > ask[2] then return redis.error_reply('STALE this call was overtaken by a later one of its client') end
  end
  if ask[3] ~= '' and birth ~= ask[3] then return redis.error_reply('BIRTH the queue this client worked on is gone') end
  if ask[6] and (not last or struct.unpack('>d', last) < ask[6]) then
    return redis.error_reply('OLDER this is the queue as it was before what its client did last')
  end
  NOW = now_us()
  held_sources, events, faults, buried, conflated, woke, wrote, PARCELS = {}, {}, {}, {}, 0, nil, false, args
  renew()
  local awake, broken = pcall(wake)
  local answers = {}
  for at = 1, #ask[4] do
    local act = ask[4][at]
    local ok, value, code, about = false, broken
    if ask[5] then parcels_from = ask[5][at] end
    wrote = wrote or not LOOKS[act[1]]
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
  if woke then ring() end
  if #events > 0 and listening then call('PUBLISH', P .. 'events', pack({ NOW, events })) end
  local answer = pack({ NOW, conflated, faults, answers, wrote })
  if wrote then call('SET', said, dpack('>d', ask[2]) .. answer, 'EX', 3600) end
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
