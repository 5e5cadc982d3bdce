-- onair next incarnation
-- Returns an incarnation number higher than ARGV[1] and all that were returned before. KEYS: head.
local clock = redis.call('TIME')
local incarnation = math.max(clock[1] * 1000000 + clock[2],
  (tonumber(redis.call('HGET', KEYS[1], 'boot')) or 0) + 1, tonumber(ARGV[1]) + 1)
local text = string.format('%.0f', incarnation)
redis.call('HSET', KEYS[1], 'boot', text)
return text
