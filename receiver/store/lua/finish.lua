-- Marks an event as delivered whose sender waits for the answer. The target has
-- it: that stays true when the caller's own mark has ended, and when a copy of
-- the event is with the target meanwhile. So there is nothing to be fenced.
--
-- KEYS  event, marks
-- ARGV  1 value of the mark  2 window (s)  3 mark
-- Returns 1.
--
-- An event that is stored for delivery stays so. DEL comes first because a full
-- Redis refuses a script that starts with HSET.

if redis.call('GETRANGE', KEYS[1], 0, 0) ~= 'P' then
  redis.call('DEL', KEYS[1])
  remember(KEYS[2], ARGV[3], ARGV[1], ARGV[2])
end
return 1
