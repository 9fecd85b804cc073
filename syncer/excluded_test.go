package syncer_test

import (
	"testing"
	"time"

	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/syncer"
)

// A folder that the configuration leaves out is not known any more when it is taken
// in again: that it is not there on a side is no deletion.
func TestExcludedFolder(t *testing.T) {
	for name, side := range map[string]simworld.Side{"in the Maildir": simworld.Local, "on the server": simworld.Remote} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			for _, m := range []string{"A", "B", "C"} {
				b.edit(simworld.Remote, simworld.Add, "Archive", m)
				b.edit(simworld.Remote, simworld.Add, "Work", m+m)
			}
			b.settled()
			without := b.account()
			without.Select = func(f mail.FolderName) bool { return f != "Archive" }
			run := func(o syncer.Options) {
				t.Helper()
				b.Begin(time.Hour)
				o.Lanes = 1
				if r, err := syncer.Run(t.Context(), without, o, nil); err != nil || len(r.Failures) > 0 {
					t.Fatal(r.Failures, err)
				}
			}
			run(syncer.Options{})
			b.edit(side, simworld.Remove, "Archive", "")
			b.edit(side, simworld.Delete, "Work", "AA")
			run(syncer.Options{})
			b.settled()
			b.want("Archive/A Archive/B Archive/C Work/BB Work/CC")
		})
	}
}

// A run on other folders leaves nothing out for good.
func TestChosenFoldersExcludeNone(t *testing.T) {
	b := newBench(t)
	b.edit(simworld.Remote, simworld.Add, "Archive", "A")
	b.edit(simworld.Remote, simworld.Add, "Archive", "B")
	b.edit(simworld.Remote, simworld.Create, "Work", "")
	b.settled()
	b.run(syncer.Options{Folders: []mail.FolderName{"Work"}})
	b.edit(simworld.Local, simworld.Delete, "Archive", "A")
	b.settled()
	b.want("Archive/B Work/")
}
