package config

import (
	"net/netip"
	"time"

	"github.com/rs/zerolog"
)

// Config is the whole configuration, checked.
type Config struct {
	Listen    string
	TLS       TLS
	Proxies   []netip.Prefix
	Origins   []string
	CORS      []string
	Ops       Ops
	Data      string
	Node      string
	Log       Log
	Auth      Auth
	Viewer    Viewer
	BizID     string
	Code      string
	CodeKey   Secret
	Lists     []string
	List      List
	Takeover  string // newest or refuse
	Heartbeat Heartbeat
	Settings  Settings
	Push      Push
	Play      Play
	VOD       VOD
	Hooks     Hooks
	Liveness  Liveness

	Cloud      Cloud
	Poll       Poll
	Moderation Moderation
	Recordings Recordings
	Webhooks   Webhooks

	Redis  Redis
	Flight Flight
	Hub    Hub
	Idle   time.Duration
	Limits Limits
	Drain  time.Duration

	read source // every key as it was read

	// Development names the keys whose secrets were made up for this start.
	Development []string
}

// TLS is where the certificate is, if TLS ends in the process.
type TLS struct{ Cert, Key string }

// Ops is the listener for the people on call.
type Ops struct{ Listen string }

// Log is how the server logs.
type Log struct {
	Level  zerolog.Level
	Format string // console, json, or empty: console on a terminal
}

// Auth is how tokens are checked.
type Auth struct {
	Secret    Secret
	Secrets   map[string]Secret // by kid
	JWKSURL   string
	PublicKey string // PEM
	Issuer    string
	Audience  string
}

// Viewer is who may look on.
type Viewer struct{ Anonymous bool }

// List is when streams are shown.
type List struct{ Show string } // start or publish

// Heartbeat is the rhythm of beats.
type Heartbeat struct {
	Interval time.Duration
	Missed   int
	Grace    time.Duration
}

// Settings numbers the part of the configuration that all nodes share.
type Settings struct{ Revision int64 }

// Push is how push URLs are made.
type Push struct {
	Provider  string
	Domain    string
	App       string
	Key       Secret
	BackupKey Secret
	TTL       time.Duration
	Delta     time.Duration
	Template  string
	Algorithm string
}

// Play is how play URLs are made.
type Play struct {
	Provider  string
	Domains   []Weighted
	App       string
	Scheme    string
	Ports     map[string]int // by protocol
	Key       Secret
	BackupKey Secret
	TTL       time.Duration
	Delta     time.Duration
	Protocols []string
	Templates map[string]string
	Template  string
	Algorithm string

	// By domain, where they are not those above.
	Providers  map[string]string
	Keys       map[string]Secret
	BackupKeys map[string]Secret
	Deltas     map[string]time.Duration
}

// VOD is how the URLs of recordings are made.
type VOD struct {
	Provider string // none, plain, tencent or secure_link
	Key      Secret
	TTL      time.Duration
	Domain   string
	Root     string
}

// Weighted is a name with its share of the streams.
type Weighted struct {
	Name   string
	Weight int
}

// Hooks are the callbacks that are listened to.
type Hooks struct {
	Tencent, SRS, NginxRTMP, MediaMTX, ZLM Hook

	TencentKey Secret
}

// Any reports whether any are.
func (h *Hooks) Any() bool {
	return h.Tencent.Enabled || h.SRS.Enabled || h.NginxRTMP.Enabled || h.MediaMTX.Enabled || h.ZLM.Enabled
}

// Hook is one kind of callbacks.
type Hook struct {
	Enabled bool
	Secret  Secret // a path segment, or empty
	Allow   []netip.Prefix
}

// Liveness is how evidence other than heartbeats counts, and for how long it may
// be wanting.
type Liveness struct {
	EndGrace, StartWithin, CallbackOnly, PollBlind time.Duration

	Media string // advisory or required
}

// Redis is where the log is that nodes share; without addresses it is in the
// embedded store.
type Redis struct {
	Addrs            []string
	MasterName       string
	Username         string
	Password         Secret
	SentinelUsername string
	SentinelPassword Secret
	DB               int
	TLS              bool
	CA               string
	Prefix           string
}

// Hub is the pace of views.
type Hub struct {
	Tick     time.Duration
	Counters time.Duration
}

// Flight is the flight recorder: the last seconds of the process, kept to be
// looked at when something was slow.
type Flight struct {
	Dir     string        // "": it is off
	Latency time.Duration // of the list, at which it is written
}

// Limits are what one peer, one socket and the node are held to.
type Limits struct {
	Message            int // bytes
	ViewerMessage      int // bytes
	Rate               float64
	Burst              int
	Sockets            int
	SocketsPerAddress  int
	ViewsPerSocket     int
	Views              int
	WatchesPerSocket   int
	Window             int
	SnapshotsPerSocket float64 // a second
	Streams            int
	Handshakes         float64 // a second
	Batch              int     // bytes
}
