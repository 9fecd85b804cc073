package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"imapsync/mail"
	"imapsync/maildir"
	"imapsync/plan"
	"imapsync/state"
	"imapsync/syncer"
)

func (p *program) undoCommand() *cli.Command {
	return &cli.Command{
		Name:      "undo",
		Usage:     "put back what a run deleted from the Maildir",
		ArgsUsage: "[ACCOUNT] [RUN]",
		Description: "Puts the messages that a run deleted from the Maildir back where they were, with their flags; the next " +
			"sync uploads them again. RUN is the number that sync prints; without it, the last run that deleted anything. " +
			"ACCOUNT is needed only where several have something to put back. How long they are kept says keep_deleted.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "list", Usage: "print the runs that can be undone, and do nothing"},
			&cli.StringFlag{Name: "wait", Usage: "wait `TIME`, such as 30s or 5m, for another run on the account to end"},
		},
		Action: func(c *cli.Context) error {
			wait, err := waitOf(c)
			if err != nil {
				return err
			}
			lanes, run, err := p.undoArguments(c)
			if err != nil {
				return err
			}
			if c.Bool("list") {
				return p.inTurn(c.Context, lanes, func(ctx context.Context, l *lane) error { return l.listDeleted(ctx, run) })
			}
			lanes, err = p.lanesToUndo(c.Context, lanes, run)
			if err != nil {
				return err
			}
			return p.inTurn(c.Context, lanes, func(ctx context.Context, l *lane) error { return l.undo(ctx, run, wait) })
		},
	}
}

// lastRun stands for a RUN that was not given.
const lastRun = -1

// undoArguments takes ACCOUNT and RUN in either order, or as ACCOUNT/RUN.
func (p *program) undoArguments(c *cli.Context) ([]*lane, int64, error) {
	lanes, err := p.allLanes()
	if err != nil {
		return nil, 0, err
	}
	named := func(name string) *lane {
		i := slices.IndexFunc(lanes, func(l *lane) bool { return l.Name == name })
		if i < 0 {
			return nil
		}
		return lanes[i]
	}
	words := c.Args().Slice()
	if len(words) == 1 {
		if account, run, ok := strings.Cut(words[0], "/"); ok && named(account) != nil {
			words = []string{account, run}
		}
	}
	if len(words) > 2 {
		return nil, 0, usagef("undo: too many arguments from %q on", words[2])
	}
	run, chosen := int64(lastRun), (*lane)(nil)
	for _, w := range words {
		number, err := strconv.ParseInt(w, 10, 64)
		l := named(w)
		switch {
		case err == nil && number >= 0 && run == lastRun && (l == nil || len(words) == 1 || chosen != nil):
			run = number
		case l != nil && chosen == nil:
			chosen = l
		default:
			return nil, 0, usagef("undo: %q is neither an account nor the number of a run; %s shows what can be undone", w, lanes[0].command("undo", "--list"))
		}
	}
	if chosen != nil {
		lanes = []*lane{chosen}
	}
	return lanes, run, nil
}

// lanesToUndo chooses the account: the only one, or the only one in which there
// is anything of this run to put back. Where no run is named and none has anything,
// it is all of them, each of which says so.
func (p *program) lanesToUndo(ctx context.Context, lanes []*lane, run int64) ([]*lane, error) {
	if len(lanes) == 1 {
		return lanes, nil
	}
	var fit []*lane
	for _, l := range lanes {
		d, err := l.deleted(ctx)
		if err != nil {
			return nil, err
		}
		if x, err := deletionOf(d, run); err == nil && len(x.Kept) > 0 {
			fit = append(fit, l)
		}
	}
	switch {
	case len(fit) == 1:
		return fit, nil
	case len(fit) == 0 && run == lastRun:
		return lanes, nil
	}
	words := []string{"undo", "ACCOUNT"}
	if run != lastRun {
		words = append(words, strconv.FormatInt(run, 10))
	}
	ask := fmt.Sprintf("name it: %s; %s shows what can be undone", lanes[0].command(words...), lanes[0].command("undo", "--list"))
	if len(fit) == 0 {
		return nil, usagef("undo: none of the accounts has such a run to undo: %s", ask)
	}
	return nil, usagef("undo: several accounts have something to undo: %s", ask)
}

func deletionOf(d *syncer.Deleted, run int64) (syncer.Deletion, error) {
	if run == lastRun {
		return d.Last()
	}
	return d.Of(run)
}

// deleted looks at what runs deleted from the Maildir.
func (l *lane) deleted(ctx context.Context) (*syncer.Deleted, error) {
	dir, err := l.openKept()
	if err != nil {
		return nil, err
	}
	db, err := state.OpenReadOnly(ctx, l.stateFile())
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return syncer.FindDeleted(ctx, dir, db)
}

// deletionObject is what a run deleted and undo can put back; in JSON the event
// "undoable".
type deletionObject struct {
	head
	Run      int64             `json:"run"`
	Messages int               `json:"messages"`
	Bytes    int64             `json:"bytes"`
	Folders  []mail.FolderName `json:"folders"`
	Undo     string            `json:"undo"`
}

// listDeleted prints the runs that can be undone, or that one.
func (l *lane) listDeleted(ctx context.Context, run int64) error {
	d, err := l.deleted(ctx)
	if err != nil {
		return err
	}
	if !l.showDeleted(d, run) {
		l.out.say("%s: nothing to undo%s", l.Name, l.keptNothing())
	}
	return nil
}

func (l *lane) showDeleted(d *syncer.Deleted, run int64) (found bool) {
	for _, x := range d.Deletions {
		if len(x.Kept) == 0 || run != lastRun && run != x.Run {
			continue
		}
		found = true
		o := deletionObject{head{"undoable", l.Name, x.Time.UTC()}, x.Run, len(x.Kept), 0, x.Folders(), l.undoCommand(x.Run)}
		for _, k := range x.Kept {
			o.Bytes += k.Size
		}
		l.out.object(o)
		l.out.say("%s: %s: %s, %s, deleted from %s; to put back: %s", l.Name, runName(x.Run, x.Time),
			count(o.Messages, "message"), size(o.Bytes), folderList(o.Folders), o.Undo)
	}
	return found
}

// keptNothing says why there may be nothing to undo, where the configuration
// is the reason.
func (l *lane) keptNothing() string {
	if l.KeepDeleted == 0 {
		return ": keep_deleted is 0, so deleted messages are not kept"
	}
	return ""
}

func runName(run int64, at time.Time) string {
	name := fmt.Sprintf("run %d", run)
	if run == syncer.NoRun {
		name = "a run of which nothing is known"
	}
	return name + " of " + at.Local().Format(clock)
}

// folderList names folders, a few of many.
func folderList(names []mail.FolderName) string {
	const most = 5
	var words []string
	for i, n := range names {
		if i == most {
			words = append(words, fmt.Sprintf("%d more", len(names)-most))
			break
		}
		words = append(words, plain(string(n)))
	}
	return strings.Join(words, ", ")
}

// undoCommand is the command line that undoes a run.
func (l *lane) undoCommand(run int64) string {
	words := []string{"undo"}
	if !l.only {
		words = append(words, l.Name)
	}
	return l.command(append(words, strconv.FormatInt(run, 10))...)
}

// The JSON objects of an undo (docs/json.md).
type (
	putBackObject struct {
		head
		Run    int64           `json:"run"`
		Folder mail.FolderName `json:"folder"`
		Key    mail.Key        `json:"key"`
		Flags  []string        `json:"flags"`
	}
	undoneObject struct {
		head
		Run      int64             `json:"run"` // 0 also where there was nothing to undo
		Messages int               `json:"messages"`
		Folders  []mail.FolderName `json:"folders"`
		Failures int               `json:"failures"`
		Present  int               `json:"present"` // not put back
	}
)

// undo puts back what a run deleted from the Maildir.
func (l *lane) undo(ctx context.Context, run int64, wait time.Duration) (err error) {
	unlock, err := l.lock(ctx, wait)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	db, err := state.Open(ctx, l.stateFile())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	dir, err := l.openKept()
	if err != nil {
		return err
	}
	all, err := syncer.FindDeleted(ctx, dir, db)
	if err != nil {
		return err
	}
	d, err := deletionOf(all, run)
	if errors.Is(err, syncer.ErrNothingToUndo) {
		l.out.object(undoneObject{head: l.out.head("undone", l.Name), Folders: []mail.FolderName{}})
		l.out.say("%s: %v%s", l.Name, err, l.keptNothing())
		return nil
	}
	if err != nil {
		l.showDeleted(all, lastRun) // what there is instead
		return err
	}
	if _, err := l.loginName(ctx); err != nil {
		return err
	}
	return l.putBack(ctx, l.account(dir, nil, db), dir, d)
}

// putBack carries an undo out and tells of it.
func (l *lane) putBack(ctx context.Context, account syncer.Account, dir *maildir.Maildir, d syncer.Deletion) error {
	done, err := syncer.Undo(ctx, account, dir, d, func(k mail.Kept, as mail.Key, present bool) {
		if present {
			l.out.detail("%s: %s: %s is not put back: the folder has the same message as %s", l.Name, k.Folder, k.Key, as)
			return
		}
		l.out.object(putBackObject{l.out.head("put back", l.Name), d.Run, k.Folder, as, append([]string{}, k.Flags.IMAP()...)})
		l.out.detail("%s: %s: %s is back", l.Name, k.Folder, as)
	})
	for _, f := range done.Failures {
		l.problem(f)
	}
	l.out.object(undoneObject{l.out.head("undone", l.Name), d.Run, len(done.Back), d.Folders(), len(done.Failures), len(done.Present)})
	l.sayUndone(d, done)
	if err == nil && len(done.Failures) > 0 {
		err = ended(exitFailed)
	}
	return err
}

func (l *lane) sayUndone(d syncer.Deletion, done syncer.Undone) {
	run := runName(d.Run, d.Time)
	if n := len(done.Present); n > 0 {
		l.out.say("%s: %s of %s not put back: %s already has the same", l.Name,
			count(n, "message"), run, folderList(syncer.Deletion{Kept: done.Present}.Folders()))
	}
	if n := len(done.Back); n > 0 {
		l.out.say("%s: %s of %s back in %s; the next sync uploads what the server lacks", l.Name,
			count(n, "message"), run, folderList(syncer.Deletion{Kept: done.Back}.Folders()))
	} else if len(done.Present) == 0 {
		l.out.say("%s: nothing of %s was put back", l.Name, run)
	}
}

// undoHint tells with a run's summary how to undo its deletions, "" where it
// made none or keeps nothing.
func (v *runView) undoHint(r *syncer.Report) string {
	n := r.Counts[plan.DeleteLocal]
	if v.dryRun || n == 0 || r.Run == 0 || v.KeepDeleted == 0 {
		return ""
	}
	them := "them"
	if n == 1 {
		them = "it"
	}
	return fmt.Sprintf(" (%s brings %s back)", v.undoCommand(r.Run), them)
}
