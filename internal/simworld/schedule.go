package simworld

import (
	"sort"
	"sync"
	"testing/synctest"
)

// schedule lets one call happen at a time, once every goroutine waits for its
// turn or for another: the order of calls is then the seed's, not the Go
// scheduler's.
type schedule struct {
	mu      sync.Mutex
	waiting []*turn
	ready   chan struct{}
}

type turn struct {
	words string // of the call: what the order goes by
	begin chan struct{}
}

// Schedule makes the order of calls deterministic from here on, also where a run
// makes several at once. It works in a testing/synctest bubble only; stop must
// be called before the bubble's function returns.
func (w *World) Schedule() (stop func()) {
	s := &schedule{ready: make(chan struct{}, 1)}
	done := make(chan struct{})
	w.schedule = s
	go func() {
		for {
			select {
			case <-s.ready:
				synctest.Wait()
				s.next(w)
			case <-done:
				return
			}
		}
	}()
	return func() { close(done) }
}

// wait returns when it is the call's turn.
func (s *schedule) wait(c Call) {
	t := &turn{c.String() + " " + c.about, make(chan struct{})}
	s.mu.Lock()
	s.waiting = append(s.waiting, t)
	s.wake()
	s.mu.Unlock()
	<-t.begin
}

func (s *schedule) wake() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// next begins one of the waiting calls.
func (s *schedule) next(w *World) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 {
		return
	}
	sort.SliceStable(s.waiting, func(i, j int) bool { return s.waiting[i].words < s.waiting[j].words })
	w.mu.Lock()
	i := w.pick("turn", len(s.waiting))
	w.mu.Unlock()
	t := s.waiting[i]
	s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
	if len(s.waiting) > 0 {
		s.wake()
	}
	close(t.begin)
}
