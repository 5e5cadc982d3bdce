package redismodel

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// answer is what a command came to.
type answer struct {
	value any
	err   error
}

// replyError is an error that Redis replies with.
type replyError string

func (e replyError) Error() string { return string(e) }

// RedisError implements redis.Error.
func (e replyError) RedisError() {}

const errFull = replyError("OOM command not allowed when used memory > 'maxmemory'.")

// writes are the commands that take memory.
var writes = map[string]bool{"hset": true, "set": true, "eval": true, "evalsha": true}

// command executes one.
func (r *Redis) command(args []any) answer {
	name := strings.ToLower(text(args[0]))
	if r.full && writes[name] {
		return answer{err: errFull}
	}
	if writes[name] {
		defer r.wake()
	}
	v, err := r.run(name, args[1:])
	return answer{v, err}
}

func (r *Redis) run(name string, args []any) (any, error) {
	key := text(args2(args, 0))
	switch name {
	case "eval", "evalsha":
		return r.eval(name == "eval", args)
	case "info":
		return fmt.Sprintf("redis_version:7.2.4\r\nmaster_replid:%s\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n", r.repl), nil
	case "lrange": // of all
		return r.store.lrange(key), nil
	case "hmget":
		return r.hmget(key, texts(args[1:])), nil
	case "hset":
		r.store.hset(key, texts(args[1:])...)
		return int64(1), nil
	case "set":
		return r.setNX(key, args[1:]), nil
	case "get":
		v := r.store.get(key)
		if v == nil {
			return nil, redis.Nil
		}
		return v.text, nil
	case "expire":
		return r.store.expire(key, time.Now().Add(time.Duration(number(args[1]))*time.Second)), nil
	case "del":
		gone := r.store.get(key) != nil
		r.store.set(key, nil)
		return int64(btoi(gone)), nil
	case "exists":
		return int64(btoi(r.store.get(key) != nil)), nil
	case "xrange":
		return r.xrange(key, args[1:]), nil
	}
	panic("redismodel: unknown command " + name)
}

func (r *Redis) hmget(key string, names []string) []any {
	out := make([]any, len(names))
	for i, name := range names {
		if text, ok := r.store.field(key, name); ok {
			out[i] = text
		}
	}
	return out
}

// setNX is SET key value EX seconds NX.
func (r *Redis) setNX(key string, args []any) bool {
	if len(args) != 4 || text(args[1]) != "ex" || text(args[3]) != "nx" {
		panic("redismodel: only SET … EX … NX is known")
	}
	if r.store.get(key) != nil {
		return false
	}
	r.store.set(key, &value{text: text(args[0]), until: time.Now().Add(time.Duration(number(args[2])) * time.Second)})
	return true
}

// xrange is XRANGE of one id, or of the first so many.
func (r *Redis) xrange(key string, args []any) []redis.XMessage {
	st := r.store.stream(key)
	if from := text(args[0]); from != "-" {
		return messages(st.after(parseID(from), true, 1), text(args[1]))
	}
	return messages(st.entries[:min(len(st.entries), int(number(args[3])))], "")
}

// xread is what a stream has after an id.
func (r *Redis) xread(key string, after id, most int) []redis.XMessage {
	return messages(r.store.stream(key).after(after, false, most), "")
}

// after are the entries after an id, or from it on.
func (s *stream) after(at id, with bool, most int) []entry {
	n := len(s.entries)
	for n > 0 && (s.entries[n-1].id.compare(at) > 0 || with && s.entries[n-1].id == at) {
		n--
	}
	return s.entries[n:min(len(s.entries), n+most)]
}

// messages are entries as a client has them, of one id alone where that is not
// empty.
func messages(entries []entry, only string) (out []redis.XMessage) {
	for _, e := range entries {
		if only != "" && e.id.String() != only {
			continue
		}
		m := redis.XMessage{ID: e.id.String(), Values: map[string]any{}}
		for i := 0; i < len(e.fields); i += 2 {
			m.Values[e.fields[i]] = e.fields[i+1]
		}
		out = append(out, m)
	}
	return out
}

// text is an argument as it goes over the wire.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return fmt.Sprint(v)
}

func texts(args []any) []string {
	out := make([]string, len(args))
	for i, v := range args {
		out[i] = text(v)
	}
	return out
}

func number(v any) int64 {
	n, err := strconv.ParseInt(text(v), 10, 64)
	if err != nil {
		panic("redismodel: no number: " + text(v))
	}
	return n
}

func args2(args []any, i int) any {
	if i < len(args) {
		return args[i]
	}
	return ""
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
