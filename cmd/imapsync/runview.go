package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"imapsync/mail"
	"imapsync/plan"
	"imapsync/syncer"
)

// runView shows one run on one account.
type runView struct {
	*lane
	dryRun bool
	bar    *bar  // nil when no progress is shown
	news   *news // for the hooks; nil when there are none
}

// The JSON objects of a run (docs/json.md).
type (
	noteObject struct {
		head
		Folder mail.FolderName `json:"folder,omitempty"`
		Text   string          `json:"text"`
	}
	plannedObject struct {
		head
		Operations int   `json:"operations"`
		Bytes      int64 `json:"bytes"`
	}
	operationObject struct {
		head
		Operation *plan.Op `json:"operation"`
		Bytes     int64    `json:"bytes,omitempty"`
	}
	holdObject struct {
		head
		Side   string          `json:"side"`
		Folder mail.FolderName `json:"folder"`
		Count  int             `json:"count"`
		Reason string          `json:"reason"`
		Since  time.Time       `json:"since"`
		Accept string          `json:"accept"` // the command that carries them out
	}
	rememberedObject struct {
		head
		Remembered *plan.RememberedCount `json:"remembered"`
	}
	summaryObject struct {
		head
		Run      int64             `json:"run"` // 0 of a dry run, or where it could not be recorded
		Outcome  string            `json:"outcome"`
		Exit     int               `json:"exit"`
		DryRun   bool              `json:"dry_run"`
		Folders  int               `json:"folders"`
		Messages int               `json:"messages"`
		Counts   map[plan.Kind]int `json:"counts"` // operations carried out, or planned in a dry run
		Bytes    int64             `json:"bytes"`
		Held     int               `json:"held"` // deletions
		Failures int               `json:"failures"`
		Seconds  float64           `json:"seconds"`
	}
)

// event shows what the run tells while it goes on.
func (v *runView) event(e syncer.Event) {
	v.bar.event(e)
	switch e.Kind {
	case syncer.EventStarted:
		v.out.object(v.out.head("started", v.Name))
	case syncer.EventNote:
		v.note(e.Folder, e.Text)
	case syncer.EventDetail:
		v.out.detail("%s: %s: %s", v.Name, e.Folder, e.Text)
	case syncer.EventObserved:
		v.out.object(plannedObject{v.out.head("planned", v.Name), e.Total, e.Bytes})
	case syncer.EventDone:
		v.out.object(operationObject{v.out.head("done", v.Name), e.Op, e.Bytes})
		v.out.detail("%s: %v", v.Name, e.Op)
		v.news.done(e.Op)
	case syncer.EventConflict:
		v.out.object(operationObject{head: v.out.head("conflict", v.Name), Operation: e.Op})
		v.out.say("%s: conflict: %s: %s", v.Name, e.Op.Folder, e.Op.Reason)
	case syncer.EventFailed:
		v.problem(e.Err)
	case syncer.EventHeld:
		v.held(*e.Hold)
	}
}

func (v *runView) note(folder mail.FolderName, text string) {
	v.out.object(noteObject{v.out.head("note", v.Name), folder, text})
	if folder != "" {
		text = fmt.Sprintf("%s: %s", folder, text)
	}
	v.out.say("%s: %s", v.Name, text)
}

// notice shows a note on the account where there is one.
func (v *runView) notice(text string) {
	if text != "" {
		v.note("", text)
	}
}

// warnings shows what the server side noticed that failed nothing.
func (v *runView) warnings(texts []string) {
	for _, text := range texts {
		v.note("", text)
	}
}

// matchless warns of patterns that choose no folder: mostly a typing error.
func (v *runView) matchless(r *syncer.Report) {
	if v.folders == nil && r.Plan != nil && len(r.Plan.Ops)+len(r.Plan.Remembered) == 0 && r.Folders == 0 && len(r.Failures) == 0 {
		v.note("", fmt.Sprintf("warning: accounts.%s.folders matches no folder of either side; see what there is: %s",
			v.Name, v.command("folders", v.Name)))
	}
}

func (v *runView) held(h mail.Hold) {
	accept := v.acceptCommand(h)
	v.out.object(holdObject{v.out.head("held", v.Name), h.Side, h.Folder, h.Count, h.Reason, h.Since.UTC(), accept})
	v.out.line(v.out.stderr, fmt.Sprintf("%s: %s: %s: %s held: %s", programName, v.Name, h.Folder, deletions(h), h.Reason),
		"  what to do: if they are meant, run: "+accept)
}

// deletions says how many deletions are held and where they would happen.
func deletions(h mail.Hold) string {
	where := "in the Maildir"
	if h.Side == "remote" {
		where = "on the server"
	}
	return fmt.Sprintf("%s %s", count(h.Count, "deletion"), where)
}

// acceptCommand is the command line that carries a hold out.
func (l *lane) acceptCommand(h mail.Hold) string {
	return l.command("sync", "--accept-deletions="+string(h.Folder), l.Name)
}

// quoted writes a word as a shell wants it.
func quoted(word string) string {
	safe := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_./=@+:,", r) || r > 0xa0
	}
	if strings.IndexFunc(word, func(r rune) bool { return !safe(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// ended shows how the run ended and returns its exit code.
func (v *runView) ended(ctx context.Context, report *syncer.Report, err error) int {
	v.bar.done()
	code := exitDone
	if report == nil {
		report = &syncer.Report{Started: v.now(), Finished: v.now()}
	}
	for _, failure := range report.Failures {
		code = worse(code, exitCode(failure))
	}
	if len(report.Held) > 0 {
		code = worse(code, exitHeld)
	}
	interrupted := report.Interrupted || ctx.Err() != nil && err != nil
	switch {
	case interrupted:
		code = exitInterrupted
	case err != nil:
		v.problem(err)
		code = worse(code, exitCode(err))
	default:
		v.matchless(report)
	}
	v.summary(report, code)
	return code
}

func (v *runView) summary(r *syncer.Report, code int) {
	counts := r.Counts
	if v.dryRun && r.Plan != nil {
		counts = map[plan.Kind]int{}
		for _, op := range r.Plan.Ops {
			if op.Denied {
				continue
			}
			if !op.Held {
				counts[op.Kind]++
			}
			v.out.object(operationObject{head: v.out.head("operation", v.Name), Operation: op})
		}
		for _, c := range r.Plan.RememberedCounts() {
			v.out.object(rememberedObject{v.out.head("remembered", v.Name), c})
		}
		v.printPlan(r.Plan)
	}
	held := heldIn(r)
	seconds := r.Finished.Sub(r.Started).Seconds()
	v.out.object(summaryObject{v.out.head("summary", v.Name), r.Run, outcomeOf(code), code, v.dryRun, r.Folders, r.Messages,
		counts, r.Bytes, held, len(r.Failures), seconds})
	v.out.say("%s: %s", v.Name, v.summaryText(r, counts, code, held))
}

// printPlan prints the operations of a plan, each with its reason.
func (v *runView) printPlan(p *plan.Plan) {
	text := planLines{v.Name + ":"}
	if err := plan.Text(&text, p); err != nil || len(text) == 1 {
		return
	}
	v.out.sayLines(text...)
}

// planLines takes the lines of plan.Text, which writes them one by one: a name in
// them may hold a line end.
type planLines []string

// Write implements io.Writer.
func (l *planLines) Write(line []byte) (int, error) {
	*l = append(*l, "  "+strings.TrimSuffix(string(line), "\n"))
	return len(line), nil
}

// outcomeOf is an exit code in one word.
func outcomeOf(code int) string {
	switch code {
	case exitDone:
		return "done"
	case exitHeld:
		return "held"
	case exitInterrupted:
		return "interrupted"
	case exitBusy:
		return "busy"
	}
	return "failed"
}

// kindTexts are the operations a summary counts, in its order; the others
// change nothing that a person would look for.
var kindTexts = []struct {
	kind      plan.Kind
	noun      string // "" for messages
	did, will string
}{
	{plan.RenameLocal, "folder", "renamed in the Maildir", "to rename in the Maildir"},
	{plan.RenameRemote, "folder", "renamed on the server", "to rename on the server"},
	{plan.CreateLocal, "folder", "made in the Maildir", "to make in the Maildir"},
	{plan.CreateRemote, "folder", "made on the server", "to make on the server"},
	{plan.Pair, "", "matched", "to match"},
	{plan.MoveLocal, "", "moved in the Maildir", "to move in the Maildir"},
	{plan.MoveRemote, "", "moved on the server", "to move on the server"},
	{plan.CopyRemote, "", "copied on the server", "to copy on the server"},
	{plan.Download, "", "downloaded", "to download"},
	{plan.CopyLocal, "", "copied in the Maildir", "to copy in the Maildir"},
	{plan.Upload, "", "uploaded", "to upload"},
	{plan.SetFlags, "", "flagged", "to flag"},
	{plan.Leave, "", "left on the server", "to leave on the server"},
	{plan.Drop, "", "dropped from the Maildir by a limit", "to drop from the Maildir by a limit"},
	{plan.Fetch, "", "fetched whole", "to fetch whole"},
	{plan.Tidy, "", "stubs removed", "stubs to remove"},
	{plan.DeleteLocal, "", "deleted from the Maildir", "to delete from the Maildir"},
	{plan.DeleteRemote, "", "deleted on the server", "to delete on the server"},
	{plan.RemoveLocal, "folder", "removed from the Maildir", "to remove from the Maildir"},
	{plan.RemoveRemote, "folder", "removed on the server", "to remove on the server"},
}

// summaryText is the line that ends a run on an account.
func (v *runView) summaryText(r *syncer.Report, counts map[plan.Kind]int, code, held int) string {
	var parts []string
	for _, k := range kindTexts {
		if n := counts[k.kind]; n > 0 {
			words := k.did
			if v.dryRun {
				words = k.will
			}
			number := strconv.Itoa(n)
			if k.noun != "" {
				number = count(n, k.noun)
			}
			text := number + " " + words
			if k.kind == plan.DeleteLocal {
				text += v.undoHint(r)
			}
			parts = append(parts, text)
		}
	}
	if held > 0 {
		parts = append(parts, count(held, "deletion")+" held")
	}
	if n := len(r.Failures); n > 0 {
		parts = append(parts, count(n, "failure"))
	}
	text := strings.Join(parts, ", ")
	switch {
	case code == exitInterrupted:
		text = strings.TrimSuffix("interrupted after: "+text, " after: ")
	case text == "" && code == exitDone:
		text = "nothing to do"
	case text == "":
		return "not done"
	}
	if v.dryRun {
		return text
	}
	text += fmt.Sprintf(" (%s, %s", count(r.Folders, "folder"), count(r.Messages, "message"))
	if r.Bytes > 0 {
		text += ", " + size(r.Bytes)
	}
	return text + fmt.Sprintf(" in %.1f s)", r.Finished.Sub(r.Started).Seconds())
}

// count writes a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// size writes a number of bytes for a person.
func size(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, i := float64(n)/unit, 0
	for ; value >= unit && i < 3; i++ {
		value /= unit
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGT"[i])
}
