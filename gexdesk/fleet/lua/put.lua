-- Set what all engines share under a name, unless somebody set it since the caller looked.
-- KEYS: held (name -> value), marks (name -> version), version; ARGV: name, value, version the caller knows or '', channel
local mark = redis.call('HGET', KEYS[2], ARGV[1]) or '0'
if mark ~= ARGV[3] then return { 0, tonumber(mark), redis.call('HGET', KEYS[1], ARGV[1]) or '' } end
local version = redis.call('INCR', KEYS[3])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('HSET', KEYS[2], ARGV[1], version)
redis.call('PUBLISH', ARGV[4], version)
return { 1, version, '' }
