package main

import (
	"context"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"imapsync/mail"
	"imapsync/state"
)

func (p *program) statusCommand() *cli.Command {
	return &cli.Command{
		Name:        "status",
		Usage:       "print when each account was last synchronised and what waits for you",
		ArgsUsage:   "[ACCOUNT...]",
		Description: "Reads the state only: neither the server nor the Maildir is looked at.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "metrics", Usage: "write to `FILE`, for the textfile collector of Prometheus's node_exporter, in place of printing"},
		},
		Action: func(c *cli.Context) error {
			lanes, err := p.lanes(c, false)
			if err != nil {
				return err
			}
			if c.IsSet("metrics") {
				return p.statusMetrics(c.Context, lanes, c.String("metrics"))
			}
			return p.inTurn(c.Context, lanes, func(ctx context.Context, l *lane) error {
				s, err := l.readStatus(ctx)
				if err == nil {
					l.showStatus(s)
				}
				return err
			})
		},
	}
}

// statusMetrics writes the metrics of the accounts whose state can be read.
func (p *program) statusMetrics(ctx context.Context, lanes []*lane, file string) error {
	if file == "" {
		return usagef("status: --metrics: name a file")
	}
	var read []*statusObject
	failed := p.inTurn(ctx, lanes, func(ctx context.Context, l *lane) error {
		s, err := l.readStatus(ctx)
		if err == nil {
			read = append(read, s)
		}
		return err
	})
	if ctx.Err() != nil {
		return failed
	}
	if err := writeMetrics(file, metrics(read)); err != nil {
		p.out.problem("", err, "name a file in a directory that you can write in")
		return ended(worse(exitCode(failed), exitFailed))
	}
	return failed
}

// statusObject is what the state tells of an account; in JSON the event
// "status".
type statusObject struct {
	head
	LastSuccess *time.Time   `json:"last_success,omitempty"`
	LastRun     *runObject   `json:"last_run,omitempty"`
	Folders     int          `json:"folders"`
	Messages    int          `json:"messages"`
	Conflicts   int          `json:"conflicts"` // in the history that is kept
	Holds       []holdStatus `json:"holds"`

	Left        int                `json:"left"` // messages that limits leave on the server
	Stubs       int                `json:"stubs"`
	Quarantined []quarantineStatus `json:"quarantined"`
	PausedUntil *time.Time         `json:"paused_until,omitempty"` // the server asked to be left alone
}

type quarantineStatus struct {
	Folder mail.FolderName `json:"folder"`
	UID    mail.UID        `json:"uid,omitempty"`
	Key    mail.Key        `json:"key,omitempty"`
	Tries  int             `json:"tries"`
	Since  time.Time       `json:"since"`
	Retry  time.Time       `json:"retry"` // not tried before
	Error  string          `json:"error"`
}

type runObject struct {
	Started  time.Time      `json:"started"`
	Finished *time.Time     `json:"finished,omitempty"`
	Outcome  string         `json:"outcome"` // "" while it runs, or when it was killed
	Error    string         `json:"error,omitempty"`
	Counts   map[string]int `json:"counts"`
}

type holdStatus struct {
	Side   string          `json:"side"`
	Folder mail.FolderName `json:"folder"`
	Count  int             `json:"count"`
	Reason string          `json:"reason"`
	Since  time.Time       `json:"since"`
	Accept string          `json:"accept"`
}

// runsLookedAt bounds the search for the last run that succeeded.
const runsLookedAt = 10_000

func (l *lane) readStatus(ctx context.Context) (*statusObject, error) {
	db, err := state.OpenReadOnly(ctx, l.stateFile())
	if err != nil {
		return nil, err
	}
	defer db.Close()
	s := &statusObject{head: l.out.head("status", l.Name), Holds: []holdStatus{}, Quarantined: []quarantineStatus{}}
	folders, err := db.Folders(ctx)
	if err != nil {
		return nil, err
	}
	s.Folders = len(folders)
	for _, f := range folders {
		s.Messages += f.Rows - f.RemoteOnly
		s.Left += f.RemoteOnly
		s.Stubs += f.Stubs
	}
	holds, err := db.Holds(ctx)
	if err != nil {
		return nil, err
	}
	for _, h := range holds {
		s.Holds = append(s.Holds, holdStatus{h.Side, h.Folder, h.Count, h.Reason, h.Since.UTC(), l.acceptCommand(h)})
	}
	if err := s.readAside(ctx, db, l.now()); err != nil {
		return nil, err
	}
	conflicts, err := db.History(ctx, state.Trail{Conflicts: true})
	if err != nil {
		return nil, err
	}
	s.Conflicts = len(conflicts)
	runs, err := db.Runs(ctx, runsLookedAt)
	if err != nil {
		return nil, err
	}
	if len(runs) > 0 {
		s.LastRun = newRunObject(runs[0])
	}
	for _, r := range runs {
		if r.Outcome == "done" {
			at := r.Finished.UTC()
			s.LastSuccess = &at
			break
		}
	}
	return s, nil
}

// readAside reads what is left alone for a time.
func (s *statusObject) readAside(ctx context.Context, db *state.DB, now time.Time) error {
	aside, err := db.Quarantine(ctx)
	if err != nil {
		return err
	}
	for _, q := range aside {
		s.Quarantined = append(s.Quarantined, quarantineStatus{q.Folder, q.UID, q.Key, q.Tries, q.Since.UTC(), q.Retry.UTC(), q.Error})
	}
	pause, err := db.Pause(ctx)
	if pause.Until.After(now) {
		at := pause.Until.UTC()
		s.PausedUntil = &at
	}
	return err
}

func newRunObject(r mail.RunRecord) *runObject {
	o := &runObject{Started: r.Started.UTC(), Outcome: r.Outcome, Error: r.Error, Counts: r.Counts}
	if !r.Finished.IsZero() {
		at := r.Finished.UTC()
		o.Finished = &at
	}
	return o
}

// clock is how times are written for a person.
const clock = "2006-01-02 15:04:05"

func (l *lane) showStatus(s *statusObject) {
	l.out.object(s)
	if s.LastRun == nil {
		l.out.say("%s: never synchronised; run: %s", l.Name, l.command("sync", l.Name))
		return
	}
	l.out.say("%s: %s, %s", l.Name, count(s.Folders, "folder"), count(s.Messages, "message"))
	if s.Left > 0 {
		l.out.say("  on the server: %s more, beyond max_age or max_messages", count(s.Left, "message"))
	}
	if s.Stubs > 0 {
		l.out.say("  stubs:        %d of these are not held whole; imapsync fetch MESSAGE brings one", s.Stubs)
	}
	success := "never"
	if s.LastSuccess != nil {
		success = fmt.Sprintf("%s, %s ago", s.LastSuccess.Local().Format(clock), span(l.now().Sub(*s.LastSuccess)))
	}
	l.out.say("  last success: %s", success)
	started := s.LastRun.Started.Local().Format(clock)
	switch {
	case s.LastRun.Outcome == "" || s.LastRun.Finished == nil:
		l.out.say("  last run:     %s, has not ended: it runs now, or it was killed", started)
	case s.LastRun.Error != "":
		l.out.say("  last run:     %s, %s: %s", started, s.LastRun.Outcome, s.LastRun.Error)
	default:
		l.out.say("  last run:     %s, %s in %.1f s", started, s.LastRun.Outcome, s.LastRun.Finished.Sub(s.LastRun.Started).Seconds())
	}
	for _, h := range s.Holds {
		l.out.say("  held:         %s: %s since %s: %s", h.Folder,
			deletions(mail.Hold{Side: h.Side, Count: h.Count}), h.Since.Local().Format(clock), h.Reason)
		l.out.say("                to carry them out: %s", h.Accept)
	}
	for _, q := range s.Quarantined {
		which := "file " + string(q.Key)
		if q.UID != 0 {
			which = fmt.Sprint("uid ", q.UID)
		}
		l.out.say("  set aside:    %s: %s: %s since %s, the last: %s", q.Folder, which, tries(q.Tries), q.Since.Local().Format(clock), q.Error)
		l.out.say("                tried again after %s, or at once by: %s", q.Retry.Local().Format(clock), l.command("sync", "--full", l.Name))
	}
	if s.PausedUntil != nil {
		l.out.say("  paused:       the server asked to be left alone until %s", s.PausedUntil.Local().Format(clock))
	}
	if s.Conflicts > 0 {
		l.out.say("  conflicts:    %s", fmt.Sprintf("%d; see: %s", s.Conflicts, l.command("conflicts", l.Name)))
	}
}

// span writes a time that has passed in its largest unit.
func span(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		noun   string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if d >= unit.length {
			return count(int(d/unit.length), unit.noun)
		}
	}
	return "less than a minute"
}

func tries(n int) string {
	if n == 1 {
		return "1 try"
	}
	return fmt.Sprintf("%d tries", n)
}
