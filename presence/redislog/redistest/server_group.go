package redistest

import (
	"errors"
	"fmt"
	"slices"
)

// serverGroup are the servers of a Sentinel or a Cluster.
type serverGroup []*Server

func (g serverGroup) addrs() []string {
	addrs := make([]string, len(g))
	for i, s := range g {
		addrs[i] = s.Addr()
	}
	return addrs
}

func (g serverGroup) serverAt(addr string) (*Server, error) {
	i := slices.IndexFunc(g, func(s *Server) bool { return s.Addr() == addr })
	if i < 0 {
		return nil, fmt.Errorf("the test has no server at %q", addr)
	}
	return g[i], nil
}

var errDisagreement = errors.New("the servers do not agree yet")

// agreedServer returns the server at the address that all running voters report. It
// returns errDisagreement when they report different ones.
func (g serverGroup) agreedServer(voters serverGroup, reportedAddr func(voter *Server) (addr string, err error)) (*Server, error) {
	agreed := ""
	for _, voter := range voters {
		if !voter.isUp() {
			continue
		}
		addr, err := reportedAddr(voter)
		if err != nil {
			return nil, err
		}
		if agreed != "" && addr != agreed {
			return nil, errDisagreement
		}
		agreed = addr
	}
	return g.serverAt(agreed)
}

// replicaAuth returns the option with which replicas use the servers' password.
func replicaAuth(options []string) []string {
	if password := optionValue(options, "--requirepass"); password != "" {
		return []string{"--masterauth", password}
	}
	return nil
}

// optionValue returns the last value of an option, "" without one.
func optionValue(options []string, name string) string {
	for i, option := range slices.Backward(options) {
		if option == name && i+1 < len(options) {
			return options[i+1]
		}
	}
	return ""
}
