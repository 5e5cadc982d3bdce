package main

import (
	"fmt"

	"github.com/dustin/go-humanize"
)

// Report is all that a run came to. Its JSON is for machines.
type Report struct {
	Result           string   `json:"result"`
	ClientOverloaded bool     `json:"client_overloaded"` // so that latencies are too high
	Profile          string   `json:"profile"`
	Options          Profile  `json:"options"`
	Seed             uint64   `json:"seed"`
	Rows             []Row    `json:"rows"`
	Examples         []string `json:"examples,omitempty"`

	Latency   Latencies      `json:"latency"`
	SameNode  *Latencies     `json:"latency_same_node,omitempty"` // the anchor was at the viewer's node
	OtherNode *Latencies     `json:"latency_other_node,omitempty"`
	Starts    StartLatencies `json:"starts"`

	Client   ClientFigures   `json:"client"`
	Server   *ServerFigures  `json:"server,omitempty"` // all nodes together
	Nodes    []NodeFigures   `json:"nodes,omitempty"`
	Viewers  ViewerFigures   `json:"viewers"`
	Anchors  AnchorFigures   `json:"anchors"`
	Compared comparison      `json:"compared"`
	Faults   map[string]int  `json:"faults"`
	Reasons  map[string]int  `json:"reasons,omitempty"` // why sockets ended and requests were refused
	Series   []SecondFigures `json:"series"`
}

type Latencies struct {
	Samples     int64   `json:"samples"`
	P50         float64 `json:"p50_ms"`
	P90         float64 `json:"p90_ms"`
	P99         float64 `json:"p99_ms"`
	P999        float64 `json:"p999_ms"`
	Max         float64 `json:"max_ms"`
	percentiles []percentile
}

func (l *Latencies) String() string {
	return fmt.Sprintf("p50 %.1f ms, p90 %.1f, p99 %.1f, p99.9 %.1f, max %.1f (%s samples)",
		l.P50, l.P90, l.P99, l.P999, l.Max, humanize.Comma(l.Samples))
}

// StartLatencies are latencies from the start of a stream to a viewer that has
// read the diff with it, by whether the view had been still for a second, and
// by whether the stream was started at the viewer's node.
type StartLatencies struct {
	QuietSameNode  *Latencies `json:"quiet_same_node,omitempty"`
	QuietOtherNode *Latencies `json:"quiet_other_node,omitempty"`
	BusySameNode   *Latencies `json:"busy_same_node,omitempty"`
	BusyOtherNode  *Latencies `json:"busy_other_node,omitempty"`
}

type ClientFigures struct {
	CPUPerDiff  float64 `json:"cpu_us_per_diff"`      // of the whole program
	LoopPerDiff float64 `json:"loop_cpu_us_per_diff"` // of the viewers' loop alone
	CPUCores    float64 `json:"cpu_cores"`
	LagP99      float64 `json:"lag_p99_ms"`
	Busy        float64 `json:"loop_busy"` // share of the time
}

type ServerFigures struct {
	CPUCores   float64 `json:"cpu_cores"`
	CPUPerDiff float64 `json:"cpu_us_per_diff"`
	Memory     int     `json:"memory_peak_bytes"`
	Slow       int     `json:"slow_viewers"` // times that one was left behind
}

type NodeFigures struct {
	URL      string  `json:"url"` // of its metrics
	CPUCores float64 `json:"cpu_cores"`
	Memory   int     `json:"memory_peak_bytes"`
	Slow     int     `json:"slow_viewers"`
	Restarts int     `json:"restarts"` // while measuring
}

type ViewerFigures struct {
	Peak              int     `json:"most"` // that had a list at once
	Diffs             int     `json:"diffs"`
	DiffsPerSec       float64 `json:"diffs_per_second"`
	Bytes             int     `json:"bytes"`
	Snapshots         int     `json:"snapshots"`
	Resumes           int     `json:"resumes"`
	Absences          int     `json:"strolls"`
	Likes             int     `json:"likes"`
	LikesAcknowledged int     `json:"likes_acknowledged"`
	Disconnects       int     `json:"disconnects"`
	Refusals          int     `json:"refusals"`
	Errors            int     `json:"errors"`
	Drained           int     `json:"drained"` // sockets that a node sent on

	Reconnects                   int `json:"reconnects"` // with a position
	ReconnectsResumed            int `json:"reconnects_resumed"`
	ReconnectsToRestarted        int `json:"reconnects_to_restarted"` // in the last minute
	ReconnectsToRestartedResumed int `json:"reconnects_to_restarted_resumed"`
}

type AnchorFigures struct {
	Peak                int   `json:"most"` // on air at once
	Starts              int64 `json:"starts"`
	Stops               int64 `json:"stops"`
	Crashes             int64 `json:"crashes"`
	Resumes             int64 `json:"resumes"`
	Beats               int64 `json:"beats"`
	Updates             int64 `json:"updates"`
	UpdatesAcknowledged int64 `json:"updates_acknowledged"`
	Disconnects         int64 `json:"disconnects"`
	Errors              int64 `json:"errors"`
	Drained             int64 `json:"drained"`             // sockets that a node sent on
	Refusals            int64 `json:"refusals"`            // not let in, or told to try again
	Failovers           int64 `json:"moves"`               // for want of an ack, or because of a notice
	Expired             int64 `json:"expired"`             // sessions, for missed beats
	Unjudged            int   `json:"departures_unjudged"` // of streams that are not this run's
}

type SecondFigures struct {
	At          float64 `json:"t"` // seconds of the run
	Viewers     int     `json:"viewers"`
	Anchors     int     `json:"anchors"`
	Diffs       int     `json:"diffs"`
	Bytes       int     `json:"bytes"`
	P50         float64 `json:"p50_ms"`
	P99         float64 `json:"p99_ms"`
	ClientCPU   float64 `json:"client_cores"`
	Busy        float64 `json:"loop_busy"`
	ServerCPU   float64 `json:"server_cores"`
	ServerBytes int     `json:"server_memory_bytes"`
	Connections int     `json:"server_connections"`
}
