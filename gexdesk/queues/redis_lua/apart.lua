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
