-- An engine ends as asked: it is missed by nobody, and what it owns is free at once.
-- KEYS as for a beat; ARGV: id, channel
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
local owners = redis.call('HGETALL', KEYS[3])
for at = 1, #owners, 2 do
  if owners[at + 1] == ARGV[1] then
    redis.call('HDEL', KEYS[3], owners[at])
    redis.call('ZADD', KEYS[4], now, owners[at])
  end
end
redis.call('PUBLISH', ARGV[2], 'left')
return 1
