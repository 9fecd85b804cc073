package syncer

import (
	"sync"

	"imapsync/conflict"
	"imapsync/mail"
	"imapsync/plan"
)

// queue are the folders that wait to be downloaded. There are as many places as
// lanes; a folder gives its place to the next one when it needs the server no
// more, and knows which one that will be before, so that what it asks first can
// travel behind the folder's own last question.
type queue struct {
	begin func(*queued)

	mu      sync.Mutex
	waiting []*queued
}

// queued is a folder that waits or has a place.
type queued struct {
	q    *queue
	f    *folder
	ops  []*plan.Op
	next *queued
	once sync.Once
	pass sync.Once
}

// follower is the folder that gets this one's place, nil if none waits.
func (d *queued) follower() *queued {
	d.once.Do(func() {
		d.q.mu.Lock()
		defer d.q.mu.Unlock()
		if len(d.q.waiting) > 0 {
			d.next, d.q.waiting = d.q.waiting[0], d.q.waiting[1:]
		}
	})
	return d.next
}

// passOn gives the place on.
func (d *queued) passOn() {
	d.pass.Do(func() {
		if next := d.follower(); next != nil {
			d.q.begin(next)
		}
	})
}

// line puts the folders of a step in a queue and gives the first ones their places.
func (a *applier) line(names []mail.FolderName, lanes map[mail.FolderName][]*plan.Op, begin func(*queued)) {
	q := &queue{begin: begin}
	clear(a.places)
	for _, name := range names {
		d := &queued{q: q, f: a.source(name), ops: lanes[name]}
		a.places[name] = d
		q.waiting = append(q.waiting, d)
	}
	for range a.opt.Lanes {
		(&queued{q: q}).passOn()
	}
}

// goAheadFetching says, before the last batch of a mailbox is fetched, what is
// fetched first in the next.
func (a *applier) goAheadFetching(mb Mailbox, f *folder) {
	next := a.places[f.Name].follower()
	if next == nil || a.target(next.f.Name) == nil || next.ops[0].Kind == plan.CopyLocal {
		return
	}
	ops := a.unclaimed(next.f, next.ops)
	if len(ops) == 0 {
		return
	}
	var uids []mail.UID
	for _, o := range ops[:a.batch(ops, downloadMessages, downloadBytes)] {
		if o.Part == conflict.Whole || o.Part == "" {
			uids = append(uids, o.Remote.UID)
		}
	}
	if len(uids) > 0 {
		mb.FetchAhead(next.f.Name, uids)
	}
}
