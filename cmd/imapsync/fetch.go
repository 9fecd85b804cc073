package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"imapsync/mail"
	"imapsync/syncer"
)

func (p *program) fetchCommand() *cli.Command {
	return &cli.Command{
		Name:      "fetch",
		Usage:     "fetch the whole of messages that are stubs or left on the server",
		ArgsUsage: "MESSAGE...",
		Description: "MESSAGE is named as for why: the path of its file, its Message-ID, or FOLDER:UID. The folders they are in are synchronised, " +
			"and the whole message takes the place of its stub, with its flags. One that max_age or max_messages had left on the server is held until they are " +
			"applied the next time, a day later at the soonest; flag it to keep it.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "wait", Usage: "wait `TIME`, such as 30s or 5m, for another run on the account to end"},
		},
		Action: func(c *cli.Context) error {
			wait, err := waitOf(c)
			if err != nil {
				return err
			}
			if !c.Args().Present() {
				return usagef("fetch: name messages: the paths of their files, their Message-IDs, or FOLDER:UID")
			}
			lanes, err := p.allLanes()
			if err != nil {
				return err
			}
			for _, word := range c.Args().Slice() {
				if err := want(c.Context, lanes, word); err != nil {
					return err
				}
			}
			lanes = slices.DeleteFunc(lanes, func(l *lane) bool { return l.fetch == nil })
			return p.runAll(c.Context, lanes, syncer.Options{}, wait)
		},
	}
}

// want notes for each account which of its messages a word means.
func want(ctx context.Context, lanes []*lane, word string) error {
	ways, err := waysToFind(lanes, word)
	if err != nil {
		return err
	}
	found := false
	for _, way := range ways {
		for _, l := range lanes {
			subjects, err := l.inquire(ctx, way)
			if err != nil {
				return err
			}
			for _, s := range subjects {
				if s.row == nil || s.row.UID == 0 {
					continue
				}
				found = true
				if l.fetch == nil {
					l.fetch = map[mail.FolderName][]mail.UID{}
				}
				if l.fetch[s.row.Folder] == nil {
					l.folders = append(l.folders, s.row.Folder)
				}
				l.fetch[s.row.Folder] = append(l.fetch[s.row.Folder], s.row.UID)
			}
		}
		if found {
			return nil
		}
	}
	return &mail.Fault{Doing: "fetch", Err: fmt.Errorf("no message on a server is known by %q", word),
		Hint: "run sync first; imapsync why tells what is known of it"}
}
