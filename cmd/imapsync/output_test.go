package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"imapsync/config"
	"imapsync/mail"
	"imapsync/plan"
	"imapsync/syncer"
)

// TestPlain: what a server says cannot drive the terminal, nor can a name begin a
// line of its own.
func TestPlain(t *testing.T) {
	var stdout, stderr bytes.Buffer
	o := newOutput(&stdout, &stderr)
	o.say("a\x1b[2J\r\u009bb")
	o.problem("acc", &mail.Fault{Scope: mail.ScopeFolder, Folder: "A\x1b]0;x\a", Doing: "select", Err: errors.New("NO \x1b[31m"), Hint: "do"}, "")
	for _, s := range []string{stdout.String(), stderr.String()} {
		if strings.ContainsAny(s, "\x1b\r\a\u009b") {
			t.Errorf("control characters reach the terminal: %q", s)
		}
	}
	if !strings.HasSuffix(stderr.String(), "\n  what to do: do\n") || strings.Contains(stderr.String(), "(do)") {
		t.Errorf("hint: %q", &stderr)
	}
}

func TestNoNameBeginsALine(t *testing.T) {
	const name = "A\nimapsync: work: forged\tline"
	var stdout, stderr bytes.Buffer
	o := newOutput(&stdout, &stderr)
	v := &runView{lane: &lane{Account: &config.Account{Name: "work"}, out: o}, dryRun: true}
	v.note(name, name)
	v.held(mail.Hold{Folder: name, Count: 1, Reason: name})
	v.problem(&mail.Fault{Folder: name, Err: errors.New(name), Hint: name})
	v.printPlan(&plan.Plan{Ops: []*plan.Op{{Kind: plan.CreateLocal, Folder: name, Reason: name}}, Holds: []mail.Hold{{Folder: name}}})
	v.showFolders([]*folderObject{{Folder: name}, {Folder: "B"}})
	text := stdout.String() + stderr.String()
	if n := strings.Count(text, "\n"); n != 1+2+2+3+3 || strings.Contains(text, "\nimapsync: work: forged") || strings.Contains(text, "\t") {
		t.Errorf("%d lines:\n%s", n, text)
	}
}

func TestQuoted(t *testing.T) {
	for word, want := range map[string]string{
		"work": "work", "--accept-deletions=A/B": "--accept-deletions=A/B", "Entwürfe": "Entwürfe", "": "",
		"a b": "'a b'", "it's": `'it'\''s'`, "$(x)": "'$(x)'", "~": "'~'",
	} {
		if got := quoted(word); got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 5 << 20: "5.0 MiB", 3 << 40: "3.0 TiB"} {
		if got := size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

// TestProgress: a bar counts operations and bytes, shows the folder, lets lines
// pass above it, and goes away.
func TestProgress(t *testing.T) {
	var screen bytes.Buffer
	container := mpb.New(mpb.WithOutput(&screen), mpb.WithAutoRefresh(), mpb.WithWidth(10))
	now := time.Unix(1_700_000_000, 0)
	b := newBar(container, "work", func() time.Time { return now })
	o := newOutput(io.Discard, io.Discard)
	o.setProgress(container)
	b.event(syncer.Event{Kind: syncer.EventObserved, Total: 2, Bytes: 4096})
	now = now.Add(2 * time.Second)
	b.event(syncer.Event{Kind: syncer.EventMoved, Folder: "INBOX", Op: &plan.Op{}, Bytes: 2048})
	b.event(syncer.Event{Kind: syncer.EventDone, Folder: "INBOX", Op: &plan.Op{}, Bytes: 2048})
	if got := b.bar.Current(); got != 1 {
		t.Errorf("bar at %d, want 1", got)
	}
	if got := b.bytesText(decor.Statistics{}); got != "2.0 KiB/4.0 KiB 1.0 KiB/s 2s left" {
		t.Errorf("bytes: %s", got)
	}
	o.problem("work", errors.New("a line above"), "")
	b.event(syncer.Event{Kind: syncer.EventFailed, Folder: "Sent", Err: errors.New("x")})
	if got := b.folder.Load(); got != "Sent" {
		t.Errorf("folder %v", got)
	}
	b.done()
	o.setProgress(nil)
	container.Wait()
	if !strings.Contains(screen.String(), "a line above") {
		t.Errorf("screen: %q", &screen)
	}
	var none *bar
	none.event(syncer.Event{Kind: syncer.EventDone})
	none.done()
}

func TestSummaryCounts(t *testing.T) {
	v := &runView{}
	r := &syncer.Report{}
	for n, want := range map[int]string{
		1: "1 folder made in the Maildir, 1 downloaded, 1 folder removed on the server",
		2: "2 folders made in the Maildir, 2 downloaded, 2 folders removed on the server",
	} {
		got := v.summaryText(r, map[plan.Kind]int{plan.CreateLocal: n, plan.Download: n, plan.RemoveRemote: n}, exitDone, 0)
		if !strings.HasPrefix(got, want+" (") {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
