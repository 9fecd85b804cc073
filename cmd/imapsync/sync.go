package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"imapsync/mail"
	"imapsync/state"
	"imapsync/syncer"
)

func (p *program) syncCommand() *cli.Command {
	accept := &optionalValues{}
	return &cli.Command{
		Name:      "sync",
		Usage:     "make both sides the same",
		ArgsUsage: "[ACCOUNT[/FOLDER]...]",
		Description: "Brings every change of the Maildir to the server and every change of the server to the Maildir, " +
			"for the accounts and folders named, else for all of them.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "print what would be done, and why, and do nothing"},
			pullFlag, pushFlag,
			&cli.BoolFlag{Name: "full", Usage: "compare every message, whatever the server and the file system say of changes"},
			&cli.GenericFlag{Name: "accept-deletions", Value: accept, DefaultText: "none",
				Usage: "carry out the deletions that were held, of every folder or with =`FOLDER` of that one; may be repeated"},
			&cli.StringFlag{Name: "wait", Usage: "wait `TIME`, such as 30s or 5m, for another run on the account to end"},
		},
		Action: func(c *cli.Context) error {
			wait, err := waitOf(c)
			if err != nil {
				return err
			}
			lanes, err := p.lanes(c, true)
			if err != nil {
				return err
			}
			options := syncer.Options{
				DryRun: c.Bool("dry-run"), Full: c.Bool("full"), Pull: c.Bool("pull"), Push: c.Bool("push"),
				AcceptDeletions: accept.bare || len(accept.values) > 0,
			}
			if !accept.bare { // without a folder, every folder
				for _, f := range accept.values {
					options.AcceptFolders = append(options.AcceptFolders, folderName(f))
				}
			}
			return p.runAll(c.Context, lanes, options, wait)
		},
	}
}

// One direction alone; both flags are the same as neither.
var (
	pullFlag = &cli.BoolFlag{Name: "pull", Usage: "carry out the changes of the server alone, as far as the key pull of the configuration has them"}
	pushFlag = &cli.BoolFlag{Name: "push", Usage: "carry out the changes of the Maildir alone, as far as push has them; with --pull both"}
)

func (p *program) planCommand() *cli.Command {
	return &cli.Command{
		Name:      "plan",
		Usage:     "print what sync would do, and why",
		ArgsUsage: "[ACCOUNT[/FOLDER]...]",
		Description: "The same as sync --dry-run: looks at both sides, changes nothing, takes no lock. " +
			"What is not carried out, because pull or push leave it out, is counted at the end.",
		Flags: []cli.Flag{pullFlag, pushFlag},
		Action: func(c *cli.Context) error {
			lanes, err := p.lanes(c, true)
			if err != nil {
				return err
			}
			return p.runAll(c.Context, lanes, syncer.Options{DryRun: true, Pull: c.Bool("pull"), Push: c.Bool("push")}, 0)
		},
	}
}

// runAll carries out one run on each lane.
func (p *program) runAll(ctx context.Context, lanes []*lane, options syncer.Options, wait time.Duration) error {
	stop := p.out.startProgress(lanes, options.DryRun)
	defer stop()
	var mu sync.Mutex
	unknown := map[mail.FolderName]int{} // accounts that lack the folder
	err := p.each(ctx, lanes, func(ctx context.Context, l *lane) int {
		report, code := l.run(ctx, options, wait)
		if report != nil {
			mu.Lock()
			defer mu.Unlock()
			for _, name := range report.Unknown {
				unknown[name]++
			}
		}
		return code
	})
	for _, name := range options.AcceptFolders {
		if unknown[name] == len(lanes) {
			p.out.problem("", fmt.Errorf("sync: --accept-deletions=%s: there is no such folder", name), lanes[0].command("folders")+" lists what there is")
			err = ended(worse(exitCode(err), exitFailed))
		}
	}
	return err
}

// run carries out one run and tells how it went. The report is nil when it
// could not begin.
func (l *lane) run(ctx context.Context, options syncer.Options, wait time.Duration) (*syncer.Report, int) {
	options.Lanes = l.Connections
	options.Folders, options.Fetch = l.folders, l.fetch
	options.Attempts = attempts
	show := &runView{lane: l, dryRun: options.DryRun, bar: l.out.barOf(l.Name), news: l.newNews()}
	report, err := l.runOnce(ctx, options, wait, show)
	if state.IsDamaged(err) && !options.DryRun {
		var note string
		if note, err = l.replaceDamaged(ctx, err, wait); err == nil {
			show.notice(note)
			report, err = l.runOnce(ctx, options, wait, show)
		}
	}
	code := show.ended(ctx, report, err)
	if !options.DryRun {
		l.runHooks(ctx, show.news, report, err, code)
	}
	return report, code
}

// attempts is how often in a row a run tries to go on without getting anything
// done: with the waits between them about half a minute, as a restart of the
// server or a change of networks takes.
const attempts = 6

func (l *lane) runOnce(ctx context.Context, options syncer.Options, wait time.Duration, show *runView) (*syncer.Report, error) {
	s, err := l.open(ctx, options.DryRun, wait)
	if err != nil {
		return nil, err
	}
	show.notice(s.note)
	report, err := syncer.Run(ctx, s.Account, options, show.event)
	show.warnings(s.warnings())
	show.news.locate(context.WithoutCancel(ctx), s.dir)
	if err == nil && !options.DryRun && !report.Interrupted {
		err = l.prune(ctx)
	}
	if cerr := s.close(); err == nil {
		err = cerr
	}
	return report, err
}

// prune deletes for good what was kept for long enough: with keep_deleted at 0,
// also what was kept before that was set.
func (l *lane) prune(ctx context.Context) error {
	dir, err := l.openKept()
	if err != nil {
		return err
	}
	return dir.Prune(ctx, l.now().Add(-l.KeepDeleted))
}
