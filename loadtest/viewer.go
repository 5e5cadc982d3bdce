package main

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"time"

	"onair/hub/wire"
)

// stage is how far a viewer's socket has come.
type stage uint8

const (
	stageAway      stage = iota // has none
	stageDialing                // TCP
	stageShaking                // HTTP
	stageGreeting               // waits for its welcome
	stageFollowing              // has subscribed, or is about to
)

// viewer is one simulated viewer. All of it is owned by the crowd's goroutine.
type viewer struct {
	// Static after construction.
	index     int32
	view      *view
	slow      bool // reads slowly
	roams     bool // goes away now and then
	looks     bool // watches a stream
	reference bool // is one that others are compared with

	node  int // which its newest socket leads to
	step  int // from there to the next
	fd    int
	life  int32 // which of its sockets this is
	stage stage
	nonce uint64
	rest  []byte // of a frame that is not whole yet
	parts []byte // of a message that is not whole yet
	flate bool   // and that is deflated
	out   []byte // could not be sent yet

	at       *list // what it shows
	asked    bool  // waits for the answer to a subscribe
	returns  bool  // and has brought a position
	followed bool  // has had a list on this socket
	drained  bool  // has been told to go elsewhere
	watch    *list // of the one stream that it watches, or nil
	wanted   string
	since    time.Duration // when its newest list began
	framed   time.Duration // when it last changed
	heard    time.Duration
	tries    int

	seen map[string]*list // of a reference: all that it showed, by view and position
}

// The ids of requests. They are the same for all viewers, so that the answers
// are the same to the byte.
const (
	idSubscribe = 1
	idWatch     = 2
	idUnwatch   = 3
	idLike      = 4
)

var (
	answersSubscribe = wire.IntID(idSubscribe)
	answersWatch     = wire.IntID(idWatch)
	answersUnwatch   = wire.IntID(idUnwatch)
	answersLike      = wire.IntID(idLike)
)

// Reconnecting clients use full jitter.
const (
	backoffBase = time.Second
	backoffCap  = 30 * time.Second
)

func backoff(r *rand.Rand, tries int) time.Duration {
	most := min(backoffCap, backoffBase<<min(tries, 10))
	return time.Duration(r.Int64N(int64(most) + 1))
}

// connect begins a new socket: at the next node, whyever the one before ended.
func (c *crowd) connect(v *viewer) {
	if v.stage != stageAway {
		return
	}
	buffer := 0
	if v.slow {
		buffer = slowBuffer
	}
	if !v.reference {
		v.node = c.o.after(v.node, v.step)
	}
	v.drained = false
	to := c.o.nodes[v.node].address
	fd, err := dial(to, sourceOf(to.Addr(), int(v.index)), buffer)
	if err != nil {
		c.refusedToConnect(v, err)
		return
	}
	v.life++
	v.fd, v.stage, v.heard = fd, stageDialing, c.now
	v.rest, v.parts, v.out, v.asked, v.followed = nil, nil, nil, false, false
	if err := c.poll.add(fd, v.index, v.life, forOutput); err != nil {
		c.lost(v, "epoll: "+err.Error())
	}
}

// hangUp closes a viewer's socket.
func (c *crowd) hangUp(v *viewer) {
	if v.stage == stageAway {
		return
	}
	closeSocket(v.fd)
	v.stage, v.fd = stageAway, -1
	v.rest, v.parts, v.out = nil, nil, nil
}

// leave is hangUp with a word of farewell.
func (c *crowd) leave(v *viewer) {
	c.farewell(v)
	c.hangUp(v)
}

func (c *crowd) farewell(v *viewer) {
	if v.stage == stageFollowing && len(v.out) == 0 {
		c.write(v, opClose, binary.BigEndian.AppendUint16(nil, wire.CloseNormal))
	}
}

// writable goes on with what could not be written before.
func (c *crowd) writable(v *viewer) {
	if v.stage == stageDialing {
		if err := connected(v.fd); err != nil {
			c.refusedToConnect(v, err)
			return
		}
		v.stage, v.nonce = stageShaking, c.rand.Uint64()
		v.out = c.hello[v.node].ask(nil, v.nonce)
	}
	n, err := send(v.fd, v.out)
	if err != nil && !errors.Is(err, errAgain) {
		c.lost(v, "write: "+err.Error())
		return
	}
	if v.out = v.out[n:]; len(v.out) == 0 {
		v.out = nil
		c.await(v, forInput)
	}
}

func (c *crowd) await(v *viewer, in interest) {
	if err := c.poll.change(v.fd, v.index, v.life, in); err != nil {
		c.lost(v, "epoll: "+err.Error())
	}
}

// say sends a request.
func (c *crowd) say(v *viewer, m wire.Message) {
	c.text = wire.Append(c.text[:0], m)
	c.write(v, opText, c.text)
}

func (c *crowd) write(v *viewer, op byte, payload []byte) {
	if len(v.out) > 0 {
		v.out = appendFrame(v.out, op, payload, c.rand.Uint32())
		return
	}
	c.frame = appendFrame(c.frame[:0], op, payload, c.rand.Uint32())
	n, err := send(v.fd, c.frame)
	if err != nil && !errors.Is(err, errAgain) {
		return // reading tells
	}
	if n < len(c.frame) {
		v.out = append(v.out, c.frame[n:]...)
		c.await(v, forInput|forOutput)
	}
}

// subscribe asks for the view, from where the viewer is.
func (c *crowd) subscribe(v *viewer) {
	if v.stage != stageFollowing {
		return
	}
	m := v.view.query
	m.ID, m.Pos = answersSubscribe, v.at.pos
	if m.Pos != "" {
		m.View = v.view.id
	}
	v.asked, v.returns = true, m.Pos != ""
	c.say(v, &m)
}

// lookOn has the viewer watch a stream of its list, unless it does.
func (c *crowd) lookOn(v *viewer) {
	if v.stage != stageFollowing || v.asked || v.watch != nil {
		return
	}
	if v.wanted == "" && !c.calm {
		for code := range v.at.entries { // any: where a map begins is random
			v.wanted = code
			break
		}
	}
	if v.wanted != "" {
		c.say(v, &wire.Watch{ID: answersWatch, Code: v.wanted})
	} else {
		c.after(time.Second, v, (*crowd).lookOn)
	}
}

// another has a viewer watch another stream from now on; a reference goes on to
// look for the one that it is there for.
func (c *crowd) another(v *viewer) {
	if !v.reference {
		v.wanted = ""
	}
}

// lookAway ends a watch whose stream has ended.
func (c *crowd) lookAway(v *viewer) {
	if v.stage == stageFollowing && v.watch != nil && len(v.watch.entries) == 0 {
		c.say(v, &wire.Unwatch{ID: answersUnwatch, Code: v.watch.view.code})
	}
}

// stroll has a viewer that roams go away, and come back with its position.
func (c *crowd) stroll(v *viewer) {
	if c.calm || v.stage == stageAway {
		return
	}
	c.leave(v)
	c.tally.strolls++
	c.after(c.about(c.o.AwayFor), v, (*crowd).connect)
}
