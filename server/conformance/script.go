package conformance

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

//go:embed anchor.jsonl viewer.jsonl
var embeddedScripts embed.FS

// A Script is what a [Player] plays.
type Script struct {
	path    string // of the socket that it is about
	actions []action
}

// action is one line of a script: one of the verbs, and how it is meant.
type action struct {
	Welcome map[string]any `json:"welcome"`
	Step    string         `json:"step"`
	Do      string         `json:"do"`
	Show    []string       `json:"show"`
	Connect bool           `json:"connect"`
	Expect  map[string]any `json:"expect"`
	Beats   int            `json:"beats"`
	Send    map[string]any `json:"send"`
	Answer  map[string]any `json:"answer"`
	Acks    string         `json:"acks"`
	Close   int            `json:"close"`
	Drop    bool           `json:"drop"`
	QuietMS int            `json:"quiet_ms"`
	Never   []string       `json:"never"`

	How      string         `json:"how"`
	Unlike   map[string]any `json:"unlike"`
	As       string         `json:"as"`
	On       string         `json:"on"`
	Connects bool           `json:"connects"`
	EveryMS  int            `json:"every_ms"`
	AfterMS  int            `json:"after_ms"`
	WithinMS int            `json:"within_ms"`
	ForMS    int            `json:"for_ms"`
}

// EmbeddedScript returns a script that comes with this package: "anchor" or
// "viewer", named after the socket that it is about.
func EmbeddedScript(name string) (Script, error) {
	text, err := embeddedScripts.ReadFile(name + ".jsonl")
	if err != nil {
		return Script{}, fmt.Errorf("there is no script %q", name)
	}
	return ParseScript(name, text)
}

// ParseScript reads a script about the socket of that name, "anchor" or "viewer". Its
// error names the line that is no action.
func ParseScript(name string, text []byte) (Script, error) {
	if name != "anchor" && name != "viewer" {
		return Script{}, fmt.Errorf("there is no socket %q", name)
	}
	s := Script{path: "/v1/" + name}
	for i, line := range strings.Split(string(text), "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		d := json.NewDecoder(bytes.NewReader([]byte(line)))
		d.DisallowUnknownFields()
		d.UseNumber() // ids come back digit for digit
		var a action
		if err := d.Decode(&a); err != nil {
			return Script{}, fmt.Errorf("line %d: %w", i+1, err)
		}
		if err := a.validate(); err != nil {
			return Script{}, fmt.Errorf("line %d: %w", i+1, err)
		}
		if len(s.actions) == 0 && a.Welcome == nil {
			return Script{}, fmt.Errorf("line %d: a script begins with its welcome", i+1)
		}
		s.actions = append(s.actions, a)
	}
	if len(s.actions) == 0 {
		return Script{}, errors.New("the script is empty")
	}
	return s, nil
}

// validate says what is wrong with an action.
func (a *action) validate() error {
	verbs := 0
	for _, has := range []bool{
		a.Welcome != nil, a.Step != "", a.Do != "", a.Show != nil, a.Connect, a.Expect != nil, a.Beats > 0, a.Send != nil, a.Answer != nil,
		a.Acks != "", a.Close != 0, a.Drop, a.QuietMS > 0, a.Never != nil,
	} {
		if has {
			verbs++
		}
	}
	switch {
	case verbs != 1:
		return fmt.Errorf("an action has one verb, not %d", verbs)
	case a.Beats > 0 && a.EveryMS <= 0:
		return errors.New("beats: every_ms is missing")
	case a.Never != nil && a.ForMS <= 0:
		return errors.New("never: for_ms is missing")
	case a.Acks != "" && a.Acks != acksYes && a.Acks != acksHeld && a.Acks != acksNo:
		return fmt.Errorf("acks: %q is none of yes, held, no", a.Acks)
	}
	return nil
}

// What becomes of beats.
const (
	acksYes  = "yes"
	acksHeld = "held"
	acksNo   = "no"
)
