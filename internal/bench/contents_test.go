package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOnDisk(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"INBOX/cur/1,U=1:2,Sa": "Subject: one\nX-TUID: abc\n\nx\n", "INBOX/new/2": "two", "A/B/cur/3:2,FS": "three",
		"INBOX/.mbsyncstate": "", "INBOX/cur/.hidden": "", "INBOX/tmp/4": "half",
	} {
		write(t, filepath.Join(dir, name), text)
	}
	got, err := onDisk(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	want := contents{
		key("INBOX", []byte("Subject: one\r\n\r\nx\r\n"), "S"): 1, key("INBOX", []byte("two"), ""): 1, key("A/B", []byte("three"), "FS"): 1,
	}
	if err := compare(got, want); err != nil {
		t.Error(err)
	}
	counts, err := onDisk(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := compare(counts, contents{"INBOX": 2, "A/B": 1}); err != nil {
		t.Error(err)
	}
}

func TestCompareNamesDifferences(t *testing.T) {
	err := compare(contents{"once": 1, "twice": 2}, contents{"twice": 1, "gone": 1, "once": 1})
	if err == nil || !strings.Contains(err.Error(), "- gone") || !strings.Contains(err.Error(), "+ twice") || strings.Contains(err.Error(), "once") {
		t.Errorf("%v", err)
	}
}

func TestToggleFlagged(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ before, after string }{
		{"cur/1:2,S", "cur/1:2,FS"}, {"cur/2:2,FSa", "cur/2:2,Sa"}, {"new/3", "cur/3:2,F"},
	} {
		write(t, filepath.Join(dir, c.before), "x")
		if err := os.MkdirAll(filepath.Join(dir, "cur"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := toggleFlagged(filepath.Join(dir, c.before)); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, c.after)); err != nil {
			t.Error(err)
		}
	}
}
