// Package profile has the profiles of load tests: how many anchors and viewers
// take part, and what they do.
package profile

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Profile is what the clients of a run do. Flags override each member.
type Profile struct {
	Description string `json:"-"`

	Anchors    int           `json:"anchors"`
	Viewers    int           `json:"viewers"`
	Views      int           `json:"views"`
	Duration   time.Duration `json:"duration_ns"`
	Updates    float64       `json:"updates_per_second"` // of all anchors together
	Likes      float64       `json:"likes_per_second"`   // of all viewers together
	WatchShare float64       `json:"watch_share"`
	SlowShare  float64       `json:"slow_share"`
	AwayShare  float64       `json:"away_share"`
	Herds      int           `json:"herds"`
	AnchorLife time.Duration `json:"anchor_life_ns"`
	CrashShare float64       `json:"crash_share"`
	MinResumed float64       `json:"min_resumed"` // share of reconnects; 0: not judged
}

// Default is the name of the default profile.
const Default = "steady"

// All are the profiles by name.
var All = map[string]Profile{
	"steady": {
		Description: "anchors update, viewers follow; no client comes or goes",
		Anchors:     100, Viewers: 1000, Views: 10, Duration: 30 * time.Second, Updates: 20, Likes: 10, WatchShare: 0.2,
	},
	"evening": {
		Description: "a mix of everything, as on a busy evening",
		Anchors:     300, Viewers: 5000, Views: 30, Duration: time.Minute, Updates: 60, Likes: 100, WatchShare: 0.5,
		SlowShare: 0.02, AwayShare: 0.1, AnchorLife: time.Minute, CrashShare: 0.1,
	},
	"herd": {
		Description: "all viewers lose their connections at once, twice, and come back with their positions",
		Anchors:     100, Viewers: 5000, Views: 10, Duration: time.Minute, Updates: 20, WatchShare: 0.2, Herds: 2,
	},
	"churn": {
		Description: "anchors start, stop and crash all the time",
		Anchors:     300, Viewers: 1000, Views: 10, Duration: time.Minute, Updates: 30, WatchShare: 0.3,
		AnchorLife: 10 * time.Second, CrashShare: 0.3,
	},
	"slow": {
		Description: "every fifth viewer reads slower than the list changes",
		Anchors:     100, Viewers: 1000, Views: 5, Duration: time.Minute, Updates: 200, SlowShare: 0.2,
	},
	"crowd": {
		Description: "one view, which changes once a second, and as many viewers as one process may have sockets for",
		Anchors:     10, Viewers: 15000, Views: 1, Duration: 30 * time.Second, Updates: 1,
	},
	"starts": {
		Description: "a hundred starts a second, spread over so many views that most are quiet, each with three viewers",
		Anchors:     1000, Viewers: 1500, Views: 500, Duration: time.Minute, AnchorLife: 8 * time.Second,
	},
	"rolling": {
		Description: "for several nodes, which are restarted one after the other during the run",
		Anchors:     3000, Viewers: 6000, Views: 60, Duration: 3 * time.Minute, Updates: 30, MinResumed: 0.99,
	},
}

// JoinedNames returns the sorted names, separated by commas.
func JoinedNames() string {
	return strings.Join(slices.Sorted(maps.Keys(All)), ", ")
}
