-- Ends a delivery. With the last one of its event the payload goes and a mark stays
-- for the rest of the window.
--
-- KEYS  event, due, attempts, delayed, dead, held, usage, dead of the
--       endpoint, marks
-- ARGV  1 member  2 fence  3 value of the mark  4 rest of the window (s), 0: none
--       5 endpoint  6 mark  7... members of the other deliveries of the event
-- Returns 1, or 0 when the caller's lease is lost.

local score = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[1]))
if not score then
  -- A delivery of an event that is stored is in due, held or dead until it is
  -- done: this one was, by an earlier run whose reply was lost.
  local state = redis.call('GETRANGE', KEYS[1], 0, 0)
  local elsewhere = redis.call('ZSCORE', KEYS[5], ARGV[1]) or redis.call('ZSCORE', KEYS[6], ARGV[1])
  if state == 'D' or state == 'P' and not elsewhere or state == '' and remembered(KEYS[9], ARGV[6]) then
    return 1
  end
end
if score ~= tonumber(ARGV[2]) then
  return 0
end
redis.call('ZREM', KEYS[2], ARGV[1])
if redis.call('HDEL', KEYS[3], ARGV[1]) == 1 then
  redis.call('ZREM', KEYS[4], ARGV[1])
end
local p, h, d, b = counted(KEYS[7], ARGV[5])
for i = 7, #ARGV do
  if redis.call('ZSCORE', KEYS[2], ARGV[i]) or redis.call('ZSCORE', KEYS[5], ARGV[i])
    or redis.call('ZSCORE', KEYS[6], ARGV[i]) then
    count(KEYS[7], ARGV[5], p - 1, h, d, b)
    return 1
  end
end
count(KEYS[7], ARGV[5], p - 1, h, d, b - redis.call('STRLEN', KEYS[1]))
redis.call('DEL', KEYS[1])
if ARGV[4] ~= '0' then
  remember(KEYS[9], ARGV[6], ARGV[3], ARGV[4])
end
return 1
