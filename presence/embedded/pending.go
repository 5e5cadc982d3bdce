package embedded

import (
	"maps"
	"sync"

	"onair/presence"
)

// pendingRows are the changed records of the registry, as of one entry, that
// are not committed as rows yet.
type pendingRows struct {
	mu   sync.Mutex // guards all below
	rows map[rowKey]presence.Record
	asOf uint64 // number of the entry that rows and committed rows represent together
}

type rowKey struct {
	kind byte
	key  string
}

func newPendingRows() pendingRows { return pendingRows{rows: map[rowKey]presence.Record{}} }

// addRecords adds the records that changed up to the entry with that number.
func (p *pendingRows) addRecords(records []presence.Record, entryNumber uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, rec := range records {
		p.rows[rowKey{rec.Kind, rec.Key}] = rec
	}
	p.asOf = entryNumber
}

func (p *pendingRows) asOfEntry() (num uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asOf
}

// takeRows removes and returns all rows, with the number of the entry that they
// represent.
func (p *pendingRows) takeRows() (rows map[rowKey]presence.Record, asOf uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	rows, p.rows = p.rows, map[rowKey]presence.Record{}
	return rows, p.asOf
}

// returnRows adds rows again that could not be committed. Newer rows win.
func (p *pendingRows) returnRows(rows map[rowKey]presence.Record, asOf uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.Copy(rows, p.rows)
	if len(rows) > 0 {
		p.rows, p.asOf = rows, max(p.asOf, asOf)
	}
}
