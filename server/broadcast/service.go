package broadcast

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"onair/hub/wire"
	"onair/presence"
	presencenode "onair/presence/node"
	"onair/server/livecode"
	"onair/server/runtimeconfig"
)

// Service does what anchors may do to their broadcasts, for sockets and HTTP
// alike. It may be used concurrently.
type Service struct {
	// Static after construction.
	runtime *runtimeconfig.Store
	node    *presencenode.Node
	codes   livecode.Template
	lists   []string
	log     zerolog.Logger
	metrics *metrics

	falseExpiries falseExpiries
}

// New makes the service of a node that has joined the log.
func New(runtime *runtimeconfig.Store, node *presencenode.Node, codes livecode.Template, reg prometheus.Registerer, log zerolog.Logger) *Service {
	return &Service{
		runtime: runtime, node: node, codes: codes, lists: runtime.Current().Lists, log: log, metrics: newMetrics(reg),
		falseExpiries: falseExpiries{endedAt: map[presence.Session]int64{}},
	}
}

// Settings are those in the log.
func (s *Service) Settings() (settings presence.Settings) {
	s.node.Read(func(r *presence.Registry) { settings = r.Settings() })
	return settings
}

// OriginalCode returns the live code of which a name is a transcoding by one of
// the configured templates, or "".
func (s *Service) OriginalCode(name string) string {
	return s.codes.OriginalCode(name, s.runtime.Current().Play.Templates)
}

// NotLiveError is what a client gets about a live code that nobody has.
func NotLiveError() error {
	return &wire.Error{Code: wire.CodeNotFound, Message: "no live stream has this code"}
}

// Summary is what a client gets of a session that has ended.
func Summary(e *presence.Ended) *wire.Summary {
	return &wire.Summary{DurationMS: e.DurationMS(), PeakViewers: e.Stream.PeakViewers, Likes: e.Stream.Likes}
}
