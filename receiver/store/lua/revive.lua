-- Moves a dead letter to the backlog of its target, where it waits as what was
-- parked does: with no attempts, and an age that begins now.
--
-- KEYS  event, dead, dead of the endpoint, attempts, parked, backlog of the target,
--       backlogs, usage
-- ARGV  1 member  2 when it was given up (ms)  3 now (ms)  4 attempts (JSON)
--       5 name of the backlog  6 now (us)  7 endpoint
-- Returns 1, or 0 when it is not that dead letter any more. One whose attempts are
-- what this call would write was revived by an earlier run whose reply was lost.

-- counted and count read and write an endpoint's row of usage: its deliveries that
-- are pending, those of them that are held, those that are dead, and the bytes of
-- its events. An endpoint that has none has no row. All scripts that count have
-- these lines.
local function counted(usage, endpoint)
  local p, h, d, b = string.match(redis.call('HGET', usage, endpoint) or '', '(%d+) (%d+) (%d+) (%d+)')
  return tonumber(p) or 0, tonumber(h) or 0, tonumber(d) or 0, tonumber(b) or 0
end
local function count(usage, endpoint, p, h, d, b)
  if p > 0 or d > 0 then
    redis.call('HSET', usage, endpoint, string.format('%d %d %d %d', math.max(p, 0), math.max(h, 0), math.max(d, 0), math.max(b, 0)))
  else
    redis.call('HDEL', usage, endpoint)
  end
end

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
  -- Nothing is left to deliver: somebody deleted the event by hand. How many bytes
  -- it had is not known: see recount.lua.
  redis.call('HDEL', KEYS[4], ARGV[1])
  return 0
end
redis.call('ZADD', KEYS[5], ARGV[3], ARGV[1])
redis.call('ZADD', KEYS[6], ARGV[3], ARGV[1])
redis.call('ZADD', KEYS[7], 'NX', ARGV[6], ARGV[5])
redis.call('HSET', KEYS[4], ARGV[1], ARGV[4])
local p, h, d, b = counted(KEYS[8], ARGV[7])
count(KEYS[8], ARGV[7], p + 1, h + 1, d - 1, b)
return 1
