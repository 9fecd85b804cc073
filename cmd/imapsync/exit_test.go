package main

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"imapsync/config"
	"imapsync/mail"
)

func TestExitCode(t *testing.T) {
	fault := func(c mail.Class) error { return fmt.Errorf("wrapped: %w", &mail.Fault{Class: c}) }
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("anything"), 1},
		{fault(mail.ClassFailed), 1},
		{usagef("x"), 2},
		{errors.Join(&config.Error{}, &config.Error{}), 2},
		{fault(mail.ClassUsage), 2},
		{fault(mail.ClassAuth), 3},
		{fault(mail.ClassTemporary), 4},
		{fault(mail.ClassHeld), 5},
		{fault(mail.ClassBusy), 6},
		{&mail.Fault{Class: mail.ClassTemporary, Err: context.Canceled}, 130},
		{errInterrupted, 130},
		{ended(6), 6},
		{ended(0), 0},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
	}
}

// TestWorse: the order in which the manual page says that codes outweigh each
// other.
func TestWorse(t *testing.T) {
	order := []int{130, 2, 3, 1, 5, 4, 6, 0}
	for i, graver := range order {
		for _, other := range order[i:] {
			if worse(graver, other) != graver || worse(other, graver) != graver {
				t.Errorf("of %d and %d the graver is %d", graver, other, graver)
			}
		}
	}
	for _, e := range exitTexts {
		if worse(e.code, e.code) != e.code {
			t.Errorf("code %d has no gravity", e.code)
		}
	}
}
