package config

import (
	"net/netip"
	"time"

	"github.com/rs/zerolog"
)

// Config is the complete, validated configuration. Its fields follow the names of
// the keys; the table of keys describes each.
type Config struct {
	Listen    string
	TLS       TLS
	Proxies   []netip.Prefix
	Origins   []string
	CORS      []string
	Ops       struct{ Listen string } // the listener for operators
	Data      string
	Node      string
	Log       Log
	Auth      Auth
	Viewer    struct{ Anonymous bool } // whether viewers need no token
	BizID     string
	Code      string
	CodeKey   Secret
	Lists     []string
	List      struct{ Show string } // when streams are listed: start or publish
	Takeover  string                // newest or refuse
	Heartbeat Heartbeat
	Settings  struct{ Revision int64 } // of the settings that all nodes share
	Push      Push
	Play      Play
	VOD       VOD
	Hooks     Hooks
	Liveness  Liveness

	Cloud      Cloud
	Poll       Poll
	Moderation struct{ Provider string } // cuts the pushes of kicked and banned anchors; empty: none
	Recordings Recordings
	Webhooks   Webhooks

	Redis  Redis
	Flight Flight
	Hub    Hub
	Idle   time.Duration
	Limits Limits
	Leave  time.Duration
	Drain  time.Duration

	effective layer // every key with the text that was parsed, defaults included

	// IgnoredVariables lists the environment variables that begin with ONAIR_, and that are
	// ignored because Kubernetes sets them for its Services.
	IgnoredVariables []string

	// GeneratedSecrets lists the keys of secrets that were generated for this start.
	GeneratedSecrets []string
}

// TLS names the certificate files when TLS ends in the process.
type TLS struct{ Cert, Key string }

// Log configures logging.
type Log struct {
	Level  zerolog.Level
	Format string // console, json, or empty: console on a terminal
}

// Auth configures the verification of tokens.
type Auth struct {
	Secret    Secret
	Secrets   map[string]Secret // by key id (kid)
	JWKSURL   URL
	PublicKey string // PEM
	Issuer    string
	Audience  string
}

// Heartbeat configures the leases of sessions.
type Heartbeat struct {
	Interval time.Duration
	Missed   int
	Grace    time.Duration
}

// Push configures push URLs.
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

// Play configures play URLs.
type Play struct {
	Provider  string
	Domains   []WeightedDomain
	Server    string
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

	// Overrides by domain.
	Providers  map[string]string
	Keys       map[string]Secret
	BackupKeys map[string]Secret
	Deltas     map[string]time.Duration
}

// VOD configures the playback URLs of recordings.
type VOD struct {
	Provider string // none, plain, tencent or secure_link
	Key      Secret
	TTL      time.Duration
	Domain   URL
	Root     string
}

// WeightedDomain is a play domain with its share of the streams.
type WeightedDomain struct {
	Name   string
	Weight int
}

// Hooks configures the callbacks of each provider.
type Hooks struct {
	Tencent, SRS, NginxRTMP, MediaMTX, ZLM Hook

	TencentKey Secret
}

// AnyEnabled reports whether the callbacks of any provider are enabled.
func (h *Hooks) AnyEnabled() bool {
	return h.Tencent.Enabled || h.mediaServerEnabled()
}

// mediaServerEnabled reports whether the callbacks of any media server are enabled.
func (h *Hooks) mediaServerEnabled() bool {
	return h.SRS.Enabled || h.NginxRTMP.Enabled || h.MediaMTX.Enabled || h.ZLM.Enabled
}

// Hook configures the callbacks of one provider.
type Hook struct {
	Enabled bool
	Secret  Secret // a path segment; empty: none
	Allow   []netip.Prefix
}

// Liveness configures evidence other than heartbeats: its weight, and how long it
// may be missing.
type Liveness struct {
	EndGrace, StartWithin, CallbackOnly, PollBlind time.Duration

	Media string // advisory or required
}

// Redis configures the log that nodes share. Without addresses the log is in the
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

// Hub configures the pace of diffs.
type Hub struct {
	Tick     time.Duration
	Counters time.Duration
}

// Flight configures the flight recorder: an execution trace of the last seconds,
// written when the list is late.
type Flight struct {
	Dir     string        // empty: the flight recorder is off
	Latency time.Duration // the list latency that triggers a trace
}

// Limits bounds the use by one address, by one socket and of the node.
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
	SnapshotsPerSocket float64 // per second
	Streams            int
	Handshakes         float64 // per second
	Batch              int     // bytes
}
