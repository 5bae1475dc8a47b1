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
