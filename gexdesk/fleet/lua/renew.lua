-- Give the board another birth mark, unless somebody did since the caller looked. Returns the mark it has now.
-- KEYS: birth; ARGV: the mark the caller saw, another one
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2]) end
return redis.call('GET', KEYS[1]) or ''
