package presence

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Batch is what a node appends at once: beats, changed counts and commands.
type Batch struct {
	Node        string
	Incarnation uint64 // one life of the node; higher after each start or rejoin
	// Process is the first incarnation of the node's process. Viewers and likes
	// that it reports are totals of the process over its incarnations.
	Process  uint64
	Seq      uint64 // number of the batch in the incarnation, from 1
	MaxRules uint64 // highest version of Apply's rules that the node has
	Beats    []Beat
	Viewers  []Count
	Likes    []Count
	Digest   *Digest // once a minute, else nil
	Commands []Command
}

// Beat is one heartbeat. Age is the time from its arrival until the batch was
// made, in milliseconds.
type Beat struct {
	Lease
	Age uint32
}

// Count is a number that a node reports of a stream: its viewers on the node
// now, or all likes that its process received.
type Count struct {
	Lease
	N int64
}

// Digest is a node's digest of its registry at a position. Nodes compare them to
// detect that they differ.
type Digest struct {
	Position Position
	Sum      uint64
}

// SealedBatch is an encoded batch. Its bytes stay the same in every attempt to
// append it.
type SealedBatch struct {
	Node        string
	Incarnation uint64
	Seq         uint64
	Durable     bool // it has a durable command
	Bytes       []byte
}

// batchVersion is the first byte of an encoded batch.
const batchVersion = 8

// Seal encodes the batch. It sorts Beats by index.
func (b *Batch) Seal() SealedBatch {
	s := SealedBatch{Node: b.Node, Incarnation: b.Incarnation, Seq: b.Seq}
	dst := make([]byte, 0, 64+6*len(b.Beats)+8*(len(b.Viewers)+len(b.Likes))+128*len(b.Commands))
	dst = append(dst, batchVersion)
	dst = appendString(dst, b.Node)
	dst = appendUint(dst, b.Incarnation)
	dst = appendUint(dst, b.Process)
	dst = appendUint(dst, b.Seq)
	dst = appendUint(dst, b.MaxRules)
	dst = appendBeats(dst, b.Beats)
	dst = appendCounts(dst, b.Viewers)
	dst = appendCounts(dst, b.Likes)
	dst = appendBool(dst, b.Digest != nil)
	if b.Digest != nil {
		dst = appendPosition(dst, b.Digest.Position)
		dst = appendUint(dst, b.Digest.Sum)
	}
	dst = appendUint(dst, uint64(len(b.Commands)))
	for _, c := range b.Commands {
		dst = AppendCommand(dst, c)
		s.Durable = s.Durable || IsDurable(c)
	}
	s.Bytes = dst
	return s
}

func appendPosition(dst []byte, p Position) []byte {
	return appendUint(appendUint(appendUint(dst, p.ID.MS), p.ID.Seq), uint64(p.Hash))
}

// appendBeats encodes the differences of indexes: about five bytes a beat.
func appendBeats(dst []byte, beats []Beat) []byte {
	slices.SortFunc(beats, func(a, b Beat) int { return cmp.Compare(a.Index, b.Index) })
	dst = appendUint(dst, uint64(len(beats)))
	var prev uint32
	for _, x := range beats {
		dst = appendUint(dst, uint64(x.Index-prev))
		dst = append(dst, byte(x.Tag), byte(x.Tag>>8))
		dst = appendUint(dst, uint64(x.Age))
		prev = x.Index
	}
	return dst
}

func appendCounts(dst []byte, counts []Count) []byte {
	dst = appendUint(dst, uint64(len(counts)))
	for _, x := range counts {
		dst = appendUint(dst, uint64(x.Index))
		dst = append(dst, byte(x.Tag), byte(x.Tag>>8))
		dst = appendUint(dst, uint64(x.N))
	}
	return dst
}

// DecodeBatch reads the bytes that Seal returns. It returns ErrMalformed for
// other bytes, and ErrNewerVersion when they need a newer build.
func DecodeBatch(b []byte) (*Batch, error) {
	r := &decoder{data: b}
	batch := &Batch{}
	if err := batch.decodeHeader(r); err != nil {
		return nil, err
	}
	var prevIndex uint32
	batch.Beats = readList(r, func() Beat {
		b := r.beat(prevIndex)
		prevIndex = b.Index
		return b
	})
	if err := batch.decodeRest(r); err != nil {
		return nil, err
	}
	return batch, nil
}

// decodeHeader reads what precedes the beats.
func (b *Batch) decodeHeader(r *decoder) error {
	if v := r.byte(); v > batchVersion {
		return fmt.Errorf("%w: batch version %d", ErrNewerVersion, v)
	} else if v < batchVersion {
		return ErrMalformed // older than the first release
	}
	b.Node, b.Incarnation, b.Process, b.Seq, b.MaxRules = r.string(), r.uint(), r.uint(), r.uint(), r.uint()
	if r.failed || b.Node == "" || b.Incarnation == 0 || b.Seq == 0 {
		return ErrMalformed
	}
	return nil
}

// decodeRest reads what follows the beats.
func (b *Batch) decodeRest(r *decoder) error {
	b.Viewers, b.Likes = readList(r, r.count), readList(r, r.count)
	if r.bool() {
		b.Digest = &Digest{Position{ID{r.uint(), r.uint()}, uint32(r.uintUpTo(math.MaxUint32))}, r.uint()}
	}
	n := r.listLength()
	if n > 0 {
		b.Commands = make([]Command, 0, n)
	}
	for range n {
		newCommand := newCommands[commandKind(r.byte())]
		if r.failed {
			return ErrMalformed
		}
		if newCommand == nil {
			return fmt.Errorf("%w: unknown command", ErrNewerVersion)
		}
		c := newCommand()
		c.decode(r)
		b.Commands = append(b.Commands, c)
	}
	return r.checkEnd()
}

func (r *decoder) lease(prevIndex uint32) Lease {
	gap := r.uintUpTo(uint64(math.MaxUint32 - prevIndex))
	t := r.readBytes(2)
	if t == nil {
		return Lease{}
	}
	return Lease{Index: prevIndex + uint32(gap), Tag: uint16(t[0]) | uint16(t[1])<<8}
}

// beat reads a beat; prevIndex is the index of the one before.
func (r *decoder) beat(prevIndex uint32) Beat {
	return Beat{r.lease(prevIndex), uint32(r.uintUpTo(math.MaxUint32))}
}

// MaxCount is the highest number that a node may report of a stream.
const MaxCount = 1 << 48

func (r *decoder) count() Count { return Count{r.lease(0), r.streamCount()} }

// streamCount reads a number that a node reports of a stream.
func (r *decoder) streamCount() int64 { return int64(r.uintUpTo(MaxCount)) }
