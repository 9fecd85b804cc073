package syncer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"imapsync/mail"
)

// Bounds of the wait between two attempts. A server that wants to be left alone
// for longer than longestWait is left to a later run.
const (
	firstWait   = time.Second
	longestWait = 2 * time.Minute
)

// mostAttempts ends a run that gets something done each time and never all of it.
const mostAttempts = 500

// longestPause is more than any server's words ask for: a pause that ends later
// was recorded by a clock that was wrong.
const longestPause = 24 * time.Hour

// attempts does the work of the run, and does it again while the network or the
// server fails in ways that time may cure. What an attempt has done is recorded,
// so the next resumes where it was; attempts that get something done do not
// count. Once a run goes on with what it could not plan before: see plan.GoOn.
func (r *run) attempts(ctx context.Context) error {
	if err := r.heed(ctx); err != nil {
		return err
	}
	wait := firstWait
	var failures []error // of what this run went on from
	for barren, all := 1, 1; ; barren, all = barren+1, all+1 {
		r.fresh()
		before := r.carriedOut()
		err := r.sync(ctx)
		r.keepFailures(failures)
		if err == nil && r.goesOn && len(r.passed) == 0 && ctx.Err() == nil && !r.goneOn {
			r.goneOn, failures = true, r.report.Failures
			continue
		}
		r.goesOn = false
		if r.carriedOut() > before {
			barren, wait = 1, firstWait
		}
		cause := r.passing(err)
		if pause := mail.AfterOf(cause); pause > 0 {
			r.pause = mail.Pause{Until: r.Now().Add(pause), Said: cause.Error()}
		}
		pause := max(wait, mail.AfterOf(cause))
		if cause == nil || !r.reached || r.opt.DryRun || ctx.Err() != nil || barren >= r.opt.Attempts || all == mostAttempts || pause > longestWait {
			r.tellPassing()
			return err
		}
		r.note("", fmt.Sprintf("%v; trying again in %v", cause, pause))
		if r.Wait(ctx, pause) != nil {
			r.tellPassing()
			return errInterrupted
		}
		wait *= 2
	}
}

// keepFailures has failures count that were told before the run went on, as long as
// the attempt has not met them again.
func (r *run) keepFailures(before []error) {
	for _, err := range before {
		again := func(f error) bool { return f.Error() == err.Error() }
		if !slices.ContainsFunc(r.report.Failures, again) {
			r.report.Failures = append(r.report.Failures, err)
		}
	}
}

// heed leaves a server alone that an earlier run was told to leave alone.
func (r *run) heed(ctx context.Context) error {
	pause, err := r.State.Pause(ctx)
	left := pause.Until.Sub(r.Now())
	if err != nil || r.opt.Full || left <= 0 || left > longestPause {
		return err
	}
	r.pause = pause
	return &mail.Fault{Scope: mail.ScopeAccount, Class: mail.ClassTemporary, Doing: "synchronise",
		Err:  fmt.Errorf("the server asked to be left alone until %s: %s", pause.Until.Local().Format(time.DateTime), pause.Said),
		Hint: "wait, or ask it all the same: sync --full"}
}

// fresh forgets what an attempt saw of both sides.
func (r *run) fresh() {
	r.folders, r.skipped = map[mail.FolderName]*folder{}, map[mail.FolderName]*mail.FolderRecord{}
	r.unsettled, r.awaited = map[mail.FolderName]bool{}, map[int64]bool{}
	r.unreadFiles, r.unreadMail = map[int64]mail.FolderName{}, map[int64]mail.FolderName{}
	r.hidden, r.renamed, r.remembered, r.moving, r.apart = nil, nil, nil, nil, map[mail.FolderName]bool{}
	r.sameTurn = false
	r.withheldHeaders = map[mail.Digest]mail.FolderName{}
	clear(r.completed)
	clear(r.wire)
	clear(r.concerns)
	r.report.Failures, r.passed, r.pause, r.opened, r.records = nil, nil, mail.Pause{}, false, nil
}

func (r *run) carriedOut() (n int) {
	for _, count := range r.report.Counts {
		n += count
	}
	return n
}

// passing returns the error of an attempt that time may cure, nil if there is
// none or if the attempt ended with one that it does not.
func (r *run) passing(err error) error {
	switch {
	case err != nil && mail.ClassOf(err) == mail.ClassTemporary:
		return err
	case err != nil || len(r.passed) == 0:
		return nil
	}
	return r.passed[0].Err
}

// tellPassing tells the failures that were kept back in the hope of another
// attempt.
func (r *run) tellPassing() {
	for _, e := range r.passed {
		r.emit(e)
	}
	r.passed = nil
}

// sleep waits unless ctx ends first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
