-- One beat of an engine: it says that it lives, renews what it owns, takes what is free, and learns of the others.
-- KEYS: engines (id -> body), seen (id -> ms), owners (unit -> id), until (unit -> ms), version, birth
-- ARGV: id, body, lease ms, forget after ms, count of wanted units, wanted..., units given up...
-- Times are the server's own, so that no host's clock decides who owns what.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local id, lease, forget, count = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])

redis.call('HSET', KEYS[1], id, ARGV[2])
redis.call('ZADD', KEYS[2], now, id)
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now - forget)) do
  redis.call('HDEL', KEYS[1], gone)
  redis.call('ZREM', KEYS[2], gone)
end
for at = 6 + count, #ARGV do
  if redis.call('HGET', KEYS[3], ARGV[at]) == id then
    redis.call('HDEL', KEYS[3], ARGV[at])
    redis.call('ZADD', KEYS[4], now, ARGV[at])
  end
end

local alive = redis.call('ZCOUNT', KEYS[2], now - lease, '+inf')
local most = math.ceil(count / alive)
local own, free = {}, {}
for at = 6, 5 + count do
  local unit = ARGV[at]
  local owner, till = redis.call('HGET', KEYS[3], unit), tonumber(redis.call('ZSCORE', KEYS[4], unit) or 0)
  if owner == id and till > now then
    redis.call('ZADD', KEYS[4], now + lease, unit)
    own[#own + 1] = unit
  elseif not owner or till <= now then
    if till == 0 then
      till = now
      redis.call('ZADD', KEYS[4], now, unit)
    end
    free[#free + 1] = { unit, till, owner or '' }
  end
end
local took = {}
for _, one in ipairs(free) do
  -- What nobody took for a whole lease is taken by whoever can: the others may not be able to run it.
  if #own < most or now - one[2] > lease then
    redis.call('HSET', KEYS[3], one[1], id)
    redis.call('ZADD', KEYS[4], now + lease, one[1])
    own[#own + 1] = one[1]
    took[#took + 1] = one[1]
    took[#took + 1] = one[3]
  end
end
local heard = {}
local seen = redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')
for at = 1, #seen, 2 do
  heard[#heard + 1] = { seen[at], seen[at + 1], redis.call('HGET', KEYS[1], seen[at]) or '' }
end
local version, birth = tonumber(redis.call('GET', KEYS[5]) or 0), redis.call('GET', KEYS[6]) or ''
return { now, own, took, redis.call('HGETALL', KEYS[3]), heard, version, most, birth }
