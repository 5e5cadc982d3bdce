-- onair scan recordings
-- Reads recordings in descending order of their members in an index.
-- KEYS: recordings, an index, and optionally a second index that must have the members too.
-- ARGV: the upper and the lower bound of members; the most recordings to return; the most members
-- to examine.
-- Returns the member to continue after, empty where there is no more, and then the recordings.
local index, filter = KEYS[2], KEYS[3]
if filter and redis.call('ZCARD', filter) < redis.call('ZCARD', index) then
  index, filter = filter, index
end
local maxRecordings, maxMembers = tonumber(ARGV[3]), tonumber(ARGV[4])
local members = redis.call('ZREVRANGEBYLEX', index, ARGV[1], ARGV[2], 'LIMIT', 0, maxMembers)
local ids = {}
for _, member in ipairs(members) do
  if #ids == maxRecordings then
    break
  end
  if not filter or redis.call('ZSCORE', filter, member) then
    ids[#ids + 1] = string.sub(member, 9)
  end
end
local nextMember = ''
if #ids < maxRecordings and #members == maxMembers then
  nextMember = members[maxMembers]
end
if #ids == 0 then
  return {nextMember}
end
return {nextMember, unpack(redis.call('HMGET', KEYS[1], unpack(ids)))}
