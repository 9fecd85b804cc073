package state

import (
	"context"
	"reflect"
	"testing"
	"time"

	"imapsync/mail"
)

func TestQuarantineIsReplaced(t *testing.T) {
	ctx := context.Background()
	d := newState(t)
	at := time.UnixMilli(1_700_000_000_123).UTC()
	want := []mail.Quarantined{
		{Folder: "INBOX", UID: 7, UIDValidity: 3, Tries: 1, Since: at, Retry: at, Error: "no content"},
		{Folder: "Sent", Key: "k", Digest: mail.Digest{1}, Tries: 4, Since: at.Add(time.Second), Retry: at.Add(time.Hour), Error: "NO"},
	}
	for _, set := range [][]mail.Quarantined{want, want[1:], {}} {
		if err := d.Commit(ctx, mail.Batch{Quarantine: &set}); err != nil {
			t.Fatal(err)
		}
		if err := d.Commit(ctx, mail.Batch{Run: &mail.RunRecord{Started: at}}); err != nil { // leaves it alone
			t.Fatal(err)
		}
		got, err := d.Quarantine(ctx)
		if err != nil || len(got) != len(set) || len(set) > 0 && !reflect.DeepEqual(got, set) {
			t.Errorf("got %v, %v; want %v", got, err, set)
		}
	}
	if err := d.Check(ctx); err != nil {
		t.Error(err)
	}
}

func TestPauseComesAndGoes(t *testing.T) {
	ctx := context.Background()
	d := newState(t)
	for _, want := range []mail.Pause{{}, {Until: time.UnixMilli(1_700_000_000_000).UTC(), Said: "in a minute"}, {Until: time.UnixMilli(1_800_000_000_000).UTC(), Said: "later"}, {}} {
		if err := d.Commit(ctx, mail.Batch{Pause: &want}); err != nil {
			t.Fatal(err)
		}
		if got, err := d.Pause(ctx); err != nil || got != want {
			t.Errorf("got %v, %v; want %v", got, err, want)
		}
	}
}

func TestDrafts(t *testing.T) {
	ctx := context.Background()
	d := newState(t)
	draft, dWord, kept, other := row("INBOX", 1, "a"), row("INBOX", 2, "b"), row("Drafts", 1, "c"), row("Work", 1, "d")
	draft.Flags = mail.NewFlags(mail.Draft|mail.Seen, "todo")
	dWord.Flags = mail.NewFlags(mail.Seen, "Delayed") // a D that is no letter of a flag
	both := row("Drafts", 2, "e")
	both.Flags = mail.NewFlags(mail.Draft)
	if err := d.Commit(ctx, mail.Batch{Put: []*mail.Base{draft, dWord, kept, other, both}}); err != nil {
		t.Fatal(err)
	}
	rows, err := d.Drafts(ctx, []mail.FolderName{"Drafts", "Unknown"})
	if err != nil {
		t.Fatal(err)
	}
	got := map[mail.Key]mail.FolderName{}
	for _, r := range rows {
		got[r.Key] = r.Folder
	}
	if want := (map[mail.Key]mail.FolderName{"a": "INBOX", "c": "Drafts", "e": "Drafts"}); len(rows) != 3 || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
