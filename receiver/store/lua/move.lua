-- Sets when a delivery is claimable: renew and release.
--
-- KEYS  due
-- ARGV  1 member  2 fence  3 new score (us)
-- Returns 1, or 0 when the caller's lease is lost.
--
-- Scores are compared as numbers: Redis may print one as 1.7e+15. ZREM comes
-- first because a full Redis refuses a script that starts with ZADD.

local score = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]))
if score == tonumber(ARGV[3]) then
  return 1 -- done by an earlier run whose reply was lost
end
if score ~= tonumber(ARGV[2]) then
  return 0
end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
return 1
