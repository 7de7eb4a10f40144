-- Ends a delivery. With the last one of its event the payload goes and a marker
-- stays for the rest of the window.
--
-- KEYS  event, due, attempts, delayed, dead, parked
-- ARGV  1 member  2 fence  3 marker  4 rest of the window (ms), 0: none
--       5... members of the other deliveries of the event
-- Returns 1, or 0 when the caller's lease is lost.

local score = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[1]))
if not score and redis.call('GETRANGE', KEYS[1], 0, 0) == 'D' then
  return 1 -- done by an earlier run whose reply was lost
end
if score ~= tonumber(ARGV[2]) then
  return 0
end
redis.call('ZREM', KEYS[2], ARGV[1])
if redis.call('HDEL', KEYS[3], ARGV[1]) == 1 then
  redis.call('ZREM', KEYS[4], ARGV[1])
end
for i = 5, #ARGV do
  if redis.call('ZSCORE', KEYS[2], ARGV[i]) or redis.call('ZSCORE', KEYS[5], ARGV[i])
    or redis.call('ZSCORE', KEYS[6], ARGV[i]) then
    return 1
  end
end
if ARGV[4] == '0' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
end
return 1
