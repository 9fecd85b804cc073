package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"imapsync/config"
	"imapsync/mail"
	"imapsync/syncer"
)

func (p *program) verifyCommand() *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Usage:     "compare state, Maildir and server in full, every content, and explain each difference",
		ArgsUsage: "[ACCOUNT[/FOLDER]...]",
		Description: "Reads every file and fetches every message, so it takes as long as a first sync; nothing is changed. " +
			"A difference is pending when the next sync deals with it, and wrong when a sync would not see it or would take it for something else. " +
			"The exit code is 0 when nothing is wrong, however much is pending, and 1 when something is wrong or could not be compared; " +
			"what --repair has corrected counts no more.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "repair", Usage: "correct the state where it is wrong, so that the next sync matches those messages again by content; " +
				"Maildir and server are not touched; of the folders repaired that sync deletes no message, so what was deleted there since the last sync comes back"},
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
			stop := p.out.startProgress(lanes, false)
			defer stop()
			return p.each(c.Context, lanes, func(ctx context.Context, l *lane) int { return l.verify(ctx, c.Bool("repair"), wait) })
		},
	}
}

// verifyView shows one verification of an account.
type verifyView struct {
	runView
	repair     bool
	repairable int // wrong, and what --repair corrects
}

// The JSON objects of a verification (docs/json.md).
type (
	differenceObject struct {
		head
		Kind     syncer.FindingKind `json:"kind"`
		Severity syncer.Severity    `json:"severity"`
		Side     string             `json:"side,omitempty"`
		Folder   mail.FolderName    `json:"folder,omitempty"`
		UID      mail.UID           `json:"uid,omitempty"`
		Key      mail.Key           `json:"key,omitempty"`
		Text     string             `json:"text"`
		Repaired bool               `json:"repaired,omitempty"`
	}
	verifiedObject struct {
		head
		Outcome  string  `json:"outcome"`
		Exit     int     `json:"exit"`
		Folders  int     `json:"folders"`
		Messages int     `json:"messages"`
		Pending  int     `json:"pending"`
		Wrong    int     `json:"wrong"`
		Repaired int     `json:"repaired"`
		Harmless int     `json:"harmless"`
		Failures int     `json:"failures"`
		Seconds  float64 `json:"seconds"`
	}
)

// verify compares one account and returns the exit code. A run under way would
// look like differences, so it takes the account's lock.
func (l *lane) verify(ctx context.Context, repair bool, wait time.Duration) int {
	show := &verifyView{runView: runView{lane: l, bar: l.out.barOf(l.Name)}, repair: repair}
	s, err := l.openLocked(ctx, !repair, wait)
	if err != nil {
		return show.ended(ctx, &syncer.VerifyReport{}, err)
	}
	show.notice(s.note)
	report, err := syncer.Verify(ctx, s.Account, syncer.VerifyOptions{
		Lanes: l.Connections, Folders: l.folders, Repair: repair, Progress: show.bar.compared,
	}, show.difference)
	show.warnings(s.warnings())
	if cerr := s.close(); err == nil {
		err = cerr
	}
	return show.ended(ctx, report, err)
}

// openLocked is open under the account's lock in any case.
func (l *lane) openLocked(ctx context.Context, looking bool, wait time.Duration) (*session, error) {
	if !looking {
		return l.open(ctx, false, wait)
	}
	unlock, err := l.lock(ctx, wait)
	if err != nil {
		return nil, err
	}
	s, err := l.open(ctx, true, 0)
	if err != nil {
		return nil, errors.Join(err, unlock())
	}
	s.open = append([]func() error{unlock}, s.open...)
	return s, nil
}

// waitOf is the value of --wait.
func waitOf(c *cli.Context) (time.Duration, error) {
	if !c.IsSet("wait") {
		return 0, nil
	}
	wait, err := config.ParseDuration(c.String("wait"))
	if err != nil {
		return 0, usagef("%s: --wait: %v", c.Command.Name, err)
	}
	return wait, nil
}

// compared moves the bar of a verification.
func (b *bar) compared(folder mail.FolderName, read, expected int) {
	if b == nil {
		return
	}
	b.folder.Store(plain(string(folder)))
	b.bar.SetTotal(int64(expected), false)
	b.bar.SetCurrent(int64(read))
}

// difference shows a finding. What is wrong is shown even to who asked for quiet.
func (v *verifyView) difference(f syncer.Finding) {
	v.out.object(differenceObject{v.out.head("difference", v.Name), f.Kind, f.Severity, f.Side, f.Folder, f.UID, f.Key, f.Text, f.Repaired})
	word := string(f.Severity)
	switch {
	case f.Repaired:
		word = "repaired"
	case f.Severity == syncer.Wrong && f.Kind != syncer.FoundUnreadable && f.Kind != syncer.FoundState:
		v.repairable++
	}
	var at []string
	if f.Folder != "" {
		at = append(at, string(f.Folder))
	}
	if f.UID != 0 {
		at = append(at, fmt.Sprintf("uid %d", f.UID))
	}
	if f.Key != "" {
		at = append(at, "file "+string(f.Key))
	}
	line := v.Name + ": " + word + ": "
	if len(at) > 0 {
		line += strings.Join(at, " ") + ": "
	}
	line += f.Text
	switch {
	case f.Severity == syncer.Harmless:
		v.out.detail("%s", line)
	case f.Severity == syncer.Wrong && v.out.quiet:
		v.out.line(v.out.stderr, programName+": "+line)
	default:
		v.out.say("%s", line)
	}
}

// ended shows how the verification ended and returns its exit code.
func (v *verifyView) ended(ctx context.Context, r *syncer.VerifyReport, err error) int {
	v.bar.done()
	code := exitDone
	if r.Wrong > r.Repaired {
		code = exitFailed
	}
	for _, failure := range r.Failures {
		v.problem(failure)
		code = worse(code, exitCode(failure))
	}
	switch {
	case r.Interrupted || ctx.Err() != nil && err != nil:
		code = exitInterrupted
	case err != nil:
		v.problem(err)
		code = worse(code, exitCode(err))
	}
	v.out.object(verifiedObject{v.out.head("verified", v.Name), outcomeOf(code), code, r.Folders, r.Messages,
		r.Pending, r.Wrong, r.Repaired, r.Harmless, len(r.Failures), r.Finished.Sub(r.Started).Seconds()})
	switch {
	case code == exitInterrupted:
		v.out.say("%s: interrupted", v.Name)
	case err != nil:
		v.out.say("%s: not done", v.Name)
	default:
		v.out.say("%s: %s", v.Name, verifyText(r))
		v.advise(r)
	}
	return code
}

// verifyText is the line that ends a verification.
func verifyText(r *syncer.VerifyReport) string {
	text := fmt.Sprintf("%s, %s compared: %s pending, %d wrong", count(r.Folders, "folder"), count(r.Messages, "message"),
		count(r.Pending, "difference"), r.Wrong)
	if r.Repaired > 0 {
		text += fmt.Sprintf(", %d of them repaired", r.Repaired)
	}
	if r.Harmless > 0 {
		text += fmt.Sprintf(", %d harmless", r.Harmless)
	}
	if n := len(r.Failures); n > 0 {
		text += ", " + count(n, "failure")
	}
	return text
}

// advise says what to run next. The sync after a repair is the user's to begin:
// it may also carry out deletions that people made meanwhile.
func (v *verifyView) advise(r *syncer.VerifyReport) {
	switch {
	case r.Repaired > 0:
		v.out.say("%s: the state is corrected; to match those messages again, run: %s", v.Name, v.command("sync", v.Name))
	case v.repairable > 0 && !v.repair:
		v.out.say("%s: to correct the state, run: %s", v.Name, v.command("verify", "--repair", v.Name))
	}
}
