// Command imapsync keeps an IMAP account and a Maildir the same, both ways.
//
// This package is wiring: it reads the command line and the configuration,
// hands a Maildir, a server and a state to package syncer, and shows what that
// tells, as text or as JSON (docs/json.md). It decides nothing about mail.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"imapsync/discover"
)

func main() {
	collectLate()
	ctx, stop := interruptible(os.Exit)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// errInterrupted is the cause of a context that SIGINT or SIGTERM ended.
var errInterrupted = errors.New("interrupted")

// interruptible returns a context that the first SIGINT or SIGTERM cancels, so
// that a run finishes what is in hand. The second signal exits at once.
func interruptible(exit func(int)) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel(errInterrupted)
		<-signals
		exit(exitInterrupted)
	}()
	return ctx, func() { signal.Stop(signals) }
}

// program is one invocation: what its commands share.
type program struct {
	out *output

	configFile string // of -c
	now        func() time.Time
	app        *cli.App
	console    *console
	browse     func(address string) error // shows a page to the user
	finder     *discover.Finder           // of mail servers
}

// run carries out one command line (without the program's name) and returns
// the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	p := &program{out: newOutput(stdout, stderr), now: time.Now, console: newConsole(os.Stdin, stderr), browse: browse, finder: discover.New()}
	return p.run(ctx, args)
}

func (p *program) run(ctx context.Context, args []string) int {
	p.app = p.newApp()
	line, err := arrange(p.app, args)
	if err == nil {
		err = p.app.RunContext(ctx, append([]string{programName}, line...))
	} else {
		p.out.json = wantsJSON(args)
	}
	return p.out.finish(err)
}
