-- Makes a dead letter of a delivery. Its payload stays until it is revived or purged.
--
-- KEYS  due, attempts, delayed, dead, dead of the endpoint, usage
-- ARGV  1 member  2 fence  3 now (ms)  4 attempts (JSON)  5 endpoint
-- Returns 1, or 0 when the caller's lease is lost.

local score = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]))
if not score and tonumber(redis.call('ZSCORE', KEYS[4], ARGV[1])) == tonumber(ARGV[3]) then
  return 1 -- done by an earlier run whose reply was lost
end
if score ~= tonumber(ARGV[2]) then
  return 0
end
redis.call('ZREM', KEYS[1], ARGV[1]) -- first, see move.lua
redis.call('ZADD', KEYS[4], ARGV[3], ARGV[1])
redis.call('ZADD', KEYS[5], ARGV[3], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[4])
redis.call('ZREM', KEYS[3], ARGV[1])
local p, h, d, b = counted(KEYS[6], ARGV[5])
count(KEYS[6], ARGV[5], p - 1, h, d + 1, b)
return 1
