package remote

import (
	"errors"
	"time"
)

// sleepTick is how often the clocks are compared, and so how soon after the
// machine woke up its connections are given up.
const sleepTick = 5 * time.Second

// sleepLimit is the sleep that connections are expected to outlive: shorter than
// any server's patience (RFC 3501 section 5.4) and any router's memory.
const sleepLimit = 30 * time.Second

// errSlept is why a connection was given up that an answer is not worth waiting
// for.
var errSlept = errors.New("the machine was asleep, or its clock was set")

// moment is one time by two clocks: the one on the wall, and one that stands
// still while the machine sleeps.
type moment struct {
	wall  time.Time
	awake time.Duration
}

var started = time.Now()

func rightNow() moment {
	now := time.Now()
	return moment{now.Round(0), now.Sub(started)}
}

// slept tells how long the machine slept between two moments.
func (m moment) slept(later moment) time.Duration {
	return later.wall.Sub(m.wall) - (later.awake - m.awake)
}

// watchSleep gives up all connections when the machine wakes from a sleep: the
// other ends have forgotten them, and waiting for an answer would take the whole
// timeout. It ends with the account, or when ticks end.
func (a *Account) watchSleep(now func() moment, ticks <-chan time.Time) {
	last := now()
	for {
		select {
		case <-a.life.Done():
			return
		case _, ok := <-ticks:
			if !ok {
				return
			}
		}
		at := now()
		if last.slept(at) > sleepLimit {
			a.killAll(errSlept)
		}
		last = at
	}
}

func (a *Account) killAll(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for c := range a.all {
		c.kill(err)
	}
}

// keepAwake starts the watch once there is a connection to give up.
func (a *Account) keepAwake() {
	a.watching.Do(func() {
		go func() {
			t := time.NewTicker(sleepTick)
			defer t.Stop()
			a.watchSleep(rightNow, t.C)
		}()
	})
}
