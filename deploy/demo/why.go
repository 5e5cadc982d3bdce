package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// queryWhy asks onair for the rule that decided a stream's state, and prints it.
func (env *environment) queryWhy(ctx context.Context, code string) (rule string, err error) {
	token, err := env.mintToken(ctx, "admin", "operator")
	if err != nil {
		return "", err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+env.addrs.api+"/v1/streams/"+code+"/why", nil)
	if err != nil {
		return "", err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Close = true // the next request is far away
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var why struct{ Rule, Explanation string }
	if err := json.NewDecoder(res.Body).Decode(&why); err != nil || why.Rule == "" {
		return "", fmt.Errorf("why: HTTP %d, %w", res.StatusCode, err)
	}
	env.printf("operator  queries the reason: %s, %s", why.Rule, why.Explanation)
	return why.Rule, nil
}
