-- Moves a leased delivery to the backlog of its target, out of the way of all
-- other claims. It spends nothing.
--
-- KEYS  due, parked, backlog of the target, backlogs, usage
-- ARGV  1 member  2 fence  3 when its age began (ms)  4 name of the backlog
--       5 now (us)  6 endpoint
-- Returns 1, or 0 when the caller's lease is lost. A delivery that is parked
-- already was parked by an earlier run whose reply was lost, or by whoever
-- claimed it since: it is where the caller wants it.

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
