-- onair find
-- Finds a page of recordings, the last to start first.
-- KEYS: hash, an index by start. ARGV: the most and the least start, the start and
-- the id after which it goes on, how many, and the anchor and code to have or ''.
-- Returns the id and start of the last that was looked at, or '' and 0 where there
-- are no more, and then the recordings.
local most, least, start, after, want, anchor, code = unpack(ARGV)
want = tonumber(want)
local found, at, step, looked = {}, 0, want + 1, 0
while true do
	local some = redis.call('ZREVRANGEBYSCORE', KEYS[2], most, least, 'WITHSCORES', 'LIMIT', at, step)
	for i = 1, #some, 2 do
		local id, from = some[i], some[i + 1]
		if not (from == start and id >= after) then
			if #found == want then
				return {found.last, found.from, unpack(found)}
			end
			local rec, fits = redis.call('HGET', KEYS[1], id), true
			if anchor ~= '' and code ~= '' then
				local r = cjson.decode(rec)
				fits = r.Anchor == anchor and r.Code == code
			end
			if fits then found[#found + 1] = rec end
			found.last, found.from = id, from
		end
	end
	at, looked = at + step, looked + step
	if #some < 2 * step then
		return {'', '0', unpack(found)}
	end
	if looked > 20000 then -- a page with fewer, for nobody waits longer
		return {found.last or after, found.from or start, unpack(found)}
	end
end
