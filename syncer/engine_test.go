package syncer_test

import (
	"context"
	"maps"
	"slices"
	"time"

	"imapsync/conflict"
	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/plan"
	"imapsync/syncer"
)

// simAccount is the account of a simulated world.
func simAccount(w *simworld.World, o simworld.Options) syncer.Account {
	return syncer.Account{
		Name:     "sim",
		Identity: mail.Identity{Server: "imap.example.org:993", User: "me"},
		Local:    w.Disk, Remote: w.Server, State: w.Record,
		Policy: func(mail.FolderName) conflict.Policy {
			p := o.Policy()
			if p.Extent == (conflict.Extent{}) {
				p.Extent = w.Extent
			}
			return p
		},
		Select:    func(f mail.FolderName) bool { return !o.TrashApart || f != o.Trash },
		Trash:     o.Trash,
		Limits:    plan.Limits{Count: o.Count, Percent: o.Percent},
		FullCheck: 7 * 24 * time.Hour,
		Now:       w.Now,
		Wait:      w.Wait,
	}
}

// engine does one run on a simulated world.
func engine(w *simworld.World, o simworld.Options) (*syncer.Report, error) {
	return engineWith(func(*syncer.Account) {})(w, o)
}

// engineWith does runs on accounts that were changed, say to do wrong. With two
// lanes batches are small, so that several of a folder are under way.
func engineWith(change func(*syncer.Account)) simworld.Engine {
	return func(w *simworld.World, o simworld.Options) (*syncer.Report, error) {
		account := simAccount(w, o)
		change(&account)
		return syncer.Run(context.Background(), account, syncer.Options{
			Full: o.Full, Lanes: max(1, o.Lanes), Batch: o.Lanes % 3, Attempts: o.Attempts, AcceptDeletions: o.Accept, AcceptFolders: o.AcceptFolders,
			Folders: slices.Collect(maps.Keys(o.Fetch)), Fetch: o.Fetch,
		}, nil)
	}
}
