package networktest

import (
	"io"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// Path is how packets get from one host to another. The zero Path loses and delays none.
type Path struct {
	Loss           float64       // share of packets that are lost, from 0 to 1
	Delay          time.Duration // of each packet
	BytesPerSecond int           // 0: unlimited
}

// Cut is a path on which every packet is lost.
var Cut = Path{Loss: 1}

const (
	// queueTime is how long packets wait at most for a narrow path. It is long, as on
	// mobile networks.
	queueTime = time.Second
	// queuePackets is how many packets are on the way at most.
	queuePackets = 1000
)

// queue has the packets on the way from one host to another.
type queue struct {
	path    atomic.Pointer[Path]
	packets chan packet
	freeAt  time.Time // when a narrow path has sent its packets; only add uses it
}

type packet struct {
	arrivesAt time.Time
	data      []byte
}

func newQueue() *queue {
	q := &queue{packets: make(chan packet, queuePackets)}
	q.path.Store(&Path{})
	return q
}

// add copies a packet into the queue, and reports whether it was not lost.
func (q *queue) add(data []byte) bool {
	p := q.path.Load()
	if rand.Float64() < p.Loss {
		return false
	}
	leavesAt := time.Now()
	if p.BytesPerSecond > 0 {
		if q.freeAt.Sub(leavesAt) > queueTime {
			return false
		}
		sendTime := time.Duration(len(data)) * time.Second / time.Duration(p.BytesPerSecond)
		leavesAt = later(q.freeAt, leavesAt).Add(sendTime)
		q.freeAt = leavesAt
	}
	select {
	case q.packets <- packet{leavesAt.Add(p.Delay), append([]byte(nil), data...)}:
		return true
	default:
		return false
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// deliver writes the packets to a device at their times, until done is closed.
func (q *queue) deliver(to io.Writer, done <-chan struct{}) {
	for {
		select {
		case p := <-q.packets:
			select {
			case <-time.After(time.Until(p.arrivesAt)):
				to.Write(p.data) // an interface that is down loses it
			case <-done:
				return
			}
		case <-done:
			return
		}
	}
}
