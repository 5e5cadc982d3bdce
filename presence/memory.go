package presence

import (
	"slices"
	"strconv"
)

// endings remembers the sessions that are over, oldest first, so that whoever
// comes back to one can be told why it is gone.
type endings struct {
	first     uint64 // the sequence number of list[0]
	list      []*Ended
	bySession map[Session]*Ended
	byCode    map[string][]*Ended // in the order of list
}

func (m *endings) len() int       { return len(m.list) }
func (m *endings) oldest() *Ended { return m.list[0] }

// add returns the sequence number that e was given.
func (m *endings) add(e *Ended) uint64 {
	m.list = append(m.list, e)
	m.bySession[e.Stream.Session] = e
	m.byCode[e.Stream.Code] = append(m.byCode[e.Stream.Code], e)
	return m.first + uint64(len(m.list)) - 1
}

// drop forgets the oldest and returns its sequence number.
func (m *endings) drop() uint64 {
	st := m.list[0].Stream
	delete(m.bySession, st.Session)
	if rest := m.byCode[st.Code][1:]; len(rest) > 0 {
		m.byCode[st.Code] = rest
	} else {
		delete(m.byCode, st.Code)
	}
	m.list[0] = nil
	m.list = m.list[1:]
	m.first++
	return m.first - 1
}

// at returns the one of that sequence number, nil when it is forgotten.
func (m *endings) at(seq uint64) *Ended {
	if seq < m.first || seq-m.first >= uint64(len(m.list)) {
		return nil
	}
	return m.list[seq-m.first]
}

// keyed is the session that a client's own key was for.
type keyed struct {
	session Session
	clock   int64
}

// keys remembers, oldest first, which key was for which session, so that what
// was asked can be asked again when its answer was lost.
type keys struct {
	first  uint64   // the sequence number of names[0]
	names  []string // see keyName
	byName map[string]keyed
}

// keyKind is what a client's key is for.
type keyKind byte

// The kinds of keys.
const (
	startKey  keyKind = 's'
	stopKey   keyKind = 'e'
	updateKey keyKind = 'u'
	banKey    keyKind = 'b'
	unbanKey  keyKind = 'f'
	reopenKey keyKind = 'r' // of an effect that was put back
)

// keyName is different for every three, whatever they hold.
func keyName(kind keyKind, user, key string) string {
	return string(kind) + strconv.Itoa(len(user)) + " " + user + key
}

func (m *keys) len() int      { return len(m.names) }
func (m *keys) oldest() int64 { return m.byName[m.names[0]].clock }

// add returns the sequence number that the key was given.
func (m *keys) add(name string, s Session, clock int64) uint64 {
	seq := m.first + uint64(len(m.names))
	m.names = append(m.names, name)
	m.byName[name] = keyed{session: s, clock: clock}
	return seq
}

// change has a key be for another session.
func (m *keys) change(name string, s Session) {
	k := m.byName[name]
	k.session = s
	m.byName[name] = k
}

// find returns the sequence number of a key that is known. It looks through all.
func (m *keys) find(name string) uint64 { return m.first + uint64(slices.Index(m.names, name)) }

// drop forgets the oldest and returns its sequence number.
func (m *keys) drop() uint64 {
	delete(m.byName, m.names[0])
	m.names[0] = ""
	m.names = m.names[1:]
	m.first++
	return m.first - 1
}

// at returns the name of that sequence number; ok is false when it is forgotten.
func (m *keys) at(seq uint64) (name string, ok bool) {
	if seq < m.first || seq-m.first >= uint64(len(m.names)) {
		return "", false
	}
	return m.names[seq-m.first], true
}
