package redistest

import (
	"errors"
	"fmt"
	"slices"
)

// servers are those of a Sentinel or a Cluster.
type servers []*Server

// addrs is where they listen.
func (all servers) addrs() []string {
	addrs := make([]string, len(all))
	for i, s := range all {
		addrs[i] = s.Addr()
	}
	return addrs
}

// at finds the one that listens there.
func (all servers) at(addr string) (*Server, error) {
	i := slices.IndexFunc(all, func(s *Server) bool { return s.Addr() == addr })
	if i < 0 {
		return nil, fmt.Errorf("no server of this test is at %q", addr)
	}
	return all[i], nil
}

// errDisagree is returned when not all say the same.
var errDisagree = errors.New("they do not agree yet")

// agreed asks all that are up for an address, and finds the server there.
func (all servers) agreed(asked servers, ask func(*Server) (addr string, err error)) (*Server, error) {
	said := ""
	for _, s := range asked {
		if !s.up() {
			continue
		}
		addr, err := ask(s)
		if err != nil {
			return nil, err
		}
		if said != "" && addr != said {
			return nil, errDisagree
		}
		said = addr
	}
	return all.at(said)
}

// secret is the password among the options, with which they follow each other.
func secret(options []string) []string {
	if word := option(options, "--requirepass"); word != "" {
		return []string{"--masterauth", word}
	}
	return nil
}

// option is what the options set last.
func option(options []string, name string) string {
	for i, word := range slices.Backward(options) {
		if word == name && i+1 < len(options) {
			return options[i+1]
		}
	}
	return ""
}
