package signing

import "testing"

func TestLowerHexTime(t *testing.T) {
	if got := string(lowerHexTime.appendTime([]byte("AB"), 0x5C2710AF)); got != "AB5c2710af" {
		t.Errorf("got %s", got)
	}
	if _, ok := lowerHexTime.parseTime("5c2710af"); !ok {
		t.Error("a valid time is refused")
	}
	for _, bad := range []string{"5C2710AF", "5c2710aF", "5c2710a", "5c2710af0", "+c2710af"} {
		if got, ok := lowerHexTime.parseTime(bad); ok {
			t.Errorf("%q is read as %d", bad, got)
		}
	}
}

func TestDecimalTimeHasTenDigits(t *testing.T) {
	for unix, want := range map[int64]string{
		-1: "0000000000", 0: "0000000000", 7: "0000000007", 946684800: "0946684800", 999999999: "0999999999", 1000000000: "1000000000",
		1800000000: "1800000000", maxDecimalTime: "9999999999", maxDecimalTime + 1: "9999999999",
	} {
		if got := string(decimalTime.appendTime(nil, unix)); got != want {
			t.Errorf("%d: got %s, want %s", unix, got, want)
		}
		if got, ok := decimalTime.parseTime(want); !ok || got != min(max(unix, 0), maxDecimalTime) {
			t.Errorf("%s is read as %d, %v", want, got, ok)
		}
	}
	for _, bad := range []string{"", "180000000", "18000000000", "+180000000", "-180000000", " 180000000", "18000000_0", "180000000a"} {
		if got, ok := decimalTime.parseTime(bad); ok {
			t.Errorf("%q is read as %d", bad, got)
		}
	}
}
