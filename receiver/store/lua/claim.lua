-- Leases deliveries of one partition that are due, and holds those whose target
-- takes none now, see hold.lua.
--
-- KEYS  due, attempts, delayed, held, backlogs, usage
-- ARGV  1 now (us)  2 fence: end of the new lease (us)  3 most deliveries
--       4 most bytes  5 most entries to look at  6 prefix of the partition's names
--       7... names of the backlogs of the targets that take none
-- Returns { earliest score left or '', bytes, held, { member without an event, ... },
--   member, size, member, size, ... }
--
-- Names of events and backlogs are built from the prefix; they share the hash tag of
-- KEYS. The first delivery is leased even if it is larger than the limit, so
-- that a large one can't block its partition for ever. ZREM comes before ZADD
-- because a full Redis refuses a script whose first write could take memory, and
-- deliveries are what makes room.

local most, bytes = tonumber(ARGV[3]), tonumber(ARGV[4])
local full = false
local answer = { '', 0, 0, {} }

local blocked = {}
for i = 7, #ARGV do
  blocked[ARGV[i]] = true
end

-- What is read of an event: its state, and for the name of its backlog all up to the
-- endpoint.
local last = 0
if #ARGV > 6 then
  last = headEnd
end

-- milliseconds of the halves of a number of nanoseconds, which has more digits
-- than a number of Lua.
local function milliseconds(high, low)
  high = high * 4294967296
  local rest = math.fmod(high, 1000000)
  return (high - rest) / 1000000 + math.floor((rest + low) / 1000000)
end

-- backlog is the name of the backlog that a delivery belongs to, and when its age
-- began: with the receipt, or when it was revived. nil: a newer version wrote it.
local function backlog(head, member)
  local endpoint = endpointOf(head)
  if not endpoint then
    return nil
  end
  local since = milliseconds(struct.unpack('>I4I4', string.sub(head, 43, 50)))
  local failure = redis.call('HGET', KEYS[2], member)
  local revived = failure and tonumber(string.match(failure, '"since":(%d+)')) or 0
  return endpoint .. string.match(member, '/.*$'), math.max(since, revived)
end

local function hold(member, name, since)
  local score = string.format('%.0f', since)
  redis.call('ZREM', KEYS[1], member)
  redis.call('ZADD', KEYS[4], score, member)
  redis.call('ZADD', ARGV[6] .. 'backlog:' .. name, score, member)
  redis.call('ZADD', KEYS[5], 'NX', ARGV[1], name)
  local endpoint = string.match(name, '^[^/]*/[^/]*')
  local p, h, d, b = counted(KEYS[6], endpoint)
  count(KEYS[6], endpoint, p, h + 1, d, b)
  answer[3] = answer[3] + 1
end

local function lease(member, size)
  full = full or (#answer - 4) / 2 >= most or #answer > 4 and answer[2] + size > bytes
  if full then
    return
  end
  redis.call('ZREM', KEYS[1], member)
  redis.call('ZADD', KEYS[1], ARGV[2], member)
  answer[2] = answer[2] + size
  answer[#answer + 1] = member
  answer[#answer + 1] = size
end

for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[5])) do
  local event = ARGV[6] .. 'event:' .. string.match(member, '^[^/]*')
  local head = redis.call('GETRANGE', event, 0, last)
  local name, since
  if last > 0 and string.sub(head, 1, 1) == 'P' then
    name, since = backlog(head, member)
  end
  if string.sub(head, 1, 1) ~= 'P' then
    -- Nothing is left to deliver: somebody deleted the event, or Redis lost it. Whose
    -- it was is not known: see recount.lua.
    table.insert(answer[4], member)
    redis.call('ZREM', KEYS[1], member)
    redis.call('HDEL', KEYS[2], member)
    redis.call('ZREM', KEYS[3], member)
  elseif name and blocked[name] then
    hold(member, name, since)
  else
    lease(member, redis.call('STRLEN', event))
  end
end

answer[1] = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2] or ''
return answer
