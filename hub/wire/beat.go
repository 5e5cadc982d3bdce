package wire

import "cmp"

// Beat is the heartbeat of a session. Answer: [Ack].
type Beat struct {
	ID    ID
	N     int64 // the client's own counter
	Stats EncoderStats

	// Only over HTTP.
	Session     string
	HeartbeatMS int64 // the client's current interval; 0: not given
}

// EncoderStats are what the client's encoder reports about itself, for metrics
// and the console. A figure that is not Set is left out.
type EncoderStats struct {
	BitrateKbps Opt[float64]
	FPS         Opt[float64]
	Dropped     Opt[int64] // frames
}

// Head implements [Message].
func (m *Beat) Head() (string, ID) { return TypeBeat, m.ID }

func (m *Beat) visitMembers(c *codec) {
	c.visitID(&m.ID)
	c.requireMember("n")
	c.visitInt64("n", &m.N)
	if !c.isWriting || m.Stats != (EncoderStats{}) {
		c.visitObject("stats", m.Stats.visitMembers)
	}
	c.visitOptionalText("session", &m.Session)
	c.visitOptionalInt64("heartbeat_ms", &m.HeartbeatMS)
}

func (s *EncoderStats) visitMembers(c *codec) {
	visitOptional(c, "bitrate_kbps", &s.BitrateKbps, c.visitFloat64)
	visitOptional(c, "fps", &s.FPS, c.visitFloat64)
	visitOptional(c, "dropped", &s.Dropped, c.visitInt64)
}

// Validate checks the bounds of the members. Its error is an [*Error].
func (m *Beat) Validate() error {
	return badRequestIfFault(m.ID, cmp.Or(
		checkRange("n", m.N, 0, maxCounter),
		checkOptionalSession(m.Session),
		checkRange("heartbeat_ms", m.HeartbeatMS, 0, maxCounter),
		checkStat("stats.bitrate_kbps", m.Stats.BitrateKbps.Value),
		checkStat("stats.fps", m.Stats.FPS.Value),
		checkRange("stats.dropped", m.Stats.Dropped.Value, 0, maxCounter),
	))
}

// Ack answers [Beat].
type Ack struct {
	ID           ID
	N            int64 // as in the Beat
	ServerTime   int64 // Unix milliseconds
	DeadlineInMS int64 // the session ends after this time without another beat
	Pending      bool  // "held": received, but not in the log yet; the deadline is not guaranteed
	HeartbeatMS  int64 // only over HTTP: the current interval; 0: not given
}

// Head implements [Message].
func (m *Ack) Head() (string, ID) { return TypeAck, m.ID }

func (m *Ack) visitMembers(c *codec) {
	c.visitID(&m.ID)
	c.visitInt64("n", &m.N)
	c.visitInt64("server_time", &m.ServerTime)
	c.visitInt64("deadline_in_ms", &m.DeadlineInMS)
	c.visitFlag("held", &m.Pending, false)
	c.visitOptionalInt64("heartbeat_ms", &m.HeartbeatMS)
}

// AppendAck is [AppendString] without allocations.
func AppendAck(dst []byte, m *Ack) []byte {
	c := codec{isWriting: true, out: AppendHead(dst, TypeAck, "")}
	m.visitMembers(&c)
	return closeObject(c.out)
}

// Probe requests a [Beat] at once, after the first missed beat. Phones and
// hidden tabs throttle timers, but an incoming message wakes them.
type Probe struct{}

// Head implements [Message].
func (m *Probe) Head() (string, ID) { return TypeProbe, "" }

func (m *Probe) visitMembers(*codec) {}

// Settings changes the interval of beats, from the client's next beat on.
type Settings struct {
	HeartbeatMS int64
}

// Head implements [Message].
func (m *Settings) Head() (string, ID) { return TypeSettings, "" }

func (m *Settings) visitMembers(c *codec) { c.visitInt64("heartbeat_ms", &m.HeartbeatMS) }

// Notice reports a condition of the server to an anchor, such as
// [NoticeDegraded].
type Notice struct {
	Code    string
	Message string // one sentence for a developer
}

// Head implements [Message].
func (m *Notice) Head() (string, ID) { return TypeNotice, "" }

func (m *Notice) visitMembers(c *codec) {
	c.visitText("code", &m.Code)
	c.visitText("message", &m.Message)
}
