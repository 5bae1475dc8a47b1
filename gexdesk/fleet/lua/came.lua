-- Say for each of some bytes which job was the first to bring them; the one that asks, where nobody came before.
-- KEYS: one for each digest; ARGV: seconds it is known, then the job that brings each
local first = {}
for at = 1, #KEYS do
  first[at] = redis.call('SET', KEYS[at], ARGV[at + 1], 'NX', 'GET', 'EX', ARGV[1]) or ARGV[at + 1]
end
return first
