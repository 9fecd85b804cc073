package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"imapsync/mail"
	"imapsync/state"
)

func (p *program) conflictsCommand() *cli.Command {
	return &cli.Command{
		Name:        "conflicts",
		Usage:       "print the messages that both sides had changed, and the rule that decided",
		ArgsUsage:   "[ACCOUNT...]",
		Description: "Reads the history in the state, newest first.",
		Action: func(c *cli.Context) error {
			lanes, err := p.lanes(c, false)
			if err != nil {
				return err
			}
			return p.inTurn(c.Context, lanes, func(ctx context.Context, l *lane) error {
				db, err := state.OpenReadOnly(ctx, l.stateFile())
				if err != nil {
					return err
				}
				defer db.Close()
				entries, err := db.History(ctx, state.Trail{Conflicts: true})
				if err == nil {
					l.showConflicts(entries)
				}
				return err
			})
		},
	}
}

// conflictObject is a conflict of an earlier run; in JSON the event
// "past conflict".
type conflictObject struct {
	head
	Run    int64           `json:"run"`
	Folder mail.FolderName `json:"folder"`
	UID    mail.UID        `json:"uid,omitempty"`
	Key    mail.Key        `json:"key,omitempty"`
	Action string          `json:"action"`
	Rule   string          `json:"rule"`
	Reason string          `json:"reason"`
}

func (l *lane) showConflicts(entries []mail.Entry) {
	if len(entries) == 0 {
		l.out.say("%s: no conflicts", l.Name)
	}
	for _, e := range entries {
		h := head{"past conflict", l.Name, e.Time.UTC()}
		l.out.object(conflictObject{h, e.Run, e.Folder, e.UID, e.Key, e.Action, e.Rule, e.Reason})
		which := ""
		if e.UID != 0 {
			which += fmt.Sprintf(" uid %d", e.UID)
		}
		if e.Key != "" {
			which += " file " + string(e.Key)
		}
		l.out.say("%s: %s %s%s: %s: %s (rule: %s)", l.Name, e.Time.Local().Format(clock), e.Folder, which, e.Action, e.Reason, e.Rule)
	}
}
