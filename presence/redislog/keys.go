package redislog

// keys are the names of what is stored. All are in one slot of a cluster: that
// of the prefix.
type keys struct {
	log, head, nodes, snapshots, snapshot, lock string

	recordings, byStart, byEnd, byAnchor, byCode string // of the archive
}

func keysOf(prefix string) keys {
	name := func(of string) string { return "{" + prefix + "}:" + of }
	return keys{
		log: name("log"), head: name("head"), nodes: name("nodes"), snapshots: name("snapshots"),
		snapshot: name("snapshot:"), lock: name("lock"),
		recordings: name("recordings"), byStart: name("recordings:start"), byEnd: name("recordings:end"),
		byAnchor: name("recordings:anchor:"), byCode: name("recordings:code:"),
	}
}
