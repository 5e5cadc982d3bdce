package broadcast

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"onair/hub/wire"
	"onair/presence"
	presencenode "onair/presence/node"
	"onair/server/livecode"
	"onair/server/runtimeconfig"
)

// Service has the operations of anchors on their broadcasts, and those on recordings. It may be
// used concurrently.
type Service struct {
	// Static after construction.
	runtime *runtimeconfig.Store
	node    *presencenode.Node
	archive presence.Archive
	codes   livecode.Template
	lists   []string
	log     zerolog.Logger
	metrics *metrics

	mu            sync.Mutex                 // guards falseExpiries
	falseExpiries map[presence.Session]int64 // when sessions ended that expired falsely a moment ago: each is counted once

	warnAmbiguous sync.Once
}

// New returns the service of a node that has joined the log.
func New(runtime *runtimeconfig.Store, node *presencenode.Node, archive presence.Archive, codes livecode.Template, reg prometheus.Registerer, log zerolog.Logger) *Service {
	return &Service{
		runtime: runtime, node: node, archive: archive, codes: codes, lists: runtime.Current().Lists, log: log, metrics: newMetrics(reg),
		falseExpiries: map[presence.Session]int64{},
	}
}

// Settings are the settings in the log.
func (s *Service) Settings() presence.Settings {
	return presencenode.Query(s.node, (*presence.Registry).Settings)
}

// OriginalCodeOrEmpty is the live code of the stream that is transcoded under a name by one of the
// configured templates, "" when the name is not that of a transcoded stream.
func (s *Service) OriginalCodeOrEmpty(name string) string {
	return s.codes.OriginalCodeOrEmpty(name, s.runtime.Current().Play.Templates)
}

// NewNotLiveError is the error for a live code without a live session.
func NewNotLiveError() error {
	return &wire.Error{Code: wire.CodeNotFound, Message: "no live stream has this code"}
}

// Summary is the summary of an ended session for clients.
func Summary(ended *presence.Ended) *wire.Summary {
	return &wire.Summary{DurationMS: ended.DurationMS(), PeakViewers: ended.Stream.PeakViewers, Likes: ended.Stream.Likes}
}
