package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTable(t *testing.T) {
	r := result{"first sync", 40 * time.Millisecond, nil, nil}
	for _, s := range []time.Duration{9, 1, 2} { // the median is 2
		r.add("imapsync", times{s * time.Second, s * time.Second / 2})
		r.add("mbsync", times{4 * s * time.Second, s * time.Second})
	}
	const want = "| first sync | 40ms | 2.000 | 8.000 | **4.0** | 1.000 | 2.000 |\n"
	if got := table([]result{r}); !strings.HasSuffix(got, want) {
		t.Errorf("%s", got)
	}
}

func TestCheckCountsMessages(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"Mail/INBOX/cur/1:2,S", "Mail/INBOX/new/2", "Mail/A/B/cur/3", "Mail/INBOX/.mbsyncstate", "Mail/INBOX/cur/.hidden"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := check(dir, 3); err != nil {
		t.Error(err)
	}
	if err := check(dir, 4); err == nil {
		t.Error("a missing message is not noticed")
	}
}
