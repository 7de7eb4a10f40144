-- Marks signed content as belonging to one event.
--
-- KEYS  content
-- ARGV  1 ref of the event  2 now (ms)  3 lifetime of the mark (ms)
--       4 the mark that may be taken over, or ''
-- Returns '' when the mark is the caller's, else the mark that is in the way.

local mark = redis.call('GET', KEYS[1])
if mark and mark ~= ARGV[4] and string.match(mark, '^[^|]*') ~= ARGV[1] then
  return mark
end
redis.call('SET', KEYS[1], ARGV[1] .. '|' .. ARGV[2], 'PX', ARGV[3])
return ''
