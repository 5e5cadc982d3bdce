package wire

import "cmp"

// Beat is the heartbeat of a session. Answer: [Ack].
type Beat struct {
	ID    ID
	N     int64 // the client's own counter
	Stats EncoderStats

	// Only over HTTP.
	Session     string
	HeartbeatMS int64 // the interval that the client beats by, 0: not said
}

// EncoderStats is what an encoder may tell about itself: for metrics and the console,
// not for viewers. A figure that is not Set is left out.
type EncoderStats struct {
	BitrateKbps Opt[float64]
	FPS         Opt[float64]
	Dropped     Opt[int64] // frames
}

// Head implements [Message].
func (m *Beat) Head() (string, ID) { return TypeBeat, m.ID }

func (m *Beat) appendBody(dst []byte) []byte {
	dst = addInt(dst, "n", m.N)
	if m.Stats != (EncoderStats{}) {
		dst = append(addName(dst, "stats"), '{')
		dst = addOpt(dst, "bitrate_kbps", m.Stats.BitrateKbps, addFloat)
		dst = addOpt(dst, "fps", m.Stats.FPS, addFloat)
		dst = addOpt(dst, "dropped", m.Stats.Dropped, addInt)
		dst = append(closeObject(dst), ',')
	}
	dst = addTextIf(dst, "session", m.Session)
	if m.HeartbeatMS != 0 {
		dst = addInt(dst, "heartbeat_ms", m.HeartbeatMS)
	}
	return closeObject(dst)
}

func decodeBeat(f *fields) Message {
	f.require("n")
	m := &Beat{ID: f.id, N: f.integer("n"), Session: f.text("session"), HeartbeatMS: f.integer("heartbeat_ms")}
	f.inside("stats", func(f *fields) {
		m.Stats = EncoderStats{BitrateKbps: f.number("bitrate_kbps"), FPS: f.number("fps"), Dropped: f.count("dropped")}
	})
	return m
}

// Validate checks the bounds of the members. Its error is an [*Error].
func (m *Beat) Validate() error {
	return refusal(m.ID, cmp.Or(
		checkRange("n", m.N, 0, maxCounter),
		checkSessionIf(m.Session),
		checkRange("heartbeat_ms", m.HeartbeatMS, 0, maxCounter),
		checkStat("stats.bitrate_kbps", m.Stats.BitrateKbps.Value),
		checkStat("stats.fps", m.Stats.FPS.Value),
		checkRange("stats.dropped", m.Stats.Dropped.Value, 0, maxCounter),
	))
}

// Ack answers [Beat].
type Ack struct {
	ID           ID
	N            int64 // the beat's
	ServerTime   int64 // Unix milliseconds
	DeadlineInMS int64 // without another beat the session ends after this
	Pending      bool  // heard, but not in the log yet: no promise
	HeartbeatMS  int64 // only over HTTP: the present interval, 0: not said
}

// Head implements [Message].
func (m *Ack) Head() (string, ID) { return TypeAck, m.ID }

func (m *Ack) appendBody(dst []byte) []byte {
	dst = addInt(dst, "n", m.N)
	dst = addInt(dst, "server_time", m.ServerTime)
	dst = addInt(dst, "deadline_in_ms", m.DeadlineInMS)
	if m.Pending {
		dst = addRaw(dst, "held", "true")
	}
	if m.HeartbeatMS != 0 {
		dst = addInt(dst, "heartbeat_ms", m.HeartbeatMS)
	}
	return closeObject(dst)
}

// AppendAck is [AppendFrame] for an Ack that stays on the stack.
func AppendAck(dst []byte, m *Ack) []byte {
	return m.appendBody(AppendHead(dst, TypeAck, m.ID))
}

func decodeAck(f *fields) Message {
	return &Ack{
		ID: f.id, N: f.integer("n"), ServerTime: f.integer("server_time"),
		DeadlineInMS: f.integer("deadline_in_ms"), Pending: f.flag("held", false),
		HeartbeatMS: f.integer("heartbeat_ms"),
	}
}

// Probe asks for a [Beat] at once: the first one was missed. Timers of a phone
// or a hidden tab are throttled; an incoming message still wakes them.
type Probe struct{}

// Head implements [Message].
func (m *Probe) Head() (string, ID) { return TypeProbe, "" }

func (m *Probe) appendBody(dst []byte) []byte { return closeObject(dst) }

// Settings changes the interval of beats, from the client's next beat on.
type Settings struct {
	HeartbeatMS int64
}

// Head implements [Message].
func (m *Settings) Head() (string, ID) { return TypeSettings, "" }

func (m *Settings) appendBody(dst []byte) []byte {
	return closeObject(addInt(dst, "heartbeat_ms", m.HeartbeatMS))
}

// Notice tells the anchor something about its service, such as
// [NoticeDegraded].
type Notice struct {
	Code    string
	Message string // one sentence for a developer
}

// Head implements [Message].
func (m *Notice) Head() (string, ID) { return TypeNotice, "" }

func (m *Notice) appendBody(dst []byte) []byte {
	dst = addText(dst, "code", m.Code)
	return closeObject(addText(dst, "message", m.Message))
}
