-- onair keep
-- Keeps recordings: a hash has them, sorted sets have their ids by start, for all
-- and for each anchor and live code, and by end.
-- KEYS: hash, by start, by end. ARGV, for each: id, recording, start, end, anchor, code.
local function index(of, who) return KEYS[2] .. ':' .. of .. ':' .. who end
for i = 1, #ARGV, 6 do
	local id, rec, from, to, anchor, code = unpack(ARGV, i, i + 5)
	local was = redis.call('HGET', KEYS[1], id)
	if was then
		was = cjson.decode(was)
		redis.call('ZREM', index('anchor', was.Anchor), id)
		redis.call('ZREM', index('code', was.Code), id)
	end
	redis.call('HSET', KEYS[1], id, rec)
	redis.call('ZADD', KEYS[2], from, id)
	redis.call('ZADD', KEYS[3], to, id)
	redis.call('ZADD', index('anchor', anchor), from, id)
	redis.call('ZADD', index('code', code), from, id)
end
return #ARGV / 6
