package state

import (
	"context"
	"slices"
	"strings"
	"testing"

	"imapsync/mail"
)

// keysOf are the keys of rows, sorted.
func keysOf(t *testing.T, rows []*mail.Base, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, r := range rows {
		keys = append(keys, string(r.Key))
	}
	slices.Sort(keys)
	return strings.Join(keys, " ")
}

// Parts of a folder are found by what names them, and never those of another.
func TestPartsOfAFolder(t *testing.T) {
	ctx := context.Background()
	d := newState(t)
	marked := row("INBOX", 5, "marked")
	marked.Flags = mail.NewFlags(mail.Deleted | mail.Seen)
	keyword := row("INBOX", 6, "T")
	keyword.Flags = mail.NewFlags(mail.Seen, "Todo") // a T that is no flag
	odd := row("INBOX", 4294967295, "caf\xe9 \xff:1,S")
	commit(t, d, mail.Batch{Put: []*mail.Base{odd, row("INBOX", 30, "thirty"), row("INBOX", 4, "four"), marked, keyword,
		{Folder: "INBOX", Key: "unnumbered"}, {Folder: "INBOX", UID: 9}, row("Other", 4, "other"), row("Other", 30, "marked")}})

	uids, err := d.UIDs(ctx, "INBOX")
	if err != nil || !slices.Equal(uids, []mail.UID{4, 5, 6, 9, 30, 4294967295}) {
		t.Errorf("UIDs %v, %v", uids, err)
	}
	if uids, err := d.UIDs(ctx, "Nowhere"); err != nil || len(uids) != 0 {
		t.Errorf("UIDs of no folder %v, %v", uids, err)
	}
	rows, err := d.LooseRows(ctx, "INBOX")
	if got := keysOf(t, rows, err); got != " marked unnumbered" || len(rows) != 3 {
		t.Errorf("loose: %q", got)
	}
	rows, err = d.RowsByUID(ctx, "INBOX", []mail.UID{30, 4, 4294967295, 7, 4})
	if got := keysOf(t, rows, err); got != "caf\xe9 \xff:1,S four thirty" {
		t.Errorf("by UID: %q", got)
	}
	if full := row("INBOX", 4, "four"); !slices.ContainsFunc(rows, func(r *mail.Base) bool { return same(r, full) }) {
		t.Errorf("not as it was: %+v", rows)
	}
	rows, err = d.RowsByKey(ctx, "INBOX", []mail.Key{"caf\xe9 \xff:1,S", "other", "marked"})
	if got := keysOf(t, rows, err); got != "caf\xe9 \xff:1,S marked" {
		t.Errorf("by key: %q", got)
	}
	if rows, err := d.RowsByUID(ctx, "INBOX", nil); err != nil || rows != nil {
		t.Errorf("by no UID: %v, %v", rows, err)
	}
}

// Of the rows that are not loose those are read of which like is false; flags and
// keys are told as they are.
func TestRowsUnlike(t *testing.T) {
	ctx := context.Background()
	d := newState(t)
	put := []*mail.Base{{Folder: "INBOX", Key: "unnumbered"}, {Folder: "INBOX", UID: 9999}, row("Other", 1, "other")}
	for i := range 1200 {
		r := row("INBOX", mail.UID(i+1), mail.Key("k"+strings.Repeat("x", i)))
		if i%2 == 0 {
			r.Flags = mail.NewFlags(mail.Flagged)
		}
		put = append(put, r)
	}
	commit(t, d, mail.Batch{Put: put})
	flagged := 0
	rows, err := d.RowsUnlike(ctx, "INBOX", func(key mail.Key, flags mail.Flags) bool {
		if flags.Equal(mail.NewFlags(mail.Flagged)) {
			flagged++
		} else if !flags.Equal(row("", 0, "").Flags) {
			t.Errorf("%s has %v", key, flags)
		}
		return len(key) < 1190
	})
	if err != nil || flagged != 600 {
		t.Errorf("%d flagged, %v", flagged, err)
	}
	// k and i times x: 1190 bytes from i = 1189 on
	if len(rows) != 2+11 {
		t.Errorf("%d rows", len(rows))
	}
	for _, r := range rows {
		if r.Key != "" && r.UID != 0 && !same(r, put[2+int(r.UID)]) {
			t.Errorf("row %+v", r)
		}
	}
}
