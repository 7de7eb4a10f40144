-- Moves a dead letter to the backlog of its target, where it waits as all that
-- is held does: with no attempts, and an age that begins now.
--
-- KEYS  event, dead, dead of the endpoint, attempts, held, backlog of the target,
--       backlogs, usage
-- ARGV  1 member  2 when it was given up (ms)  3 now (ms)  4 attempts (JSON)
--       5 name of the backlog  6 now (us)  7 endpoint
-- Returns 1, 2 when its event is missing, or 0 when it is not that dead letter any more. One whose attempts are
-- what this call would write was revived by an earlier run whose reply was lost.

local score = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[1]))
if not score and redis.call('HGET', KEYS[4], ARGV[1]) == ARGV[4] then
  return 1
end
if score ~= tonumber(ARGV[2]) then
  return 0
end
redis.call('ZREM', KEYS[2], ARGV[1]) -- first, see move.lua
redis.call('ZREM', KEYS[3], ARGV[1])
if redis.call('GETRANGE', KEYS[1], 0, 0) ~= 'P' then
  -- Nothing is left to deliver: somebody deleted the event, or Redis lost it. How many
  -- bytes it had is not known: see recount.lua.
  redis.call('HDEL', KEYS[4], ARGV[1])
  return 2
end
redis.call('ZADD', KEYS[5], ARGV[3], ARGV[1])
redis.call('ZADD', KEYS[6], ARGV[3], ARGV[1])
redis.call('ZADD', KEYS[7], 'NX', ARGV[6], ARGV[5])
redis.call('HSET', KEYS[4], ARGV[1], ARGV[4])
local p, h, d, b = counted(KEYS[8], ARGV[7])
count(KEYS[8], ARGV[7], p + 1, h + 1, d - 1, b)
return 1
