package main

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"time"

	"onair/hub/wire"
)

// socketStage is how far a viewer's socket has come.
type socketStage uint8

const (
	stageClosed          socketStage = iota // has none
	stageDialing                            // TCP
	stageHandshaking                        // HTTP
	stageAwaitingWelcome                    // waits for its welcome
	stageOpen                               // has subscribed, or is about to
)

// viewer is one simulated viewer. All of it is owned by the crowd's goroutine.
type viewer struct {
	// Static after construction.
	index       int32
	view        *view
	isSlow      bool // reads slowly
	isRoaming   bool // goes away now and then
	isWatcher   bool // watches a stream
	isReference bool // is one that others are compared with

	node       int // which its newest socket leads to
	step       int // from there to the next
	fd         int
	generation int32 // which of its sockets this is
	stage      socketStage
	nonce      uint64
	unparsed   []byte // of a frame that is not whole yet
	fragments  []byte // of a message that is not whole yet
	isDeflated bool   // and that is deflated
	unsent     []byte // could not be sent yet

	list          *list // what it shows
	isSubscribing bool  // waits for the answer to a subscribe
	hasPosition   bool  // and has brought a position
	hasList       bool  // has had a list on this socket
	isDrained     bool  // has been told to go elsewhere
	watchedList   *list // of the one stream that it watches, or nil
	watchedCode   string
	subscribedAt  time.Duration // when its newest list began
	listChangedAt time.Duration // when it last changed
	receivedAt    time.Duration
	attempts      int

	shownLists map[string]*list // of a reference: all that it showed, by view and position
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
	subscribeID = wire.IntID(idSubscribe)
	watchID     = wire.IntID(idWatch)
	unwatchID   = wire.IntID(idUnwatch)
	likeID      = wire.IntID(idLike)
)

// Reconnecting clients use full jitter.
const (
	backoffBase = time.Second
	backoffCap  = 30 * time.Second
)

func backoffDelay(r *rand.Rand, tries int) time.Duration {
	most := min(backoffCap, backoffBase<<min(tries, 10))
	return time.Duration(r.Int64N(int64(most) + 1))
}

// connect begins a new socket: at the next node, whyever the one before ended.
func (c *viewerLoop) connect(v *viewer) {
	if v.stage != stageClosed {
		return
	}
	buffer := 0
	if v.isSlow {
		buffer = slowReceiveBuffer
	}
	if !v.isReference {
		v.node = c.options.nextNode(v.node, v.step)
	}
	v.isDrained = false
	to := c.options.nodes[v.node].address
	fd, err := Dial(to, sourceAddress(to.Addr(), int(v.index)), buffer)
	if err != nil {
		c.handleDialError(v, err)
		return
	}
	v.generation++
	v.fd, v.stage, v.receivedAt = fd, stageDialing, c.now
	v.unparsed, v.fragments, v.unsent, v.isSubscribing, v.hasList = nil, nil, nil, false, false
	if err := c.poller.Add(fd, v.index, v.generation, InterestOutput); err != nil {
		c.handleSocketEnd(v, "epoll: "+err.Error())
	}
}

// closeViewer closes a viewer's socket.
func (c *viewerLoop) closeViewer(v *viewer) {
	if v.stage == stageClosed {
		return
	}
	Close(v.fd)
	v.stage, v.fd = stageClosed, -1
	v.unparsed, v.fragments, v.unsent = nil, nil, nil
}

// disconnect is closeViewer with a word of farewell.
func (c *viewerLoop) disconnect(v *viewer) {
	c.sendClose(v)
	c.closeViewer(v)
}

func (c *viewerLoop) sendClose(v *viewer) {
	if v.stage == stageOpen && len(v.unsent) == 0 {
		c.sendFrame(v, opClose, binary.BigEndian.AppendUint16(nil, wire.CloseNormal))
	}
}

// handleWritable goes on with what could not be written before.
func (c *viewerLoop) handleWritable(v *viewer) {
	if v.stage == stageDialing {
		if err := DialResult(v.fd); err != nil {
			c.handleDialError(v, err)
			return
		}
		v.stage, v.nonce = stageHandshaking, c.rand.Uint64()
		v.unsent = c.handshakes[v.node].appendRequest(nil, v.nonce)
	}
	n, err := Send(v.fd, v.unsent)
	if err != nil && !errors.Is(err, ErrWouldBlock) {
		c.handleSocketEnd(v, "write: "+err.Error())
		return
	}
	if v.unsent = v.unsent[n:]; len(v.unsent) == 0 {
		v.unsent = nil
		c.setInterest(v, InterestInput)
	}
}

func (c *viewerLoop) setInterest(v *viewer, in Interest) {
	if err := c.poller.SetInterest(v.fd, v.index, v.generation, in); err != nil {
		c.handleSocketEnd(v, "epoll: "+err.Error())
	}
}

// sendMessage sends a request.
func (c *viewerLoop) sendMessage(v *viewer, m wire.Message) {
	c.messageBuffer = wire.Append(c.messageBuffer[:0], m)
	c.sendFrame(v, opText, c.messageBuffer)
}

func (c *viewerLoop) sendFrame(v *viewer, op byte, payload []byte) {
	if len(v.unsent) > 0 {
		v.unsent = appendFrame(v.unsent, op, payload, c.rand.Uint32())
		return
	}
	c.frameBuffer = appendFrame(c.frameBuffer[:0], op, payload, c.rand.Uint32())
	n, err := Send(v.fd, c.frameBuffer)
	if err != nil && !errors.Is(err, ErrWouldBlock) {
		return // reading tells
	}
	if n < len(c.frameBuffer) {
		v.unsent = append(v.unsent, c.frameBuffer[n:]...)
		c.setInterest(v, InterestInput|InterestOutput)
	}
}

// sendSubscribe asks for the view, from where the viewer is.
func (c *viewerLoop) sendSubscribe(v *viewer) {
	if v.stage != stageOpen {
		return
	}
	m := v.view.query
	m.ID, m.Pos = subscribeID, v.list.pos
	if m.Pos != "" {
		m.View = v.view.id
	}
	v.isSubscribing, v.hasPosition = true, m.Pos != ""
	c.sendMessage(v, &m)
}

// sendWatch has the viewer watch a stream of its list, unless it does.
func (c *viewerLoop) sendWatch(v *viewer) {
	if v.stage != stageOpen || v.isSubscribing || v.watchedList != nil {
		return
	}
	if v.watchedCode == "" && !c.isSettling {
		for code := range v.list.entries { // any: where a map begins is random
			v.watchedCode = code
			break
		}
	}
	if v.watchedCode != "" {
		c.sendMessage(v, &wire.Watch{ID: watchID, Code: v.watchedCode})
	} else {
		c.schedule(time.Second, v, (*viewerLoop).sendWatch)
	}
}

// forgetWatchedCode has a viewer watch another stream from now on; a reference goes on to
// look for the one that it is there for.
func (c *viewerLoop) forgetWatchedCode(v *viewer) {
	if !v.isReference {
		v.watchedCode = ""
	}
}

// sendUnwatch ends a watch whose stream has ended.
func (c *viewerLoop) sendUnwatch(v *viewer) {
	if v.stage == stageOpen && v.watchedList != nil && len(v.watchedList.entries) == 0 {
		c.sendMessage(v, &wire.Unwatch{ID: unwatchID, Code: v.watchedList.view.watchedCode})
	}
}

// goAway has a viewer that roams go away, and come back with its position.
func (c *viewerLoop) goAway(v *viewer) {
	if c.isSettling || v.stage == stageClosed {
		return
	}
	c.disconnect(v)
	c.counters.absences++
	c.schedule(c.randomAround(c.options.AwayTime), v, (*viewerLoop).connect)
}
