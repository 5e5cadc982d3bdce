-- onair recordings
-- Gives recordings, those first whose members are the greatest. KEYS: recordings, an index, and
-- another one that must have them too, if any. ARGV: the bounds of members, the upper one first; how
-- many recordings at the most; how many members to look at.
-- Gives the member to go on after, empty where there is no need to, and the recordings.
local index, other = KEYS[2], KEYS[3]
if other and redis.call('ZCARD', other) < redis.call('ZCARD', index) then
  index, other = other, index
end
local most, look = tonumber(ARGV[3]), tonumber(ARGV[4])
local members = redis.call('ZREVRANGEBYLEX', index, ARGV[1], ARGV[2], 'LIMIT', 0, look)
local ids = {}
for _, member in ipairs(members) do
  if #ids == most then
    break
  end
  if not other or redis.call('ZSCORE', other, member) then
    ids[#ids + 1] = string.sub(member, 9)
  end
end
local on = ''
if #ids < most and #members == look then
  on = members[look]
end
if #ids == 0 then
  return {on}
end
return {on, unpack(redis.call('HMGET', KEYS[1], unpack(ids)))}
