//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"onair/hub/socket"
)

// TestConsumeFramesAtEveryCut cuts a server's frames in two at every byte.
func TestConsumeFramesAtEveryCut(t *testing.T) {
	var sizes []int
	var all []byte
	for _, n := range []int{0, 1, 125, 126, 300, 70_000} {
		start := len(all)
		all = socket.Message{Head: []byte(strings.Repeat("x", n))}.AppendFrame(all, false)
		sizes = append(sizes, len(all)-start)
		all = append(all, 0x89, 1, 'p') // a ping, which is not counted
	}
	cuts := []int{len(all)}
	for i := range 1000 {
		cuts = append(cuts, i, len(all)-i)
	}
	for _, cut := range cuts {
		v := &viewer{}
		var got []int
		pings := 0
		onText := func(_ *viewer, p []byte) { got = append(got, len(p)) }
		for _, p := range [][]byte{all[:cut], all[cut:]} {
			if err := v.consumeFrames(p, onText, func(payload []byte) {
				if pings++; string(payload) != "p" {
					t.Errorf("ping %q", payload)
				}
			}); err != nil {
				t.Fatal(err)
			}
		}
		at := 0
		want := slices.Clone(sizes)
		for i, n := range sizes {
			if at < cut && cut < at+n {
				want[i] = 0 // came in pieces
			}
			at += n + 3
		}
		if !slices.Equal(got, want) || pings != len(sizes) {
			t.Fatalf("cut at %d: got %v and %d pings, want %v", cut, got, pings, want)
		}
	}
}

func TestConsumeFramesRefusesClientFrames(t *testing.T) {
	for _, frame := range []string{"\x01\x01x", "\xc1\x01x", "\x82\x01x", "\x81\x81abcdx", "\xff"} {
		if err := (&viewer{}).consumeFrames([]byte(frame), func(*viewer, []byte) {}, nil); err == nil {
			t.Errorf("%q is taken for a server's frame", frame)
		}
	}
}

// TestConsumeHandshakeAtEveryCut cuts the answer to a handshake in two at every byte.
func TestConsumeHandshakeAtEveryCut(t *testing.T) {
	const head, rest = "HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\n", "\x81\x01x"
	for cut := range len(head + rest) {
		v := &viewer{}
		var got strings.Builder
		for _, p := range []string{(head + rest)[:cut], (head + rest)[cut:]} {
			if v.state == stateOpen {
				got.WriteString(p)
				continue
			}
			after, err := v.consumeHandshake([]byte(p))
			if err != nil {
				t.Fatal(err)
			}
			got.WriteString(string(after))
		}
		if v.state != stateOpen || got.String() != rest {
			t.Errorf("cut at %d: phase %d, rest %q", cut, v.state, got.String())
		}
	}
	if _, err := (&viewer{}).consumeHandshake([]byte("HTTP/1.1 403 Forbidden\r\n\r\n")); err == nil {
		t.Error("a refusal is taken for an upgrade")
	}
}

func TestFigureVerdict(t *testing.T) {
	for _, test := range []struct {
		f    figure
		want string
	}{
		{figure{bar: 1.15, aim: 1.05, digits: 2, values: []float64{3, 1, 1.02}}, "≤ 1.15 (aim 1.05) 1.02 met, aim too"},
		{figure{bar: 1.15, aim: 1.05, digits: 2, values: []float64{1, 1.2}}, "≤ 1.15 (aim 1.05) 1.10 met"},
		{figure{bar: 75, aim: noBar, values: []float64{76}}, "≤ 75 76 **missed**"},
		{figure{bar: 1, aim: noBar, isMinimum: true, values: []float64{0.9}, digits: 1}, "≥ 1.0 0.9 **missed**"},
		{figure{bar: noBar, aim: noBar, values: []float64{5}}, "– 5 "},
	} {
		if got := fmt.Sprint(test.f.barText(), " ", test.f.formatNumber(test.f.median()), " ", test.f.verdict()); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}
