-- Comes before the text of each script.

-- counted and count read and write an endpoint's row of usage: its deliveries that
-- are pending, those of them that are held, those that are dead, and the bytes of
-- its events. An endpoint that has none has no row.
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
