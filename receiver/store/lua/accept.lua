-- Stores an event and the index entries of its deliveries, or says what is
-- stored already.
--
-- KEYS  event, due, attempts, delayed, dead, held, usage, dead of the endpoint, marks
-- ARGV  1 record  2 fence: end of the caller's lease (us)  3 now (us)
--       4 attempts of a revived delivery (JSON)  5 1: the caller waits for
--       replicas, else 0  6 endpoint  7 most room of the endpoint here, see
--       room in prelude.lua, or 0: any
--       8 mark  9... member of each delivery
-- Returns
--   'accepted'   stored now; the caller owns every delivery by its fence
--   'duplicate'  stored before: pending or delivered
--   'revived'    stored before; its dead deliveries are due again
--   'perhaps'    a duplicate, and the endpoint has dead letters. This event may have some
--                under other names than these
--   'busy'       a copy is with the target, see begin.lua
--   'foreign'    the event's value is nothing that this version knows: neither stored nor
--                a duplicate
--   'full'       not stored: with it, the endpoint would take more room here

local state = redis.call('GETRANGE', KEYS[1], 0, 0)
local mark = state == '' and remembered(KEYS[9], ARGV[8])

-- Replicas confirm what a connection wrote. What is stored already was written
-- by another one, and may never have been confirmed: so its first byte is
-- written again, and so is a mark. ZREM of nothing comes first, see move.lua.
local function stored(outcome)
  if ARGV[5] == '1' then
    redis.call('ZREM', KEYS[5], '')
    if mark then
      redis.call('HSET', KEYS[9], string.sub(ARGV[8], 1, 12), mark)
    else
      redis.call('SETRANGE', KEYS[1], 0, state)
    end
  end
  return outcome
end

if mark then
  return stored('duplicate')
end

if state == '' then
  local p, h, d, b = counted(KEYS[7], ARGV[6])
  local most, size = tonumber(ARGV[7]), #ARGV[1]
  if most > 0 and room(p + #ARGV - 8, d, b + size) > most then
    return 'full'
  end
  -- Redis checks its memory limit before the first write of a script only, so
  -- either all writes happen or none does.
  for i = 9, #ARGV do
    redis.call('ZADD', KEYS[2], ARGV[2], ARGV[i])
  end
  redis.call('SET', KEYS[1], ARGV[1])
  count(KEYS[7], ARGV[6], p + #ARGV - 8, h, d, b + size)
  return 'accepted'
end

if state == 'S' then
  return 'busy'
end

if state == 'D' then
  return stored('duplicate')
end

if state ~= 'P' then
  return 'foreign'
end

local revived = 0
for i = 9, #ARGV do
  if tonumber(redis.call('ZSCORE', KEYS[2], ARGV[i])) == tonumber(ARGV[2]) then
    -- No two leases have one end, so this call has run before and its reply
    -- was lost.
    return stored('accepted')
  end
  if redis.call('ZREM', KEYS[5], ARGV[i]) == 1 then
    redis.call('ZREM', KEYS[8], ARGV[i])
    redis.call('ZADD', KEYS[2], ARGV[3], ARGV[i])
    redis.call('HSET', KEYS[3], ARGV[i], ARGV[4])
    revived = revived + 1
  end
end
if revived == 0 then
  return stored(redis.call('ZCARD', KEYS[8]) > 0 and 'perhaps' or 'duplicate')
end
local p, h, d, b = counted(KEYS[7], ARGV[6])
count(KEYS[7], ARGV[6], p + revived, h, d - revived, b)
return stored('revived')
