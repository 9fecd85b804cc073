package main

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"imapsync/syncer"
)

// bars are the progress bars of a run, one an account, on a terminal's
// standard error.
type bars struct {
	container *mpb.Progress
	byAccount map[string]*bar
}

// bar is the progress of one account. Its methods accept nil.
type bar struct {
	bar    *mpb.Bar
	now    func() time.Time
	begun  atomic.Int64 // when the first byte moved, nanoseconds since 1970; 0 not yet
	folder atomic.Value // string: the folder worked on
	moved  atomic.Int64 // bytes
	bytes  atomic.Int64 // to move
}

// startProgress shows progress bars if somebody is there to look at them. The
// function returned takes them away.
func (o *output) startProgress(lanes []*lane, dryRun bool) (stop func()) {
	screen, ok := o.stderr.(*os.File)
	if !ok || dryRun || o.json || o.quiet || o.trace || !term.IsTerminal(int(screen.Fd())) {
		return func() {}
	}
	container := mpb.New(mpb.WithOutput(screen), mpb.WithWidth(30), mpb.WithAutoRefresh())
	o.bars = &bars{container: container, byAccount: map[string]*bar{}}
	for _, l := range lanes {
		o.bars.byAccount[l.Name] = newBar(container, l.Name, o.now)
	}
	out, ok := o.stdout.w.(*os.File)
	o.bothOnScreen = ok && term.IsTerminal(int(out.Fd()))
	o.setProgress(container)
	return func() {
		for _, b := range o.bars.byAccount {
			b.done()
		}
		o.setProgress(nil)
		container.Wait()
	}
}

// barOf returns the account's bar, nil when no progress is shown.
func (o *output) barOf(account string) *bar {
	if o.bars == nil {
		return nil
	}
	return o.bars.byAccount[account]
}

func (o *output) setProgress(w io.Writer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.progress = w
}

func newBar(container *mpb.Progress, account string, now func() time.Time) *bar {
	b := &bar{now: now}
	b.folder.Store("looking at both sides")
	b.bar = container.AddBar(0,
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(
			decor.Name(account, decor.WCSyncSpaceR),
			decor.CountersNoUnit("%d/%d ", decor.WCSyncSpaceR)),
		mpb.AppendDecorators(
			decor.Any(b.bytesText, decor.WCSyncSpaceR),
			decor.Any(func(decor.Statistics) string { return " " + b.folder.Load().(string) })))
	return b
}

// bytesText says how much was moved of how much, how fast, and how long the
// rest will take.
func (b *bar) bytesText(decor.Statistics) string {
	begun, moved := b.begun.Load(), b.moved.Load()
	if begun == 0 {
		return ""
	}
	total := max(moved, b.bytes.Load())
	text := size(moved) + "/" + size(total)
	took := b.now().Sub(time.Unix(0, begun))
	if moved == 0 || took <= 0 {
		return text
	}
	rate := float64(moved) / took.Seconds()
	left := time.Duration(float64(total-moved) / rate * float64(time.Second))
	return fmt.Sprintf("%s %s/s %v left", text, size(int64(rate)), left.Round(time.Second))
}

// event moves the bar.
func (b *bar) event(e syncer.Event) {
	if b == nil {
		return
	}
	switch e.Kind {
	case syncer.EventObserved:
		b.bytes.Store(e.Bytes)
		b.bar.SetTotal(int64(e.Total), false)
		b.begun.Store(b.now().UnixNano())
	case syncer.EventMoved:
		b.folder.Store(plain(string(e.Folder)))
		b.moved.Add(e.Bytes)
	case syncer.EventDone, syncer.EventFailed:
		if e.Folder != "" {
			b.folder.Store(plain(string(e.Folder)))
		}
		if e.Op != nil {
			b.bar.Increment()
		}
	}
}

// done takes the bar away.
func (b *bar) done() {
	if b != nil {
		b.bar.Abort(true)
		b.bar.Wait()
	}
}
