package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// asksWhy asks onair what decided the state of a stream, and says it. It
// returns the rule.
func (st *stage) asksWhy(ctx context.Context, code string) (rule string, err error) {
	token, err := st.token(ctx, "admin", "operator")
	if err != nil {
		return "", err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+st.api+"/v1/streams/"+code+"/why", nil)
	if err != nil {
		return "", err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Close = true // nothing is asked again soon
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var account struct{ Rule, Explanation string }
	if err := json.NewDecoder(res.Body).Decode(&account); err != nil || account.Rule == "" {
		return "", fmt.Errorf("why is not answered: HTTP %d, %w", res.StatusCode, err)
	}
	st.say("operator  asks why: %s, %s", account.Rule, account.Explanation)
	return account.Rule, nil
}
