package cloud

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

// TestTC3Authorization checks the example of the provider's documentation.
func TestTC3Authorization(t *testing.T) {
	data, err := os.ReadFile("testdata/signing.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []struct {
		Name, Expected string
		Inputs         json.RawMessage
	}
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		if v.Name != "tc3-hmac-sha256" {
			continue
		}
		var in struct {
			SecretKey string `json:"secret_key"`
			Timestamp int64
			DateUTC   string `json:"date_utc"`
			Service   string
			Host      string
			Payload   string
		}
		if err := json.Unmarshal(v.Inputs, &in); err != nil {
			t.Fatal(err)
		}
		want := "TC3-HMAC-SHA256 Credential=me/" + in.DateUTC + "/" + in.Service + "/tc3_request, SignedHeaders=content-type;host, Signature=" + v.Expected
		// The date is in UTC for every time zone.
		for _, zone := range []*time.Location{time.UTC, time.FixedZone("", 14*3600), time.FixedZone("", -12*3600)} {
			if got := tc3Authorization("me", in.SecretKey, in.Service, in.Host, time.Unix(in.Timestamp, 0).In(zone), []byte(in.Payload)); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		}
		if strings.Contains(want, in.SecretKey) {
			t.Error("the header contains the key")
		}
		return
	}
	t.Fatal("the vector is not there")
}
