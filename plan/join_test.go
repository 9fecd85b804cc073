package plan

import (
	"fmt"
	"testing"

	"imapsync/mail"
)

// TestAgreedMessagesCostNothing: a folder has up to a million messages, of which
// a run finds few changed; only those are worth memory.
func TestAgreedMessagesCostNothing(t *testing.T) {
	f := &Folder{Name: "A", Known: true, Settled: true,
		Local:  mail.LocalSnapshot{Folder: "A", Exists: true, Space: mail.FullSpace(), Messages: map[mail.Key]mail.Local{}},
		Remote: mail.RemoteSnapshot{Folder: "A", Exists: true, Space: mail.FullSpace(), Messages: map[mail.UID]mail.Remote{}}}
	for uid := mail.UID(1); uid <= 1000; uid++ {
		row := &mail.Base{ID: int64(uid), Folder: "A", UID: uid, Key: mail.Key(fmt.Sprint("k", uid)), Flags: mail.NewFlags(mail.Seen)}
		f.Base = append(f.Base, row)
		f.Local.Messages[row.Key] = mail.Local{Key: row.Key, Flags: row.Flags}
		f.Remote.Messages[uid] = mail.Remote{UID: uid, Flags: row.Flags}
	}
	changed := f.Local.Messages["k7"]
	changed.Flags = mail.NewFlags(mail.Seen | mail.Flagged)
	f.Local.Messages["k7"] = changed
	var p *Plan
	allocs := testing.AllocsPerRun(10, func() { p = Make(Input{Folders: []*Folder{f}}) })
	if len(p.Ops) != 1 || p.Ops[0].Kind != SetFlags || p.Ops[0].Row != f.Base[6] {
		t.Errorf("operations %v, want one that sets the flag", p.Ops)
	}
	if allocs > 100 {
		t.Errorf("%v allocations for 1000 messages of which one changed", allocs)
	}
}
