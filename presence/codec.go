package presence

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// ErrMalformed is returned when bytes are not an encoding of this package.
var ErrMalformed = errors.New("presence: malformed encoding")

func appendUint(b []byte, v uint64) []byte { return binary.AppendUvarint(b, v) }
func appendInt(b []byte, v int64) []byte   { return binary.AppendVarint(b, v) }

func appendString(b []byte, s string) []byte { return append(appendUint(b, uint64(len(s))), s...) }

func appendBytes(b, s []byte) []byte { return append(appendUint(b, uint64(len(s))), s...) }

// appendList appends the number of items, and then each item.
func appendList[T any](b []byte, items []T, appendItem func(b []byte, item T) []byte) []byte {
	b = appendUint(b, uint64(len(items)))
	for _, item := range items {
		b = appendItem(b, item)
	}
	return b
}

func appendStrings(b []byte, ss []string) []byte { return appendList(b, ss, appendString) }

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// decoder reads what the append functions wrote. After the first error it returns
// zeros and failed is set, so that callers check once, at the end.
type decoder struct {
	data   []byte
	failed bool
}

func (r *decoder) fail() { r.failed, r.data = true, nil }

func (r *decoder) readBytes(n uint64) []byte {
	if n > uint64(len(r.data)) {
		r.fail()
		return nil
	}
	v := r.data[:n:n]
	r.data = r.data[n:]
	return v
}

func (r *decoder) uint() uint64 {
	v, n := binary.Uvarint(r.data)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.data = r.data[n:]
	return v
}

func (r *decoder) int() int64 {
	v, n := binary.Varint(r.data)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.data = r.data[n:]
	return v
}

// uintUpTo reads a number, and fails where it is higher than most.
func (r *decoder) uintUpTo(most uint64) uint64 {
	v := r.uint()
	if v > most {
		r.fail()
		return 0
	}
	return v
}

// listLength reads the length of a list. Each item takes at least one byte, so a
// false length cannot cause a large allocation.
func (r *decoder) listLength() int {
	n := r.uint()
	if n > uint64(len(r.data)) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *decoder) byte() byte {
	if v := r.readBytes(1); v != nil {
		return v[0]
	}
	return 0
}

func (r *decoder) bool() bool {
	v := r.byte()
	if v > 1 {
		r.fail()
	}
	return v == 1
}

// enum reads a byte below numValues.
func (r *decoder) enum(numValues int) byte {
	v := r.byte()
	if int(v) >= numValues {
		r.fail()
		return 0
	}
	return v
}

func (r *decoder) string() string { return string(r.readBytes(r.uint())) }

// bytes returns a copy, because decoded values outlive the entry.
func (r *decoder) bytes() []byte {
	v := r.readBytes(r.uint())
	if len(v) == 0 {
		return nil
	}
	return bytes.Clone(v)
}

// readList reads a list, nil for an empty one.
func readList[T any](r *decoder, readItem func() T) []T {
	n := r.listLength()
	if n == 0 {
		return nil
	}
	list := make([]T, 0, n)
	for range n {
		list = append(list, readItem())
	}
	return list
}

func (r *decoder) strings() []string { return readList(r, r.string) }

func (r *decoder) sessionID() (s Session) {
	copy(s[:], r.readBytes(uint64(len(s))))
	return s
}

// checkEnd returns ErrMalformed if reading failed or bytes are left.
func (r *decoder) checkEnd() error {
	if r.failed || len(r.data) != 0 {
		return ErrMalformed
	}
	return nil
}
