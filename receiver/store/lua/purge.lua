-- Removes a dead letter, and with the last delivery of its event the event. No
-- mark stays: a later copy of it is a new event.
--
-- KEYS  event, due, attempts, delayed, dead, held, usage, dead of the endpoint,
--       marks, note
-- ARGV  1 member  2 when it was given up (ms)  3 token of the caller
--       4 lifetime of the note (ms)  5 endpoint
--       6... members of all deliveries of the event
-- Returns 1, 2 when its event was missing, or 0 when it is not that dead letter any more, be it that somebody
-- else removed it. The note, which holds the token for a while, tells an earlier
-- run whose reply was lost from that.

local score = tonumber(redis.call('ZSCORE', KEYS[5], ARGV[1]))
if not score and redis.call('GET', KEYS[10]) == ARGV[3] then
  return 1
end
if score ~= tonumber(ARGV[2]) then
  return 0
end
redis.call('ZREM', KEYS[5], ARGV[1]) -- first, see move.lua
redis.call('ZREM', KEYS[8], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
if redis.call('GETRANGE', KEYS[1], 0, 0) ~= 'P' then
  -- Somebody deleted the event, or Redis lost it. How many bytes it had is not known:
  -- see recount.lua.
  return 2
end

local last = true
for i = 6, #ARGV do
  if redis.call('ZSCORE', KEYS[2], ARGV[i]) or redis.call('ZSCORE', KEYS[5], ARGV[i])
    or redis.call('ZSCORE', KEYS[6], ARGV[i]) then
    last = false
  end
end
local p, h, d, b = counted(KEYS[7], ARGV[5])
if last then
  b = b - redis.call('STRLEN', KEYS[1])
  redis.call('DEL', KEYS[1])
end
count(KEYS[7], ARGV[5], p, h, d - 1, b)
redis.call('SET', KEYS[10], ARGV[3], 'PX', ARGV[4])
return 1
