//go:build !race

package simulator

import (
	"encoding/json"
	"time"

	"onair/hub/wire"
)

// What an anchor does that calls over HTTP.

// call makes one call; its answer is what a socket would have been sent, nil
// where none came.
func (a *simAnchor) call(method, path, key string, body wire.Message) (wire.Message, *simNode) {
	var text []byte
	within := simPatience
	if body != nil {
		text = wire.Append(nil, body)
		if _, beat := body.(*wire.Beat); beat {
			within = ackWithin
		}
	}
	status, answer, n := a.w.hosts[a.on].call(method, path, a.token, key, text, within)
	if status == 0 {
		return nil, n
	}
	if status >= 300 {
		var p struct {
			Code   wire.ErrorCode `json:"code"`
			Reason string         `json:"reason"`
		}
		if json.Unmarshal(answer, &p) != nil {
			return nil, n
		}
		return &wire.Error{Code: p.Code, Reason: p.Reason}, n
	}
	m, err := wire.DecodeServerMessage(answer)
	if err != nil {
		a.w.oracle.violate("bad-message", "%s: %v", answer, err)
		return nil, n
	}
	return m, n
}

func (a *simAnchor) path() string { return "/v1/streams/" + a.session.code }

// broadcastHTTP is broadcast for who calls.
func (a *simAnchor) broadcastHTTP(until time.Time) {
	for a.live && !a.over() {
		began := time.Now()
		if !began.Before(until) && a.w.since() < simActs {
			a.finishHTTP()
			return
		}
		a.beats++
		m, n := a.call("POST", a.path()+"/beat", "", &wire.Beat{N: a.beats, Session: a.session.Session.String()})
		switch m := m.(type) {
		case *wire.Ack:
			a.tries = 0
			if !m.Pending {
				a.w.oracle.acknowledged(a.session, began, n)
			} else {
				a.elsewhere()
			}
			if a.rng.IntN(2) == 0 && a.w.since() < simActs {
				a.updateHTTP()
			}
			a.sleep(simInterval - between(a.rng, 0, 50*time.Millisecond) - time.Since(began))
			continue
		case *wire.Error:
			if m.Code == wire.CodeSessionGone {
				a.live = false
				a.w.oracle.over(a.session, m.Reason, n)
				return
			}
		}
		a.elsewhere()
		a.sleep(a.backOff())
	}
}

func (a *simAnchor) updateHTTP() {
	title := a.name + " " + string(a.id())
	a.w.note("%s renames through n%d", a.name, a.on+1)
	a.w.oracle.named(a.session, title, false, true)
	m := &wire.Update{Session: a.session.Session.String()}
	m.Title.Set, m.Title.Value = true, title
	if answer, _ := a.call("PATCH", a.path(), "", m); answer != nil {
		if _, ok := answer.(*wire.Updated); ok {
			a.w.oracle.named(a.session, title, true, true)
		}
	}
}

func (a *simAnchor) finishHTTP() {
	if a.rng.IntN(3) == 0 {
		a.w.oracle.leaves(a.session, "it calls no more")
		return
	}
	a.w.oracle.leaves(a.session, "stop")
	key := "stop " + a.session.String()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end) && !a.over(); {
		m, n := a.call("DELETE", a.path()+"?session="+a.session.Session.String(), key, nil)
		switch m := m.(type) {
		case *wire.Stopped:
			a.w.oracle.halted(a.session)
			return
		case *wire.Error:
			if m.Code == wire.CodeSessionGone {
				a.w.oracle.over(a.session, m.Reason, n)
				return
			}
		}
		a.elsewhere()
		a.sleep(a.backOff())
	}
}
