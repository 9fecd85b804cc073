package remote

import (
	"context"
	"errors"
	"testing"
	"time"

	"imapsync/mail"
)

// A machine that slept for longer than connections live gives them up at once,
// with an error that time cures, and dials anew.
func TestSleepEndsConnections(t *testing.T) {
	for name, c := range map[string]struct {
		wall, awake time.Duration // since the look before
		alive       bool
	}{
		"no sleep":             {5 * time.Second, 5 * time.Second, true},
		"a busy machine":       {3 * time.Minute, 3 * time.Minute, true},
		"a nap":                {25 * time.Second, 5 * time.Second, true},
		"a night":              {9 * time.Hour, 5 * time.Second, false},
		"the clock was set up": {5*time.Second - time.Hour, 5 * time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			silent := make(chan struct{})
			f := newFake(t, allCaps, map[string]answer{
				"UID FETCH": func(c *fakeConn, tag, args string) { close(silent) }, // no answer, ever
			})
			a := f.account()
			m := open(t, a, mail.Inbox)
			moments := make(chan moment, 2)
			ticks := make(chan time.Time)
			watched := make(chan struct{})
			go func() {
				defer close(watched)
				a.watchSleep(func() moment { return <-moments }, ticks)
			}()
			began := rightNow()
			moments <- began
			moments <- moment{began.wall.Add(c.wall), began.awake + c.awake}
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			failed := make(chan error, 1)
			go func() {
				_, err := m.Flags(ctx, []mail.UID{1})
				failed <- err
			}()
			<-silent
			ticks <- time.Time{}
			close(ticks)
			<-watched
			if c.alive {
				cancel()
			}
			err := <-failed
			if slept := errors.Is(err, errSlept); slept == c.alive {
				t.Errorf("the connection ended with %v", err)
			}
			if mail.ClassOf(err) != mail.ClassTemporary {
				t.Errorf("class %v of %v", mail.ClassOf(err), err)
			}
		})
	}
}
