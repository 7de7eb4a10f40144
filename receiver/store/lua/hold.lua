-- Moves a leased delivery to the backlog of its target, out of the way of all
-- other claims. It spends nothing.
--
-- KEYS  due, held, backlog of the target, backlogs, usage
-- ARGV  1 member  2 fence  3 when its age began (ms)  4 name of the backlog
--       5 now (us)  6 endpoint
-- Returns 1, or 0 when the caller's lease is lost. A delivery that is held
-- already was held by an earlier run whose reply was lost, or by whoever
-- claimed it since: it is where the caller wants it.

local score = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]))
if not score and redis.call('ZSCORE', KEYS[2], ARGV[1]) then
  return 1
end
if score ~= tonumber(ARGV[2]) then
  return 0
end
redis.call('ZREM', KEYS[1], ARGV[1]) -- first, see move.lua
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])
redis.call('ZADD', KEYS[4], 'NX', ARGV[5], ARGV[4])
local p, h, d, b = counted(KEYS[5], ARGV[6])
count(KEYS[5], ARGV[6], p, h + 1, d, b)
return 1
