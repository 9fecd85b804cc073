package syncer_test

import (
	"context"
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
			if o.DeletionWins {
				return conflict.Policy{Deletion: conflict.Wins}
			}
			return conflict.Policy{}
		},
		Limits:    plan.Limits{Count: o.Count, Percent: o.Percent},
		FullCheck: 7 * 24 * time.Hour,
		Now:       w.Now,
	}
}

// engine does one run on a simulated world.
func engine(w *simworld.World, o simworld.Options) (*syncer.Report, error) {
	return syncer.Run(context.Background(), simAccount(w, o), syncer.Options{
		Full: o.Full, Lanes: 1, AcceptDeletions: o.Accept, AcceptFolders: o.AcceptFolders,
	}, nil)
}
