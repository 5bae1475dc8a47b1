-- Drop what was ended long ago, with its version, unless somebody set it since the caller looked.
-- KEYS: held (name -> value), marks (name -> version); ARGV: name, version the caller knows, ...
for at = 1, #ARGV, 2 do
  if redis.call('HGET', KEYS[2], ARGV[at]) == ARGV[at + 1] then
    redis.call('HDEL', KEYS[1], ARGV[at])
    redis.call('HDEL', KEYS[2], ARGV[at])
  end
end
