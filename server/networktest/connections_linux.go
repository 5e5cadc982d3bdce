package networktest

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// SendQueues returns the bytes that wait in each TCP connection of the host to another
// one: the peer has not acknowledged them. The kernel also has connections that the
// process has closed, until their bytes are acknowledged or given up.
func (h *Host) SendQueues(to *Host) (bytes []int) {
	h.network.t.Helper()
	var table []byte
	var err error
	h.Run(func() { table, err = os.ReadFile("/proc/thread-self/net/tcp") })
	if err == nil {
		bytes, err = parseSendQueues(string(table), to.addr)
	}
	if err != nil {
		h.network.t.Errorf("connections: %v", err)
	}
	return bytes
}

// parseSendQueues reads the kernel's table of connections. It skips those that wait only
// for late packets.
func parseSendQueues(table string, to netip.Addr) (bytes []int, err error) {
	const timeWait = "06"
	for line := range strings.Lines(table) {
		fields := strings.Fields(line) // number, local and remote address, state, queues
		if len(fields) < 5 || fields[0] == "sl" || fields[3] == timeWait {
			continue
		}
		addr, err := hex.DecodeString(strings.Split(fields[2], ":")[0])
		if err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		slices.Reverse(addr) // it is a little-endian number
		if slices.Equal(addr, to.AsSlice()) {
			var size int
			if _, err := fmt.Sscanf(fields[4], "%x:", &size); err != nil {
				return nil, fmt.Errorf("%q: %w", line, err)
			}
			bytes = append(bytes, size)
		}
	}
	return bytes, nil
}
