package redismodel

import (
	"context"
	"errors"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// The time-outs of a Link's client: those of redislog.Dial.
const (
	dialWithin  = time.Second
	replyWithin = time.Second
)

// Weather is how the network of one link is.
type Weather struct {
	Delay     time.Duration // of a request, and of a reply, at the most
	Lost      float64       // the share of writes whose reply does not come
	Late      float64       // the share of writes that come when their client has given up, or come again
	LostReads float64       // the share of reads whose reply does not come
	Tail      time.Duration // how much longer replies to XREAD take, at the most
	Deaf      bool          // no reply to an XREAD comes
}

// Link is the way of one node to the server. Its methods may be called
// concurrently.
type Link struct {
	// Static after Dial.
	redis  *Redis
	client *redis.Client

	mu        sync.Mutex            // guards all below
	lots      map[string]*rand.Rand // by command: goroutines that ask at one instant do not draw from one
	seed      uint64
	weather   Weather
	cut       bool // no packet gets through
	connected bool // it has connections that it takes for good
	dead      bool
	life      *life
}

// Dial gives a link; what it draws by lot it draws by the seed.
func (r *Redis) Dial(seed uint64, w Weather) *Link {
	l := &Link{redis: r, lots: map[string]*rand.Rand{}, seed: seed, weather: w, life: newLife()}
	l.client = redis.NewClient(&redis.Options{
		MaxRetries: -1, DialTimeout: dialWithin, ReadTimeout: replyWithin, WriteTimeout: replyWithin,
		ContextTimeoutEnabled: true, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	l.client.AddHook(hook{l})
	return l
}

// Client is what a node works with.
func (l *Link) Client() redis.UniversalClient { return l.client }

// Set changes the weather.
func (l *Link) Set(w Weather) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.weather = w
}

// Cut has no packet get through either way, or lets them through again. What is
// under way is lost.
func (l *Link) Cut(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = cut
	if cut {
		l.life.end()
		l.life = newLife()
	}
}

// Kill is the end of the node's process: what it has sent may yet come.
func (l *Link) Kill() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.dead {
		l.dead = true
		l.life.end()
	}
}

// lot is what requests of a command are drawn from. The caller holds mu.
func (l *Link) lot(command string) *rand.Rand {
	r := l.lots[command]
	if r == nil {
		h := fnv.New64a()
		h.Write([]byte(command))
		r = rand.New(rand.NewPCG(l.seed, h.Sum64()))
		l.lots[command] = r
	}
	return r
}

// Errors of the network.
var (
	errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	errNoRoute = &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}
	errTimeout = &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}
	errReset   = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
)

// hook has a link answer a client.
type hook struct{ *Link }

// DialHook implements redis.Hook. Nothing is dialled.
func (h hook) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (h hook) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		answers, err := h.ask(ctx, [][]any{cmd.Args()})
		if err == nil {
			err = answers[0].err
		}
		if err != nil {
			cmd.SetErr(err)
			return err
		}
		return set(cmd, answers[0].value)
	}
}

// ProcessPipelineHook implements redis.Hook.
func (h hook) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		all := make([][]any, len(cmds))
		for i, cmd := range cmds {
			all[i] = cmd.Args()
		}
		answers, err := h.ask(ctx, all)
		var first error
		for i, cmd := range cmds {
			failed := err
			if failed == nil {
				failed = answers[i].err
			}
			if failed == nil {
				failed = set(cmd, answers[i].value)
			} else {
				cmd.SetErr(failed)
			}
			if first == nil {
				first = failed
			}
		}
		return first
	}
}

// set gives a command its answer.
func set(cmd redis.Cmder, v any) error {
	switch cmd := cmd.(type) {
	case *redis.Cmd:
		cmd.SetVal(v)
	case *redis.StringCmd:
		cmd.SetVal(v.(string))
	case *redis.IntCmd:
		cmd.SetVal(v.(int64))
	case *redis.BoolCmd:
		cmd.SetVal(v.(bool))
	case *redis.SliceCmd:
		cmd.SetVal(v.([]any))
	case *redis.StringSliceCmd:
		cmd.SetVal(v.([]string))
	case *redis.XMessageSliceCmd:
		cmd.SetVal(v.([]redis.XMessage))
	case *redis.XStreamSliceCmd:
		messages := v.([]redis.XMessage)
		if len(messages) == 0 {
			cmd.SetErr(redis.Nil)
			return redis.Nil
		}
		cmd.SetVal([]redis.XStream{{Messages: messages}})
	default:
		return errors.New("redismodel: unknown kind of command")
	}
	return nil
}
