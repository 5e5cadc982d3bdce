package hub

import (
	"fmt"
	"testing"
	"time"

	"onair/hub/socket"
	"onair/hub/wire"
	"onair/presence"
)

// TestDiffDeflatesToLessThanHalf checks a diff of eight entries with signed URLs.
// Codes, user ids, titles, numbers and signatures do not shrink: 32 hexadecimal
// digits are at least 16 bytes.
func TestDiffDeflatesToLessThanHalf(t *testing.T) {
	for _, play := range [][]string{nil, {"flv"}, {"flv", "hls"}} {
		for _, n := range []int{1, 2, 4, 8} {
			plain, deflated := signedDiffSizes(t, play, n)
			ratio := float64(deflated) / float64(plain)
			t.Logf("%d entries with URLs of %v: %d bytes, deflated %d: %.2f", n, play, plain, deflated, ratio)
			if n == 8 && ratio > 0.45 {
				t.Errorf("eight entries with URLs of %v deflate to %.2f, want at most 0.45", play, ratio)
			}
		}
	}
}

// sampleTitles have little in common.
var sampleTitles = []string{
	"Morning coffee and chords", "Ranked until diamond", "今晚一起唱歌", "Baking sourdough, step two",
	"新手第一次直播", "Chess with viewers", "Unboxing: what came today", "深夜电台 聊聊天",
}

// signedDiffSizes returns the sizes of a diff that adds n streams to a view.
func signedDiffSizes(t *testing.T, play []string, n int) (plain, deflated int) {
	l := newWorkload(benchScale{streams: 100})
	q, e := l.hub.normalizeQuery(&wire.Subscribe{Sort: "started", Play: play})
	if e != nil {
		t.Fatal(e)
	}
	v, _ := l.hub.findOrCreateView(q, time.Now())
	var entry []presence.Change
	for i := range n {
		st := l.newStream(i)
		st.Title = sampleTitles[i%len(sampleTitles)]
		st.Code, st.Anchor = fmt.Sprintf("8888_%d", l.rand.Int32()), fmt.Sprint(l.rand.Int32())
		st.Cover = fmt.Sprintf("https://covers.example/%016x.jpg", l.rand.Uint64())
		st.Viewers, st.Likes = l.viewerTarget(i), 10*l.viewerTarget(i)
		entry = append(entry, presence.Change{New: st})
	}
	from := v.published
	l.applyEntry(entry)
	m := l.hub.currentState(v)
	l.hub.setDeltaFromPublished(v, &m)
	f := l.hub.encoder.encodeDiff(v, diffMessage, &from, &m, &l.hub.delta)
	if len(l.hub.delta.put) != n {
		t.Fatalf("%d entries came, want %d", len(l.hub.delta.put), n)
	}
	message := socket.Message{Body: socket.NewBody(f.text)}
	return len(message.AppendFrame(nil, false)), len(message.AppendFrame(nil, true))
}
