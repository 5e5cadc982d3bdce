-- onair discard
-- Removes recordings that ended before a time.
-- KEYS: hash, by start, by end. ARGV: the time, how many at most.
local old = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', '(' .. ARGV[1], 'LIMIT', 0, ARGV[2])
for _, id in ipairs(old) do
	local was = cjson.decode(redis.call('HGET', KEYS[1], id))
	redis.call('ZREM', KEYS[2] .. ':anchor:' .. was.Anchor, id)
	redis.call('ZREM', KEYS[2] .. ':code:' .. was.Code, id)
	redis.call('ZREM', KEYS[2], id)
	redis.call('ZREM', KEYS[3], id)
	redis.call('HDEL', KEYS[1], id)
end
return #old
