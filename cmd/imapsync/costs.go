package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"imapsync/mail"
	"imapsync/remote/wire"
)

// What a run costs before it does anything is told with -v: a line for the
// state, for each connection, and for the list of the server's folders.

// cost tells how long something took.
func (l *lane) cost(began time.Time, format string, args ...any) {
	l.out.detail("%s: %s in %s", l.Name, fmt.Sprintf(format, args...), millis(time.Since(began)))
}

// connected tells what a connection cost, step by step; what took no time is
// left out.
func (l *lane) connected(steps []wire.Step) {
	var total time.Duration
	var parts []string
	what := "connected"
	for _, s := range steps {
		total += s.Took
		if s.Name == "compress" {
			what = "the link is compressed from here on, agreed"
		} else if s.Took >= 50*time.Microsecond {
			parts = append(parts, s.Name+" "+millis(s.Took))
		}
	}
	text := strings.Join(parts, ", ")
	if text != "" {
		text = ": " + text
	}
	l.out.detail("%s: %s in %s%s", l.Name, what, millis(total), text)
}

// millis writes a time as milliseconds.
func millis(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", d.Seconds()*1000)
}

// Folders implements syncer.Remote.
func (r remoteSide) Folders(ctx context.Context) ([]mail.RemoteFolder, error) {
	began := time.Now()
	list, err := r.Account.Folders(ctx)
	if err == nil {
		r.lane.cost(began, "the server's %s listed", count(len(list), "folder"))
	}
	return list, err
}

// LookAgain implements syncer.Remote.
func (r remoteSide) LookAgain(ctx context.Context, absent []mail.Sought, readOnly bool, told func(mail.FolderName, []mail.UID, error)) ([]mail.RemoteFolder, error) {
	began := time.Now()
	list, err := r.Account.LookAgain(ctx, absent, readOnly, told)
	if err == nil {
		r.lane.cost(began, "the server's %s listed once more, and missing messages looked for in %d", count(len(list), "folder"), len(absent))
	}
	return list, err
}
