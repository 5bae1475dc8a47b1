-- ---- what an operator may ask for ----

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
