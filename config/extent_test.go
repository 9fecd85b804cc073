package config

import (
	"testing"
	"time"

	"imapsync/conflict"
)

func TestExtentOfFolders(t *testing.T) {
	c, err := Parse("x.toml", []byte(`[accounts.a]
host = "h"
user = "u"
password = "p"
maildir = "m"
max_age = "2y"
max_size = "10MB"

[accounts.a.folder."Archive/*"]
max_age = "0s"
max_messages = 1000
body = "headers"
upgrade = "flagged"
`))
	if err != nil {
		t.Fatal(err)
	}
	a := c.Accounts[0]
	age := 2 * 365 * 24 * time.Hour
	if got, want := a.Policy("INBOX").Extent, (conflict.Extent{MaxAge: age, MaxSize: 10 << 20}); got != want {
		t.Errorf("INBOX: %+v, want %+v", got, want)
	}
	if got, want := a.Policy("Archive/2020").Extent, (conflict.Extent{MaxMessages: 1000, MaxSize: 10 << 20, Body: conflict.Headers, Upgrade: true}); got != want {
		t.Errorf("Archive: %+v, want %+v", got, want)
	}
}

func TestParseSize(t *testing.T) {
	for s, want := range map[string]int64{"0": 0, "512": 512, "10MB": 10 << 20, "1.5 GB": 3 << 29, "64kB": 64 << 10} {
		if got, err := ParseSize(s); got != want || err != nil {
			t.Errorf("%q: %d, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "big", "-1MB", "1TB", "1e3MB", "NaN", "0x10", "Inf", "+1", "1_0MB", "9000000000GB", "1025GB"} {
		if got, err := ParseSize(s); err == nil {
			t.Errorf("%q is %d", s, got)
		}
	}
}
