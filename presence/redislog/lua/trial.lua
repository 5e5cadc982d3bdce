-- onair trial
-- Runs each command of the other scripts, on keys that it deletes. Other applications' keys, and
-- the list, stay as they are. KEYS: a stream, a hash, a list, a sorted set.
-- Returns the refused commands, each with the error reply.
local refused = {}
local function try(command, run)
  local ok, reply = pcall(run)
  if not ok then
    refused[#refused + 1] = command .. ': ' .. (type(reply) == 'table' and reply.err or reply)
  end
end
try('TIME', function() return redis.call('TIME')[2] + 0 end)
try('INFO', function() -- an epoch has its name from the replication id, which every server must have for itself
  local replid = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
  if not replid or not string.find(replid, '[^0]') then
    error('it has no master_replid', 0)
  end
end)
local log, hash, list, zset = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
for _, command in ipairs({
  {'DEL', log, hash, list, zset}, -- left by a trial whose DEL was refused
  {'XADD', log, '1-1', 'n', '1'}, {'XADD', log, '*', 'n', '2'}, {'XRANGE', log, '1-1', '1-1'}, {'XTRIM', log, 'MINID', '2-0'},
  {'HSET', hash, 'n', '1', 't', '1'}, {'HGET', hash, 'n'}, {'HMGET', hash, 'n', 't'}, {'HLEN', hash}, {'HGETALL', hash}, {'HDEL', hash, 'n'},
  {'LPUSH', list, 'a'}, {'LINDEX', list, '0'}, {'LRANGE', list, '0', '-1'}, {'LTRIM', list, '0', '0'},
  {'ZADD', zset, '0', 'a'}, {'ZCARD', zset}, {'ZSCORE', zset, 'a'}, {'ZREVRANGEBYLEX', zset, '+', '-', 'LIMIT', '0', '1'}, {'ZREM', zset, 'a'},
  {'EXISTS', list}, {'TYPE', list}, {'PERSIST', list}, {'DEL', log, hash, list, zset},
}) do
  try(command[1], function() return redis.call(unpack(command)) end)
end
return refused
