package syncer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"imapsync/mail"
	"imapsync/plan"
)

// Severity tells what a finding asks of the user.
type Severity string

// The severities.
const (
	// Pending is a change not yet synchronised: the next run deals with it.
	Pending Severity = "pending"
	// Wrong is a contradiction that a run would not see or would take for
	// something else.
	Wrong Severity = "wrong"
	// Harmless is a difference that stays and costs nothing.
	Harmless Severity = "harmless"
)

// FindingKind tells what a finding is about.
type FindingKind string

// The kinds of findings.
const (
	FoundEdited     FindingKind = "edited"      // the file is no longer what the state has of it
	FoundPairing    FindingKind = "mispaired"   // file and message of a row are not the same message
	FoundStale      FindingKind = "stale"       // both sides are the same, the state says otherwise
	FoundAltered    FindingKind = "altered"     // the server stores the message with another header
	FoundMissing    FindingKind = "missing"     // in the state, and not on the side
	FoundMoved      FindingKind = "moved"       // missing where the state has it, and found elsewhere
	FoundNew        FindingKind = "new"         // on the side, and not in the state
	FoundUnpaired   FindingKind = "unpaired"    // on both sides, and not in the state
	FoundDuplicate  FindingKind = "duplicate"   // new, and equal to another message of the folder
	FoundFlags      FindingKind = "flags"       // other flags than in the state
	FoundRenumbered FindingKind = "renumbered"  // the numbers of the state mean nothing any more
	FoundUnnumbered FindingKind = "unnumbered"  // a row without UID
	FoundHalfMoved  FindingKind = "half-moved"  // a row without file
	FoundFolder     FindingKind = "folder"      // a folder on one side only, or never synchronised
	FoundInterrupt  FindingKind = "interrupted" // a copy that may or may not have been made
	FoundUnreadable FindingKind = "unreadable"  // a file or message whose content cannot be had
	FoundWatermark  FindingKind = "watermark"   // the state takes the folder for unchanged, or knows more than the server
	FoundState      FindingKind = "state"       // the state contradicts itself
)

// Finding is one difference between state, Maildir and server.
type Finding struct {
	Kind     FindingKind
	Severity Severity
	Side     string // "local" or "remote": which differs; "" when it is neither or both
	Folder   mail.FolderName
	UID      mail.UID
	Key      mail.Key
	Text     string // what was found, why it may be so, and what happens next
	Repaired bool   // the state was corrected, so that the next run matches the message again
}

// VerifyOptions choose what Verify compares and whether it corrects the state.
type VerifyOptions struct {
	Lanes   int               // folders compared at once; at least 1
	Folders []mail.FolderName // nil is every selected folder
	// Repair corrects the state where it is wrong. Neither side is changed: see
	// repair.
	Repair bool
	// Progress, when not nil, is told of each content read, one at a time.
	Progress func(folder mail.FolderName, read, expected int)
}

// VerifyReport is the outcome of a Verify on one account.
type VerifyReport struct {
	Account     string
	Folders     int // compared
	Messages    int // compared, counted on the side that has more
	Pending     int
	Wrong       int // found, repaired or not
	Repaired    int // of those wrong
	Harmless    int
	Failures    []error // folders that could not be compared
	Started     time.Time
	Finished    time.Time
	Interrupted bool // it was cancelled before it was through
}

// Verify compares state, Maildir and server in full, every content by its
// digest, and tells found each difference, folder by folder. It changes nothing,
// unless it is to repair the state; the caller must hold the account's lock. A
// folder that cannot be compared is a failure and the rest goes on; the error is
// of account scope. Of contents no more than hashes is held, and of a folder
// compared no more than its differences.
func Verify(ctx context.Context, acc Account, opt VerifyOptions, found func(Finding)) (*VerifyReport, error) {
	v := newVerifier(acc, opt, found)
	err := v.verify(ctx)
	if ctx.Err() != nil {
		v.out.Interrupted = true
		if errors.Is(err, ctx.Err()) {
			err = nil
		}
	}
	v.out.Failures, v.out.Finished = v.report.Failures, v.Now()
	return v.out, err
}

// verifier is one Verify in progress. Of the run it uses the looking, never the
// doing.
type verifier struct {
	*run
	ask      VerifyOptions
	found    func(Finding)
	out      *VerifyReport
	intents  map[mail.FolderName][]*mail.Intent
	notes    []Finding // about the account, or told by the run's own looking
	read     int       // contents read so far
	expected int       // contents to be read, as far as is known
}

func newVerifier(acc Account, opt VerifyOptions, found func(Finding)) *verifier {
	if acc.Now == nil {
		acc.Now = time.Now
	}
	acc.Policy = Options{}.policy(acc.Policy)
	if found == nil {
		found = func(Finding) {}
	}
	if opt.Progress == nil {
		opt.Progress = func(mail.FolderName, int, int) {}
	}
	v := &verifier{ask: opt, found: found, intents: map[mail.FolderName][]*mail.Intent{},
		out: &VerifyReport{Account: acc.Name, Started: acc.Now()}}
	v.run = &run{Account: acc, opt: Options{DryRun: true, Full: true, Lanes: max(opt.Lanes, 1), Folders: opt.Folders},
		report: &Report{Counts: map[plan.Kind]int{}}, told: map[string]bool{}, unsettled: map[mail.FolderName]bool{}, apart: map[mail.FolderName]bool{},
		folders: map[mail.FolderName]*folder{}, skipped: map[mail.FolderName]*mail.FolderRecord{}}
	v.events = func(e Event) {
		if e.Kind == EventNote {
			v.notes = append(v.notes, Finding{Kind: FoundRenumbered, Severity: Pending, Folder: e.Folder, Text: e.Text})
		}
	}
	return v
}

func (v *verifier) verify(ctx context.Context) error {
	if err := v.checkIdentity(ctx); err != nil {
		return err
	}
	if err := v.checkState(ctx); err != nil {
		return err
	}
	names, err := v.list(ctx, nil)
	if err != nil {
		return err
	}
	if err := v.listIntents(ctx); err != nil {
		return err
	}
	folders, err := v.compareAll(ctx, names)
	if err != nil {
		return err
	}
	for _, n := range v.notes {
		v.tell(n)
	}
	link(folders)
	for _, c := range folders {
		c.conclude()
		if err := v.repair(c); err != nil {
			return err
		}
		v.out.Folders++
		v.out.Messages += c.messages
		for _, n := range c.findings {
			v.tell(n)
		}
	}
	return nil
}

func (v *verifier) tell(n Finding) {
	switch n.Severity {
	case Pending:
		v.out.Pending++
	case Wrong:
		v.out.Wrong++
	case Harmless:
		v.out.Harmless++
	}
	if n.Repaired {
		v.out.Repaired++
	}
	v.found(n)
}

// selfChecking is a state that can tell whether it contradicts itself.
type selfChecking interface {
	Check(ctx context.Context) error
}

func (v *verifier) checkState(ctx context.Context) error {
	s, ok := v.State.(selfChecking)
	if !ok {
		return nil
	}
	err := s.Check(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		v.notes = append(v.notes, Finding{Kind: FoundState, Severity: Wrong,
			Text: err.Error() + ". This cannot be repaired row by row: move the state file away, and the next sync matches both sides by content and deletes nothing"})
	}
	return nil
}

// listIntents tells of copies that an earlier run may or may not have made. The
// next run settles them, so what they concern is no difference of its own.
func (v *verifier) listIntents(ctx context.Context) error {
	intents, err := v.State.Intents(ctx)
	for _, in := range intents {
		if v.folders[in.Folder] == nil {
			continue
		}
		v.intents[in.Folder] = append(v.intents[in.Folder], in)
		v.notes = append(v.notes, Finding{Kind: FoundInterrupt, Severity: Pending, Folder: in.Folder, UID: in.UID, Key: in.Key,
			Text: fmt.Sprintf("an earlier run was cut short in the middle of this %s: the next sync finds out whether it was done, before anything else", in.Kind)})
	}
	return err
}

// compareAll compares the folders, several at once, and returns those it could,
// in their order.
func (v *verifier) compareAll(ctx context.Context, names []mail.FolderName) ([]*comparison, error) {
	all := make([]*comparison, len(names))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(v.opt.Lanes)
	for _, name := range names {
		v.expected += expected(v.folders[name])
	}
	for i, name := range names {
		if v.unsettled[name] { // told already
			continue
		}
		g.Go(func() error {
			c, err := v.compare(gctx, v.folders[name])
			if accountScope(err) || gctx.Err() != nil {
				return err
			}
			if all[i] = c; err != nil {
				all[i] = nil
				v.cannot(name, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var compared []*comparison
	for _, c := range all {
		if c != nil && c.exists() {
			compared = append(compared, c)
		}
	}
	return compared, ctx.Err()
}

// cannot counts a folder that could not be compared.
func (v *verifier) cannot(name mail.FolderName, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.report.Failures = append(v.report.Failures, &mail.Fault{Scope: mail.ScopeFolder, Class: mail.ClassOf(err), Folder: name,
		Doing: "compare", Err: withoutFolder(err, name), Hint: "verify it again"})
}

// withoutFolder leaves out the folder that a fault names, to name it once.
func withoutFolder(err error, name mail.FolderName) error {
	var f *mail.Fault
	if errors.As(err, &f) && f.Folder == name {
		inner := *f
		inner.Folder = ""
		return &inner
	}
	return err
}

// expected is how many contents a folder has to be read, by what is known of it.
func expected(f *folder) int {
	n := f.record.Rows
	if f.remote != nil && f.remote.Mark != nil {
		n = int(f.remote.Mark.Messages)
	}
	return n + f.record.Rows
}

// progress counts a content read.
func (v *verifier) progress(name mail.FolderName) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.read++
	v.expected = max(v.expected, v.read)
	v.ask.Progress(name, v.read, v.expected)
}
