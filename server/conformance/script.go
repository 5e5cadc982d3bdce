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

// Script is a parsed script for a [Player].
type Script struct {
	path  string // of the socket
	steps []step // the first has no name, and begins with the welcome
}

// step is what the report names and judges.
type step struct {
	name    string
	actions []action
}

// action is one line of a script: exactly one verb, and its modifiers.
type action struct {
	verbs
	modifiers
}

// verbs are the verbs of actions.
type verbs struct {
	// Verbs that set the state of the player or address the tester.
	Welcome map[string]any `json:"welcome"`
	Step    string         `json:"step"`
	Do      string         `json:"do"`
	Show    []string       `json:"show"`
	Acks    string         `json:"acks"`

	// Verbs for what the client must or must not do.
	Connect bool           `json:"connect"`
	Expect  map[string]any `json:"expect"`
	Beats   int            `json:"beats"`
	QuietMS int            `json:"quiet_ms"`
	Never   []string       `json:"never"`

	// Verbs for what the server does.
	Send   map[string]any `json:"send"`
	Answer map[string]any `json:"answer"`
	Close  int            `json:"close"`
	Drop   bool           `json:"drop"`
}

// modifiers say how, when or where an action happens.
type modifiers struct {
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

// Values of acks.
const (
	acksYes  = "yes"
	acksHeld = "held"
	acksNo   = "no"
)

// EmbeddedScript returns the script of this package for the socket "anchor" or "viewer".
func EmbeddedScript(socket string) (Script, error) {
	text, err := embeddedScripts.ReadFile(socket + ".jsonl")
	if err != nil {
		return Script{}, fmt.Errorf("no script for the socket %q: must be anchor or viewer", socket)
	}
	return ParseScript(socket, text)
}

// ParseScript parses a script for the socket "anchor" or "viewer". Its error names the
// invalid line.
func ParseScript(socket string, text []byte) (Script, error) {
	if socket != "anchor" && socket != "viewer" {
		return Script{}, fmt.Errorf("no socket %q: must be anchor or viewer", socket)
	}
	s := Script{path: "/v1/" + socket, steps: make([]step, 1)}
	for i, line := range strings.Split(string(text), "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		d := json.NewDecoder(bytes.NewReader([]byte(line)))
		d.DisallowUnknownFields()
		d.UseNumber() // ids keep all their digits
		var a action
		if err := d.Decode(&a); err != nil {
			return Script{}, fmt.Errorf("line %d: %w", i+1, err)
		}
		if err := a.validate(); err != nil {
			return Script{}, fmt.Errorf("line %d: %w", i+1, err)
		}
		switch current := &s.steps[len(s.steps)-1]; {
		case len(s.steps[0].actions) == 0 && a.Welcome == nil:
			return Script{}, fmt.Errorf("line %d: the first action must be welcome", i+1)
		case a.Step != "":
			s.steps = append(s.steps, step{name: a.Step})
		default:
			current.actions = append(current.actions, a)
		}
	}
	if len(s.steps[0].actions) == 0 {
		return Script{}, errors.New("the script is empty")
	}
	return s, nil
}

func (a *action) validate() error {
	verbs := 0
	for _, isSet := range []bool{
		a.Welcome != nil, a.Step != "", a.Do != "", a.Show != nil, a.Connect, a.Expect != nil, a.Beats > 0, a.Send != nil, a.Answer != nil,
		a.Acks != "", a.Close != 0, a.Drop, a.QuietMS > 0, a.Never != nil,
	} {
		if isSet {
			verbs++
		}
	}
	switch {
	case verbs != 1:
		return fmt.Errorf("an action must have one verb, has %d", verbs)
	case a.Beats > 0 && a.EveryMS <= 0:
		return errors.New("beats: every_ms is required")
	case a.Never != nil && a.ForMS <= 0:
		return errors.New("never: for_ms is required")
	case a.Acks != "" && a.Acks != acksYes && a.Acks != acksHeld && a.Acks != acksNo:
		return fmt.Errorf("acks: invalid value %q: must be yes, held or no", a.Acks)
	}
	return nil
}
