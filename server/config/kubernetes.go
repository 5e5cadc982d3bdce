package config

import (
	"regexp"
	"strings"
)

// serviceVariable matches the variables that Kubernetes gives each pod for each Service of its
// namespace: ONAIR_SERVICE_HOST and the like for a Service called onair, and as for links of
// Docker ONAIR_PORT=tcp://…
// (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables).
var serviceVariable = regexp.MustCompile(`^ONAIR(_[A-Z0-9_]+)?_(SERVICE_HOST=|SERVICE_PORT(_[A-Z0-9_]+)?=|PORT=(tcp|udp|sctp)://|PORT_[0-9]+_(TCP|UDP|SCTP)(_PROTO|_PORT|_ADDR)?=)`)

// isKubernetesVariable reports whether Kubernetes sets a variable, so that it is not meant as a
// key.
func isKubernetesVariable(assignment string) bool { return serviceVariable.MatchString(assignment) }

// kubernetesVariables are the names of the variables that are ignored as those of Kubernetes.
func kubernetesVariables(environ []string) (names []string) {
	for _, assignment := range environ {
		if isKubernetesVariable(assignment) {
			name, _, _ := strings.Cut(assignment, "=")
			names = append(names, name)
		}
	}
	return names
}
