package presence

import (
	"errors"
	"fmt"
)

// Settings are what Apply depends on, and so must be equal on all nodes. They
// are in the log: a node appends its own when their Revision is higher.
type Settings struct {
	Revision int64
	// Interval is the time between two beats, in milliseconds. A longer one
	// costs less, but a dead anchor stays listed for longer: Missed × Interval +
	// Grace.
	Interval int64
	// Missed is how many missed beats end a session.
	Missed int64
	// Grace is added for network delays, in milliseconds. More of it tolerates
	// slower phones and keeps dead streams listed for longer.
	Grace int64
	// EndGrace is the time from the end of the last push to the end of its
	// session, in milliseconds. More of it tolerates encoders that reconnect
	// slowly.
	EndGrace int64
	// StartWithin is the time in which a session that needs no beats must be
	// pushed, in milliseconds.
	StartWithin int64
	// CallbackOnly is the time without callbacks that ends a session whose only
	// source are callbacks, in milliseconds.
	CallbackOnly int64
	// PollEvery is the time between two rounds of status polls, in milliseconds.
	// Results less than half of it apart count as one.
	PollEvery int64
	// OfflineAfter is how many consecutive polls must find no push before they
	// count. More of them tolerates a cloud that reports late.
	OfflineAfter int64
	// BlindAfter is how many consecutive polls of a session that lives by polls
	// alone may fail while others succeed.
	BlindAfter int64
	// MediaRequired: polls that find no push end a session even while beats
	// come, and before its first push.
	MediaRequired bool
	// EventKinds are the kinds of events that go into the outbox.
	EventKinds EventKinds
	// RefuseTakeover: a start is refused, instead of ending the anchor's live
	// session, while that has an attached socket.
	RefuseTakeover bool
	// ShowPublished lists a stream only after its first beat or push.
	ShowPublished bool
}

// ErrSettingsConflict is returned when a node's settings differ from the log's
// under the same revision. An operator must decide which are right.
var ErrSettingsConflict = errors.New("presence: settings differ from the log's under the same settings.revision")

// ErrInvalidSettings is returned when a value of Settings is out of range.
var ErrInvalidSettings = errors.New("presence: invalid settings")

// MinInterval is the shortest interval between beats, in milliseconds. Network
// delays vary by more than a shorter one.
const MinInterval = 100

// maxLeaseLength is the longest missed × interval + grace, in milliseconds (12
// days). It lets 32 bits of the presence clock order all leases.
const maxLeaseLength = 1 << 30

// maxPolls is the highest number of consecutive polls that is counted.
const maxPolls = 1 << 20

// maxMisses is the highest Missed. A lease counts misses in eight bits.
const maxMisses = 250

// Check returns ErrInvalidSettings when a value is out of range.
func (s Settings) Check() error {
	switch {
	case s.Interval < MinInterval:
		return fmt.Errorf("%w: interval %d ms: must be at least %d ms", ErrInvalidSettings, s.Interval, MinInterval)
	case s.Missed < 1 || s.Missed > maxMisses:
		return fmt.Errorf("%w: missed %d: must be 1 to %d", ErrInvalidSettings, s.Missed, maxMisses)
	case s.Grace < 0 || s.Grace > s.Interval:
		return fmt.Errorf("%w: grace %d ms: must be 0 to the interval", ErrInvalidSettings, s.Grace)
	case min(s.OfflineAfter, s.BlindAfter) < 0 || max(s.OfflineAfter, s.BlindAfter) > maxPolls:
		return fmt.Errorf("%w: number of polls: must be 0 to %d", ErrInvalidSettings, maxPolls)
	case min(s.EndGrace, s.StartWithin, s.CallbackOnly, s.PollEvery) < 0 || max(s.EndGrace, s.StartWithin, s.CallbackOnly, s.PollEvery) > maxLeaseLength:
		return fmt.Errorf("%w: liveness time: must be 0 to 12 days", ErrInvalidSettings)
	case s.Interval > maxLeaseLength || s.Interval*s.Missed+s.Grace > maxLeaseLength:
		return fmt.Errorf("%w: missed × interval + grace: must be at most 12 days", ErrInvalidSettings)
	}
	return nil
}

// Tick is the node tick in milliseconds: one second, or a quarter of a shorter
// interval. Every node appends at least once a tick.
func (s Settings) Tick() (ms int64) { return min(1000, s.Interval/4) }

func appendSettings(b []byte, s Settings) []byte {
	for _, v := range [...]int64{
		s.Revision, s.Interval, s.Missed, s.Grace, s.EndGrace, s.StartWithin, s.CallbackOnly,
		s.PollEvery, s.OfflineAfter, s.BlindAfter,
	} {
		b = appendInt(b, v)
	}
	b = append(appendBool(b, s.MediaRequired), byte(s.EventKinds))
	return appendBool(appendBool(b, s.RefuseTakeover), s.ShowPublished)
}

func (r *decoder) uncheckedSettings() Settings {
	return Settings{
		Revision: r.int(), Interval: r.int(), Missed: r.int(), Grace: r.int(),
		EndGrace: r.int(), StartWithin: r.int(), CallbackOnly: r.int(),
		PollEvery: r.int(), OfflineAfter: r.int(), BlindAfter: r.int(), MediaRequired: r.bool(), EventKinds: EventKinds(r.byte()),
		RefuseTakeover: r.bool(), ShowPublished: r.bool(),
	}
}

// SetSettings replaces the settings by those of a higher revision. A session
// keeps its lease params until its client has acknowledged the new ones.
type SetSettings struct{ Settings Settings }

func (*SetSettings) kind() commandKind        { return kindSetSettings }
func (c *SetSettings) encode(b []byte) []byte { return appendSettings(b, c.Settings) }
func (c *SetSettings) decode(r *decoder)      { c.Settings = r.uncheckedSettings() }

func (c *SetSettings) apply(r *Registry, _ *nodeState) Result {
	s := c.Settings
	if s.Revision > r.settings.Revision && s.Check() == nil && r.leases.setCurrentParams(s.leaseParams()) {
		r.leases.rebuildWheel(s.Tick(), r.nodes.watermark(r.clock), r.clock)
		r.settings = s
		r.updateMediaDeadlines()
		r.markRecordChanged(recordMeta, 0)
	}
	return Result{}
}

// AdoptLeaseParams makes the session's lease run by the current settings, because
// its client has acknowledged them. It counts as a beat.
type AdoptLeaseParams struct{ Session Session }

func (*AdoptLeaseParams) kind() commandKind        { return kindAdoptLeaseParams }
func (c *AdoptLeaseParams) encode(b []byte) []byte { return append(b, c.Session[:]...) }
func (c *AdoptLeaseParams) decode(r *decoder)      { c.Session = r.sessionID() }

func (c *AdoptLeaseParams) apply(r *Registry, node *nodeState) Result {
	i, ok := r.bySession[c.Session]
	if !ok {
		return r.goneResult(c.Session)
	}
	r.adoptLeaseParams(i)
	r.renewLeaseAndMarkLive(i, node, ByBeat)
	return r.liveResult(i)
}

// adoptLeaseParams makes a lease run by the current settings. The caller renews the
// lease as well.
func (r *Registry) adoptLeaseParams(index uint32) {
	r.leases.all[index].params = r.leases.currentIndex
	r.markSessionChanged(index)
}

// RaiseRules makes Apply treat later entries by these rules. The leader appends
// it when all living nodes have them.
type RaiseRules struct{ Rules uint64 }

func (*RaiseRules) kind() commandKind        { return kindRaiseRules }
func (c *RaiseRules) encode(b []byte) []byte { return appendUint(b, c.Rules) }
func (c *RaiseRules) decode(r *decoder)      { c.Rules = r.uint() }

func (c *RaiseRules) apply(r *Registry, _ *nodeState) Result {
	r.rules = max(r.rules, c.Rules)
	r.markRecordChanged(recordMeta, 0)
	return Result{}
}
