-- Gives a delivery up. Its payload stays until it is revived or purged.
--
-- KEYS  due, attempts, delayed, dead, dead of the endpoint, usage
-- ARGV  1 member  2 fence  3 now (ms)  4 attempts (JSON)  5 endpoint
-- Returns 1, or 0 when the caller's lease is lost.

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
