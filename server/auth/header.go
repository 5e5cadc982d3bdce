package auth

import (
	"net/http"
	"strings"
)

// BearerToken returns the token of the Authorization header; hasHeader is false without
// one. ErrHeader is returned for another form or several headers.
func BearerToken(r *http.Request) (token string, hasHeader bool, err error) {
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		return "", false, nil
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	if len(values) > 1 || !ok || !strings.EqualFold(scheme, "Bearer") || token == "" || strings.ContainsAny(token, " ,") {
		return "", true, ErrHeader
	}
	return token, true, nil
}
