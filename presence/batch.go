package presence

import (
	"cmp"
	"fmt"
	"slices"
)

// Batch is what one node has to say at once: every beat that waits there, the
// counts that moved, and commands.
type Batch struct {
	Node        string
	Incarnation uint64 // rises each time that the node starts, or joins again
	// Process is the first boot of the node's process: what it reports of its
	// viewers and likes goes on under a later boot of the same process.
	Process uint64
	Seq     uint64 // rises by one from batch to batch of a boot, from 1
	// MaxRules is the highest version of Apply's rules that the node has.
	MaxRules uint64
	Beats    []Beat
	Viewers  []Count
	Likes    []Count
	Digest   *Digest // once a minute
	Commands []Command
}

// Beat is one heartbeat: whose, and how long before the batch was made it
// arrived, in milliseconds.
type Beat struct {
	Lease
	Age uint32
}

// Count is an absolute number that a node reports of a stream: its viewers on
// this node, or the likes that it took in since it booted.
type Count struct {
	Lease
	N int64
}

// Digest is the node's digest of its registry at a position, so that nodes
// notice when they differ.
type Digest struct {
	Position Position
	Sum      uint64
}

// SealedBatch is a batch made ready for the log: its bytes do not change any more,
// whatever becomes of the first try to append them.
type SealedBatch struct {
	Node        string
	Incarnation uint64
	Seq         uint64
	Durable     bool // holds a command that must be on disk before it is applied
	Bytes       []byte
}

// batchVersion is the first byte of an encoded batch.
const batchVersion = 7

// Seal encodes the batch. It sorts b.Beats by lease.
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
		s.Durable = s.Durable || c.durable()
	}
	s.Bytes = dst
	return s
}

func appendPosition(dst []byte, p Position) []byte {
	return appendUint(appendUint(appendUint(dst, p.ID.MS), p.ID.Seq), uint64(p.Hash))
}

// appendBeats writes the gaps between indexes: about five bytes a beat.
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

// DecodeBatch reads what Seal wrote. It returns ErrMalformed when the bytes
// are not a batch, and ErrNewerVersion when they hold what this version does not know.
func DecodeBatch(b []byte) (*Batch, error) {
	r := &reader{data: b}
	batch := &Batch{}
	if err := batch.decodeHeader(r); err != nil {
		return nil, err
	}
	n := r.length()
	if n > 0 {
		batch.Beats = make([]Beat, 0, n)
	}
	var prev uint32
	for range n {
		x := r.beat(prev)
		prev = x.Index
		batch.Beats = append(batch.Beats, x)
	}
	if err := batch.decodeRest(r); err != nil {
		return nil, err
	}
	return batch, nil
}

// decodeHeader reads a batch up to its beats.
func (b *Batch) decodeHeader(r *reader) error {
	if v := r.byte(); v > batchVersion {
		return fmt.Errorf("%w: batch version %d", ErrNewerVersion, v)
	} else if v < batchVersion {
		return ErrMalformed // of before the first release
	}
	b.Node, b.Incarnation, b.Process, b.Seq, b.MaxRules = r.string(), r.uint(), r.uint(), r.uint(), r.uint()
	if r.failed || b.Node == "" || b.Incarnation == 0 || b.Seq == 0 {
		return ErrMalformed
	}
	return nil
}

// decodeRest reads what follows the beats.
func (b *Batch) decodeRest(r *reader) error {
	b.Viewers, b.Likes = r.counts(), r.counts()
	if r.bool() {
		b.Digest = &Digest{Position: Position{ID: ID{r.uint(), r.uint()}}}
		hash := r.uint()
		if hash > uint64(^uint32(0)) {
			r.fail()
		}
		b.Digest.Position.Hash, b.Digest.Sum = uint32(hash), r.uint()
	}
	n := r.length()
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
	return r.finalError()
}

func (r *reader) lease(prev uint32) Lease {
	gap := r.uint()
	if gap > uint64(^uint32(0)-prev) {
		r.fail()
	}
	t := r.bytesOf(2)
	if t == nil {
		return Lease{}
	}
	return Lease{Index: prev + uint32(gap), Tag: uint16(t[0]) | uint16(t[1])<<8}
}

// beat reads one beat; prev is the index of the one before it.
func (r *reader) beat(prev uint32) Beat {
	b := Beat{Lease: r.lease(prev)}
	age := r.uint()
	if age > uint64(^uint32(0)) {
		r.fail()
	}
	b.Age = uint32(age)
	return b
}

// MaxCount bounds what a node may report of one stream.
const MaxCount = 1 << 48

func (r *reader) counts() []Count {
	n := r.length()
	if n == 0 {
		return nil
	}
	counts := make([]Count, 0, n)
	for range n {
		c := Count{Lease: r.lease(0)}
		v := r.uint()
		if v > MaxCount {
			r.fail()
		}
		c.N = int64(v)
		counts = append(counts, c)
	}
	return counts
}
