"""What the limit store decides, in one call that nothing comes between.

The store's own clock counts, so that nodes whose clocks differ agree. Hits of the future (that
clock was set back) are dropped, as in memory: a lock-out of hours would be worse than a count that
begins anew. Each place of a brake has two sorted sets: hits by their moment, and those who are
being judged now by the moment at which they are given up. Both expire by themselves, and so does
the list of a brake's places, which is there to be bounded: beyond `most` places the one that was
quiet longest goes. Whatever of ours somebody replaced by another type is taken away. Where anything
may be added, the first command is one that a store without room refuses, though it does nothing:
after another write such a store would let all else in.

KEYS: for each place its hits, those being judged, and the list of the brake's places.
ARGV: mode, an id, the lease in µs, most, and for each place its limit and window in µs.
Answers {id, "in" | "blocked" | "full", µs to wait | index of the place}; the id proves that an
answer belongs to its question.
"""

SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local mode, id, lease, most = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local places = {}
for n = 1, #KEYS / 3 do
  places[n] = {
    hits = KEYS[3 * n - 2], judged = KEYS[3 * n - 1], list = KEYS[3 * n],
    limit = tonumber(ARGV[3 + 2 * n]), window = tonumber(ARGV[4 + 2 * n])
  }
end

local function between(key, oldest, newest)
  local done = redis.pcall('ZREMRANGEBYSCORE', key, '-inf', oldest)
  if type(done) == 'table' and done.err then
    redis.call('DEL', key)
  else
    redis.call('ZREMRANGEBYSCORE', key, '(' .. string.format('%.0f', newest), '+inf')
  end
end

local function counted(place)
  between(place.hits, now - place.window, now + 1000000)
  return redis.call('ZCARD', place.hits)
end

local function blocked()
  local longest = 0
  for _, place in ipairs(places) do
    local count = counted(place)
    place.count = count
    if count >= place.limit then
      local at = count - place.limit
      local entry = redis.call('ZRANGE', place.hits, at, at, 'WITHSCORES')
      longest = math.max(longest, entry[2] + place.window - now, 1)
    end
  end
  return longest
end

local function add(place)
  redis.call('ZADD', place.hits, now, id)
  redis.call('PEXPIRE', place.hits, math.ceil(place.window / 1000))
  between(place.list, now - place.window, now + 1000000)
  redis.call('ZADD', place.list, now, place.hits)
  redis.call('PEXPIRE', place.list, math.ceil(place.window / 1000))
  while redis.call('ZCARD', place.list) > most do
    redis.call('DEL', redis.call('ZPOPMIN', place.list)[1])
  end
end

if mode == 'judge' or mode == 'hit' or mode == 'wrong' then
  redis.call('SETRANGE', 'authgate:limits:room', 0, '')
end

if mode == 'right' or mode == 'wrong' or mode == 'unsaid' then
  for n, place in ipairs(places) do
    if mode == 'wrong' then
      if counted(place) < place.limit then
        add(place)
      end
    elseif mode == 'right' and n == 1 then
      redis.call('DEL', place.hits)
      redis.pcall('ZREM', place.list, place.hits)
    end
    redis.pcall('ZREM', place.judged, id)
  end
  return {id, 'in', 0}
end

local longest = blocked()
if longest > 0 then
  return {id, 'blocked', longest}
end
if mode == 'hit' then
  for _, place in ipairs(places) do
    add(place)
  end
elseif mode == 'judge' then
  for n, place in ipairs(places) do
    between(place.judged, now, now + lease)
    if place.count + redis.call('ZCARD', place.judged) >= place.limit then
      return {id, 'full', n - 1}
    end
  end
  for _, place in ipairs(places) do
    redis.call('ZADD', place.judged, now + lease, id)
    redis.call('PEXPIRE', place.judged, math.ceil(lease / 1000))
  end
end
return {id, 'in', 0}
"""
