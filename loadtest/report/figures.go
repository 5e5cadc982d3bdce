// Package report has the figures of a load test and its verdict, and writes them as
// text, as JSON and as an HTML page.
package report

import "onair/loadtest/profile"

// Report is the result of a run. Its JSON is for programs.
type Report struct {
	Verdict
	Setup
	DeliveryLatencies

	Client   ClientFigures   `json:"client"`
	Server   *ServerFigures  `json:"server,omitempty"` // the sum of all nodes
	Nodes    []NodeFigures   `json:"nodes,omitempty"`
	Viewers  ViewerFigures   `json:"viewers"`
	Anchors  AnchorFigures   `json:"anchors"`
	Compared Comparison      `json:"compared"`
	Reasons  map[string]int  `json:"reasons,omitempty"` // of socket ends and refused requests
	Series   []SecondFigures `json:"series"`
}

// Results of a row, and of the verdict.
const (
	Passed = "PASS"
	Failed = "FAIL"
	Warned = "WARN" // does not fail the run
)

// Verdict is the result of each check.
type Verdict struct {
	Result           string         `json:"result"`            // Passed or Failed
	ClientOverloaded bool           `json:"client_overloaded"` // then latencies are too high
	Rows             []Row          `json:"rows"`
	Faults           map[string]int `json:"faults"`
	Examples         []string       `json:"examples,omitempty"` // of faults
}

// Row is the result of one check.
type Row struct {
	Check  string `json:"what"`
	Got    string `json:"got"`
	Want   string `json:"want"`
	Result string `json:"result"`
}

// Setup is what the run was asked for.
type Setup struct {
	Profile string          `json:"profile"`
	Options profile.Profile `json:"options"`
	Seed    uint64          `json:"seed"`
}

// DeliveryLatencies are latencies from an anchor's command to a viewer that has the
// diff with it.
type DeliveryLatencies struct {
	Latency   Latencies      `json:"latency"`
	SameNode  *Latencies     `json:"latency_same_node,omitempty"` // of anchors at the viewer's node
	OtherNode *Latencies     `json:"latency_other_node,omitempty"`
	Starts    StartLatencies `json:"starts"`
}

// StartLatencies are latencies of starts alone: by whether the view had been quiet
// for a second, and by whether the anchor was at the viewer's node.
type StartLatencies struct {
	QuietSameNode  *Latencies `json:"quiet_same_node,omitempty"`
	QuietOtherNode *Latencies `json:"quiet_other_node,omitempty"`
	BusySameNode   *Latencies `json:"busy_same_node,omitempty"`
	BusyOtherNode  *Latencies `json:"busy_other_node,omitempty"`
}

// ClientFigures are the load test's own cost.
type ClientFigures struct {
	CPUPerDiff  float64 `json:"cpu_us_per_diff"`      // of the whole program
	LoopPerDiff float64 `json:"loop_cpu_us_per_diff"` // of the viewer loop alone
	CPUCores    float64 `json:"cpu_cores"`
	LagP99      float64 `json:"lag_p99_ms"`
	Busy        float64 `json:"loop_busy"` // share of the time
}

// ServerFigures are the cost of all servers.
type ServerFigures struct {
	CPUCores    float64 `json:"cpu_cores"`
	CPUPerDiff  float64 `json:"cpu_us_per_diff"`
	PeakMemory  int     `json:"memory_peak_bytes"`
	SlowViewers int     `json:"slow_viewers"` // times that a viewer was left behind
}

// NodeFigures are the cost of one server.
type NodeFigures struct {
	MetricsURL  string  `json:"url"`
	CPUCores    float64 `json:"cpu_cores"`
	PeakMemory  int     `json:"memory_peak_bytes"`
	SlowViewers int     `json:"slow_viewers"`
	Restarts    int     `json:"restarts"` // during the measured phase
}

// ViewerFigures are what viewers did and received.
type ViewerFigures struct {
	Peak              int     `json:"peak"` // viewers with a list at once
	Diffs             int     `json:"diffs"`
	DiffsPerSecond    float64 `json:"diffs_per_second"`
	Bytes             int     `json:"bytes"`
	Snapshots         int     `json:"snapshots"`
	Resumes           int     `json:"resumes"`
	Absences          int     `json:"absences"`
	Likes             int     `json:"likes"`
	LikesAcknowledged int     `json:"likes_acknowledged"`
	Disconnects       int     `json:"disconnects"`
	Refusals          int     `json:"refusals"`
	Errors            int     `json:"errors"`
	Drained           int     `json:"drained"` // sockets that a node sent to another
	Reconnects
}

// Reconnects counts reconnects of viewers with a position.
type Reconnects struct {
	All              int `json:"reconnects"`
	Resumed          int `json:"reconnects_resumed"`      // with a diff
	Restarted        int `json:"reconnects_to_restarted"` // to nodes that restarted in the last minute
	RestartedResumed int `json:"reconnects_to_restarted_resumed"`
}

// AnchorFigures are what anchors did.
type AnchorFigures struct {
	Peak                int   `json:"peak"` // anchors on air at once
	Starts              int64 `json:"starts"`
	Stops               int64 `json:"stops"`
	Crashes             int64 `json:"crashes"`
	Resumes             int64 `json:"resumes"`
	Beats               int64 `json:"beats"`
	Updates             int64 `json:"updates"`
	UpdatesAcknowledged int64 `json:"updates_acknowledged"`
	Disconnects         int64 `json:"disconnects"`
	Errors              int64 `json:"errors"`
	Drained             int64 `json:"drained"`             // sockets that a node sent to another
	Refusals            int64 `json:"refusals"`            // by nodes that did not admit, or asked for a retry
	Failovers           int64 `json:"failovers"`           // to another node, for a missing ack or a notice
	Expired             int64 `json:"expired"`             // sessions, for missed beats
	Unjudged            int   `json:"departures_unjudged"` // of streams that are not of this run
}

// Comparison is how many viewers' lists were compared with a fresh snapshot.
type Comparison struct {
	Equal   int `json:"equal"`
	Differ  int `json:"differ"`  // another list at the same position
	Waiting int `json:"waiting"` // no fresh snapshot at the viewer's position
}

// SecondFigures are the figures of one second.
type SecondFigures struct {
	At           float64 `json:"t"` // seconds of the run
	Viewers      int     `json:"viewers"`
	Anchors      int     `json:"anchors"`
	Diffs        int     `json:"diffs"`
	Bytes        int     `json:"bytes"`
	P50          float64 `json:"p50_ms"`
	P99          float64 `json:"p99_ms"`
	ClientCPU    float64 `json:"client_cores"`
	Busy         float64 `json:"loop_busy"`
	ServerCPU    float64 `json:"server_cores"`
	ServerMemory int     `json:"server_memory_bytes"`
	Connections  int     `json:"server_connections"`
}
