//go:build !race

package simulator

import (
	"encoding/json"
	"time"

	"onair/hub/wire"
)

// callHTTP makes one call and returns the answer as a message of the protocol, or nil without
// an answer.
func (a *simAnchor) callHTTP(method, path, key string, body wire.Message) (wire.Message, *simNode) {
	var text []byte
	timeout := answerTimeout
	if body != nil {
		text = wire.Append(nil, body)
		if _, beat := body.(*wire.Beat); beat {
			timeout = ackTimeout
		}
	}
	status, answer, n := a.w.hosts[a.hostIndex].callHTTP(method, path, a.token, key, text, timeout)
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
		a.w.oracle.reportFault("bad-message", "%s: %v", answer, err)
		return nil, n
	}
	return m, n
}

func (a *simAnchor) streamPath() string { return "/v1/streams/" + a.session.code }

// stayLiveOverHTTP is stayLive for an anchor without a socket.
func (a *simAnchor) stayLiveOverHTTP(until time.Time) {
	for a.isLive && !a.isOver() {
		began := time.Now()
		if !began.Before(until) && a.w.elapsed() < simChangesEnd {
			a.endSessionOverHTTP()
			return
		}
		a.beatCount++
		m, n := a.callHTTP("POST", a.streamPath()+"/beat", "", &wire.Beat{N: a.beatCount, Session: a.session.Session.String()})
		switch m := m.(type) {
		case *wire.Ack:
			a.attempts = 0
			if !m.Pending {
				a.w.oracle.recordAck(a.session, began, n)
			} else {
				a.chooseOtherHost()
			}
			if a.rng.IntN(2) == 0 && a.w.elapsed() < simChangesEnd {
				a.updateOverHTTP()
			}
			a.sleep(simInterval - randomDuration(a.rng, 0, 50*time.Millisecond) - time.Since(began))
			continue
		case *wire.Error:
			if m.Code == wire.CodeSessionGone {
				a.isLive = false
				a.w.oracle.recordEndReport(a.session, m.Reason, n)
				return
			}
		}
		a.chooseOtherHost()
		a.sleep(a.nextBackoff())
	}
}

func (a *simAnchor) updateOverHTTP() {
	title := a.name + " " + string(a.nextID())
	a.w.traceEvent("%s updates through n%d", a.name, a.hostIndex+1)
	a.w.oracle.recordTitle(a.session, title, false, true)
	m := &wire.Update{Session: a.session.Session.String()}
	m.Title.Set, m.Title.Value = true, title
	if answer, _ := a.callHTTP("PATCH", a.streamPath(), "", m); answer != nil {
		if _, ok := answer.(*wire.Updated); ok {
			a.w.oracle.recordTitle(a.session, title, true, true)
		}
	}
}

func (a *simAnchor) endSessionOverHTTP() {
	if a.rng.IntN(3) == 0 {
		a.w.oracle.recordLeaving(a.session, "it calls no more")
		return
	}
	a.w.oracle.recordLeaving(a.session, "stop")
	key := "stop " + a.session.String()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end) && !a.isOver(); {
		m, n := a.callHTTP("DELETE", a.streamPath()+"?session="+a.session.Session.String(), key, nil)
		switch m := m.(type) {
		case *wire.Stopped:
			a.w.oracle.recordStopped(a.session)
			return
		case *wire.Error:
			if m.Code == wire.CodeSessionGone {
				a.w.oracle.recordEndReport(a.session, m.Reason, n)
				return
			}
		}
		a.chooseOtherHost()
		a.sleep(a.nextBackoff())
	}
}
