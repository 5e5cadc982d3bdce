package embedded

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"sync"

	"onair/presence"
)

// image is what the rows on disk still lack: the records that changed, as they
// were at one entry.
type image struct {
	mu    sync.Mutex // guards all below
	rows  map[rowKey]presence.Record
	num   uint64
	boots uint64 // in memory
}

type rowKey struct {
	kind byte
	key  string
}

func (m *image) init() { m.rows = map[rowKey]presence.Record{} }

// boot counts the boots of a log in memory.
func (m *image) boot(above uint64) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.boots = max(m.boots, above) + 1
	return m.boots
}

// add takes records that changed with or before the entry of that number.
func (m *image) add(records []presence.Record, num uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, rec := range records {
		m.rows[rowKey{rec.Kind, rec.Key}] = rec
	}
	m.num = num
}

// at is the number of the entry that the image, with the rows on disk, stands
// at.
func (m *image) at() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.num
}

// take hands all of it out: what it stands at is one entry, whole.
func (m *image) take() (map[rowKey]presence.Record, uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	rows := m.rows
	m.rows = map[rowKey]presence.Record{}
	return rows, m.num
}

// untake puts back what was not written, beneath what came since.
func (m *image) untake(rows map[rowKey]presence.Record, num uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.Copy(rows, m.rows)
	if len(rows) > 0 {
		m.rows, m.num = rows, max(m.num, num)
	}
}

func newRepl() string {
	var b [10]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

func newSeed() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.LittleEndian.Uint64(b[:])
}
