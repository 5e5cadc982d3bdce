package redislog

// keys are the names of the keys. In a Cluster the prefix puts them in one slot.
type keys struct {
	log, head, nodes, snapshots, lock string
	snapshotPrefix                    string // followed by the snapshot's name
	trialPrefix                       string // followed by the name of a scratch key

	recordings, recordingsByStart, recordingsByEnd string
	recordingsByAnchorPrefix                       string // followed by the anchor
	recordingsByCodePrefix                         string // followed by the live code
}

func newKeys(prefix string) keys {
	key := func(name string) string { return "{" + prefix + "}:" + name }
	return keys{
		log: key("log"), head: key("head"), nodes: key("nodes"), snapshots: key("snapshots"),
		snapshotPrefix: key("snapshot:"), lock: key("lock"), trialPrefix: key("trial:"),
		recordings: key("recordings"), recordingsByStart: key("recordings:start"), recordingsByEnd: key("recordings:end"),
		recordingsByAnchorPrefix: key("recordings:anchor:"), recordingsByCodePrefix: key("recordings:code:"),
	}
}
