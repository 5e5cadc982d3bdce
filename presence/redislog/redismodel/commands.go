package redismodel

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// reply is the result of a command.
type reply struct {
	value any
	err   error
}

// replyError is an error that Redis replies with.
type replyError string

// Error implements error.
func (e replyError) Error() string { return string(e) }

// RedisError implements redis.Error.
func (e replyError) RedisError() {}

const errOutOfMemory = replyError("OOM command not allowed when used memory > 'maxmemory'.")

// isWrite has the commands that need memory.
var isWrite = map[string]bool{"hset": true, "set": true, "eval": true, "evalsha": true}

// runCommand runs one command. The caller holds mu, here and below.
func (r *Redis) runCommand(args []any) reply {
	name := strings.ToLower(argText(args[0]))
	if isWrite[name] {
		if r.state.outOfMemory {
			return reply{err: errOutOfMemory}
		}
		defer r.wakeReaders()
	}
	value, err := r.executeKnownCommand(name, args[1:])
	return reply{value, err}
}

func (r *Redis) executeKnownCommand(lowerName string, args []any) (value any, err error) {
	key := ""
	if len(args) > 0 {
		key = argText(args[0])
	}
	switch lowerName {
	case "eval", "evalsha":
		return r.evalScript(lowerName == "eval", args)
	case "info":
		return fmt.Sprintf("redis_version:7.2.4\r\nmaster_replid:%s\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n", r.replID), nil
	case "lrange": // of the whole list
		return r.keys.list(key), nil
	case "hmget":
		return r.hmget(key, argTexts(args[1:])), nil
	case "hset":
		r.keys.setFields(key, argTexts(args[1:])...)
		return int64(1), nil
	case "set":
		return r.setNX(key, args[1:]), nil
	case "get":
		v := r.keys.get(key)
		if v == nil {
			return nil, redis.Nil
		}
		return v.text, nil
	case "expire":
		return r.keys.setExpiry(key, time.Now().Add(time.Duration(parseInt(argText(args[1])))*time.Second)), nil
	case "del":
		deleted := r.keys.countKey(key)
		r.keys.set(key, nil)
		return deleted, nil
	case "exists":
		return r.keys.countKey(key), nil
	case "xrange":
		return r.xrange(key, argTexts(args[1:])), nil
	}
	panic("redismodel: unknown command " + lowerName)
}

func (r *Redis) hmget(key string, names []string) []any {
	values := make([]any, len(names))
	for i, name := range names {
		if text, ok := r.keys.field(key, name); ok {
			values[i] = text
		}
	}
	return values
}

// setNX runs SET key value EX seconds NX.
func (r *Redis) setNX(key string, args []any) (set bool) {
	if len(args) != 4 || argText(args[1]) != "ex" || argText(args[3]) != "nx" {
		panic("redismodel: SET needs EX and NX")
	}
	if r.keys.get(key) != nil {
		return false
	}
	expiry := time.Now().Add(time.Duration(parseInt(argText(args[2]))) * time.Second)
	r.keys.set(key, &value{text: argText(args[0]), expiry: expiry})
	return true
}

// xrange runs XRANGE key id id, or XRANGE key - + COUNT n.
func (r *Redis) xrange(key string, args []string) []redis.XMessage {
	stream := r.keys.stream(key)
	if args[0] != "-" {
		return clientMessages(stream.entriesWithID(parseEntryID(args[0])))
	}
	return clientMessages(stream.entries[:min(len(stream.entries), int(parseInt(args[3])))])
}

// clientMessages converts entries to the client's type.
func clientMessages(entries []entry) (out []redis.XMessage) {
	for _, e := range entries {
		m := redis.XMessage{ID: e.id.String(), Values: map[string]any{}}
		for i := 0; i < len(e.fields); i += 2 {
			m.Values[e.fields[i]] = e.fields[i+1]
		}
		out = append(out, m)
	}
	return out
}

// argText returns an argument as the client sends it.
func argText(arg any) string {
	switch arg := arg.(type) {
	case string:
		return arg
	case []byte:
		return string(arg)
	}
	return fmt.Sprint(arg)
}

func argTexts(args []any) []string {
	out := make([]string, len(args))
	for i, arg := range args {
		out[i] = argText(arg)
	}
	return out
}

func parseInt(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		panic("redismodel: invalid number: " + text)
	}
	return n
}
