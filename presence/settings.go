package presence

import (
	"errors"
	"fmt"
)

// Settings are what all nodes must agree on, because Apply depends on it.
// They are an entry of the log: a node appends its own only when their
// Revision is higher than the registry's.
type Settings struct {
	Revision int64
	// Interval is the time between two beats, in milliseconds. A longer one
	// costs less and notices a dead anchor later: after Missed × Interval +
	// Grace.
	Interval int64
	// Missed is how many missed beats end a session.
	Missed int64
	// Grace is added for the network, in milliseconds; more of it forgives
	// slower phones and shows ghosts for longer.
	Grace int64
	// EndGrace is the time, in milliseconds, from the end of a push to the end
	// of its session, unless a push begins again; more forgives encoders that
	// take their time to reconnect.
	EndGrace int64
	// StartWithin is the time in which a session that does not live by
	// heartbeats must be pushed, in milliseconds.
	StartWithin int64
	// CallbackOnly is the silence, in milliseconds, that ends a session which
	// lives by callbacks alone.
	CallbackOnly int64
	// PollEvery is the time between two rounds of status polls, in milliseconds.
	// Words of less than half of it after another count as one.
	PollEvery int64
	// OfflineAfter is how many status polls in a row must say that nothing is
	// pushed before they count; more forgives a cloud that is behind.
	OfflineAfter int64
	// BlindAfter is how many polls of a session that lives by them alone may fail
	// in a row, while others succeed.
	BlindAfter int64
	// MediaRequired: polls that say offline end a session also while beats come,
	// and before anything was pushed.
	MediaRequired bool
	// EventKinds are the kinds of what happens that the keeper is told of.
	EventKinds EventKinds
	// RefuseTakeover: a second start of an anchor whose socket is attached is
	// refused instead of ending the first.
	RefuseTakeover bool
	// ShowPublished lists a stream only once it was heard, not at its start.
	ShowPublished bool
}

// ErrSettingsConflict is returned when a node's settings differ from the registry's
// under the same revision: one of the two is wrong, and only a person knows which.
var ErrSettingsConflict = errors.New("presence: other nodes run other settings under the same settings.revision")

// ErrInvalidSettings is returned when settings cannot be worked with.
var ErrInvalidSettings = errors.New("presence: impossible settings")

// MinInterval is the shortest interval between beats, in milliseconds. Below
// it the network's own jitter is larger than the interval.
const MinInterval = 100

// maxLeaseLength bounds interval × missed + grace, in milliseconds (12 days), so
// that 32 bits of the presence clock order every lease.
const maxLeaseLength = 1 << 30

// maxPolls bounds how many polls in a row are counted.
const maxPolls = 1 << 20

// maxMisses bounds Missed, which a lease counts in eight bits.
const maxMisses = 250

// Check returns ErrInvalidSettings when a value is out of its bounds.
func (s Settings) Check() error {
	switch {
	case s.Interval < MinInterval:
		return fmt.Errorf("%w: interval of %d ms is under %d ms", ErrInvalidSettings, s.Interval, MinInterval)
	case s.Missed < 1 || s.Missed > maxMisses:
		return fmt.Errorf("%w: %d missed beats is not within 1 to %d", ErrInvalidSettings, s.Missed, maxMisses)
	case s.Grace < 0 || s.Grace > s.Interval:
		return fmt.Errorf("%w: grace of %d ms is not within 0 to the interval", ErrInvalidSettings, s.Grace)
	case min(s.OfflineAfter, s.BlindAfter) < 0 || max(s.OfflineAfter, s.BlindAfter) > maxPolls:
		return fmt.Errorf("%w: a number of polls is not within 0 to %d", ErrInvalidSettings, maxPolls)
	case min(s.EndGrace, s.StartWithin, s.CallbackOnly, s.PollEvery) < 0 || max(s.EndGrace, s.StartWithin, s.CallbackOnly, s.PollEvery) > maxLeaseLength:
		return fmt.Errorf("%w: a time of liveness is not within 0 to 12 days", ErrInvalidSettings)
	case s.Interval > maxLeaseLength || s.Interval*s.Missed+s.Grace > maxLeaseLength:
		return fmt.Errorf("%w: missed × interval is over 12 days", ErrInvalidSettings)
	}
	return nil
}

// Tick is the node tick in milliseconds: one second, or a quarter of the
// interval where that is shorter. Every node appends at least once a tick
// while anything is listed.
func (s Settings) Tick() int64 { return min(1000, s.Interval/4) }

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

func (r *reader) settings() Settings {
	return Settings{
		Revision: r.int(), Interval: r.int(), Missed: r.int(), Grace: r.int(),
		EndGrace: r.int(), StartWithin: r.int(), CallbackOnly: r.int(),
		PollEvery: r.int(), OfflineAfter: r.int(), BlindAfter: r.int(), MediaRequired: r.bool(), EventKinds: EventKinds(r.byte()),
		RefuseTakeover: r.bool(), ShowPublished: r.bool(),
	}
}

// SetSettings replaces the settings if its revision is higher.
type SetSettings struct{ Settings Settings }

func (*SetSettings) kind() commandKind { return kindSetSettings }

func (*SetSettings) durable() bool { return true }

func (c *SetSettings) encode(b []byte) []byte { return appendSettings(b, c.Settings) }

func (c *SetSettings) decode(r *reader) { c.Settings = r.settings() }

func (c *SetSettings) apply(r *Registry, _ *nodeState) Result {
	s := c.Settings
	if s.Revision > r.settings.Revision && s.Check() == nil && r.leases.setParams(s.leaseParams(), s.Tick(), r.nodes.watermark(r.clock), r.clock) {
		r.settings = s
		r.rescheduleMediaDeadlines()
		r.markRecord(recordMeta, 0)
	}
	return Result{}
}

// AdoptSettings says that the session's client has heard of the present settings and
// beaten by them: from here on its lease runs by them. It counts as a beat.
type AdoptSettings struct{ Session Session }

func (*AdoptSettings) kind() commandKind { return kindAdoptSettings }

func (*AdoptSettings) durable() bool { return false }

func (c *AdoptSettings) encode(b []byte) []byte { return append(b, c.Session[:]...) }

func (c *AdoptSettings) decode(r *reader) { c.Session = r.sessionID() }

func (c *AdoptSettings) apply(r *Registry, node *nodeState) Result {
	i, ok := r.bySession[c.Session]
	if !ok {
		return r.goneResult(c.Session)
	}
	r.adoptSettings(i)
	r.renewLease(i, node, ByBeat)
	return r.liveResult(i)
}

// adoptSettings lets a lease run by the present settings: its client has heard of
// them, by a socket's welcome or by a settings message. Whoever calls it renews
// the lease, too.
func (r *Registry) adoptSettings(i uint32) {
	r.leases.all[i].params = r.leases.currentIndex
	r.markSessionChanged(i)
}

// RaiseRules makes every node apply later entries by these rules. The keeper
// appends it once all living nodes know them.
type RaiseRules struct{ Rules uint64 }

func (*RaiseRules) kind() commandKind { return kindRaiseRules }

func (*RaiseRules) durable() bool { return true }

func (c *RaiseRules) encode(b []byte) []byte { return appendUint(b, c.Rules) }

func (c *RaiseRules) decode(r *reader) { c.Rules = r.uint() }

func (c *RaiseRules) apply(r *Registry, _ *nodeState) Result {
	r.rules = max(r.rules, c.Rules)
	r.markRecord(recordMeta, 0)
	return Result{}
}
