-- Marks an event as being with its target while the sender waits, or says what
-- is known of it.
--
-- KEYS  event, marks
-- ARGV  1 value of the event meanwhile  2 its lifetime (ms)  3 mark of a delivered event
-- Returns
--   'begun'      the event is the caller's until the mark ends
--   'busy'       a copy is with the target
--   'stored'     stored for delivery, or dead
--   'delivered'  delivered before
--   'foreign'    the event's value is nothing that this version knows
--
-- No two values are equal: one that is there already was set by an earlier run
-- whose reply was lost.

local value = redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1)
if value == '' and remembered(KEYS[2], ARGV[3]) then
  return 'delivered'
end
if value == '' or value == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return 'begun'
end
local state = string.sub(value, 1, 1)
if state == 'S' then
  return 'busy'
elseif state == 'P' then
  return 'stored'
elseif state == 'D' then
  return 'delivered'
end
return 'foreign'
