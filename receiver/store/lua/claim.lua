-- Leases deliveries of one partition that are due.
--
-- KEYS  due, attempts, delayed
-- ARGV  1 now (us)  2 fence: end of the new lease (us)  3 most deliveries
--       4 most bytes  5 prefix of the event keys
-- Returns { earliest score left or '', bytes, member, member, ... }
--
-- The event keys are built from the prefix; they share the hash tag of KEYS.
-- The first delivery is leased even if it is larger than the limit, so that a
-- large one can't block its partition for ever. ZREM comes before ZADD because
-- a full Redis refuses a script whose first write could take memory, and
-- deliveries are what makes room.

local found = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])
local answer = { '', 0 }
local bytes = 0

for _, member in ipairs(found) do
  local event = ARGV[5] .. string.match(member, '^[^/]*')
  if redis.call('GETRANGE', event, 0, 0) ~= 'P' then
    -- Nothing is left to deliver: somebody deleted the event by hand.
    redis.call('ZREM', KEYS[1], member)
    redis.call('HDEL', KEYS[2], member)
    redis.call('ZREM', KEYS[3], member)
  else
    local size = redis.call('STRLEN', event)
    if #answer > 2 and bytes + size > tonumber(ARGV[4]) then
      break
    end
    bytes = bytes + size
    redis.call('ZREM', KEYS[1], member)
    redis.call('ZADD', KEYS[1], ARGV[2], member)
    answer[#answer + 1] = member
  end
end

answer[1] = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2] or ''
answer[2] = bytes
return answer
