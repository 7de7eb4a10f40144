-- Notes a failed attempt and when the next one is due.
--
-- KEYS  due, attempts, delayed
-- ARGV  1 member  2 fence  3 time of the next attempt (us)
--       4 attempts (JSON)  5 when the event was received (ms)
-- Returns 1, or 0 when the caller's lease is lost. A score that is the new one
-- already was set by an earlier run whose reply was lost.

local score = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]))
if score ~= tonumber(ARGV[2]) and score ~= tonumber(ARGV[3]) then
  return 0
end
redis.call('ZREM', KEYS[1], ARGV[1]) -- first, see move.lua
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[4])
redis.call('ZADD', KEYS[3], ARGV[5], ARGV[1])
return 1
