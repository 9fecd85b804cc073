package maildir

import (
	"cmp"
	"slices"
	"sync"
)

// together lets those who wait for the disk at once wait once: who comes while
// others are served shares the next turn.
type together[T any] struct {
	mu    sync.Mutex // guards queue
	queue []*waiting[T]
	turn  sync.Mutex // held by who serves the queue
}

// waiting is what somebody waits for, and what became of it.
type waiting[T any] struct {
	what T
	over bool
	err  error
}

// wait has what been served, and all that others wait for with it.
func (t *together[T]) wait(what T, serve func([]*waiting[T])) error {
	w := &waiting[T]{what: what}
	t.mu.Lock()
	t.queue = append(t.queue, w)
	t.mu.Unlock()
	t.turn.Lock()
	defer t.turn.Unlock()
	if !w.over {
		t.mu.Lock()
		group := t.queue
		t.queue = nil
		t.mu.Unlock()
		serve(group)
		for _, w := range group {
			w.over = true
		}
	}
	return w.err
}

// syncFiles fsyncs the files of batches that have few, else it has all of their
// file systems synced.
func syncFiles(group []*waiting[*Delivery]) {
	files, unsync := 0, false
	for _, w := range group {
		files += len(w.what.files)
		unsync = unsync || w.what.unsync
	}
	if !unsync && files <= fewFiles {
		for _, w := range group {
			w.what.syncEach()
		}
		for _, w := range group {
			w.what.syncing.Wait()
		}
		return
	}
	// Write errors are told since a directory was opened, so the first that was
	// opened stands for all others.
	slices.SortFunc(group, func(x, y *waiting[*Delivery]) int { return cmp.Compare(x.what.serial, y.what.serial) })
	synced := map[uint64]error{}
	for _, w := range group {
		err, done := synced[w.what.device]
		if !done {
			err = syncAll(w.what.disk)
			synced[w.what.device] = err
		}
		w.err = err
		w.what.close()
	}
}

// syncDirectories makes the names in directories durable, each once.
func syncDirectories(group []*waiting[string]) {
	same := map[string][]*waiting[string]{}
	for _, w := range group {
		same[w.what] = append(same[w.what], w)
	}
	var all sync.WaitGroup
	workers := make(chan struct{}, syncWorkers)
	for dir, ws := range same {
		workers <- struct{}{}
		all.Go(func() {
			err := syncDir(dir)
			for _, w := range ws {
				w.err = err
			}
			<-workers
		})
	}
	all.Wait()
}
