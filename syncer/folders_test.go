package syncer_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/syncer"
)

// TestFoldersAreRecordedTogether: making many folders in the Maildir takes no
// more transactions than making one.
func TestFoldersAreRecordedTogether(t *testing.T) {
	commits := func(folders int) int {
		b := newBench(t)
		for i := range folders {
			b.edit(simworld.Remote, simworld.Create, mail.FolderName(fmt.Sprintf("Folder %d", i)), "")
		}
		state := &counted{State: b.Record}
		b.Begin(time.Hour)
		report, err := syncer.Run(context.Background(), syncer.Account{Name: "sim", Identity: mail.Identity{Server: b.server, User: "me"},
			Maildir: "/Mail", Local: b.Disk, Remote: b.remote, State: state, Now: b.Now}, syncer.Options{Lanes: 2}, nil)
		if err != nil || len(report.Failures) > 0 || report.Folders < folders {
			t.Fatal(err, report.Failures, report.Folders)
		}
		return state.commits
	}
	if one, many := commits(1), commits(9); one != many {
		t.Errorf("%d transactions for one folder, %d for nine", one, many)
	}
}
