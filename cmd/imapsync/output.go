package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"

	"imapsync/config"
	"imapsync/mail"
)

// output is where everything the program says goes. Results go to standard
// output, as text or as JSON; errors and traces to standard error. It may be
// used from several goroutines.
type output struct {
	json    bool
	quiet   bool
	verbose bool
	trace   bool

	stdout *results  // of package cli; everything else goes through the methods
	stderr io.Writer // likewise

	mu       sync.Mutex
	progress io.Writer // when not nil, lines go above the progress bars
	bars     *bars     // nil when no progress is shown
	// bothOnScreen says that standard output is the terminal the bars are on.
	bothOnScreen bool
	now          func() time.Time
}

func newOutput(stdout, stderr io.Writer) *output {
	return &output{stdout: &results{w: stdout}, stderr: stderr, now: time.Now}
}

// results is standard output. What cannot be written there ends no work: the first
// error is kept until the program ends.
type results struct {
	w   io.Writer
	mu  sync.Mutex
	err error
}

// Write implements io.Writer. It never fails.
func (r *results) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		_, r.err = r.w.Write(p)
	}
	return len(p), nil
}

// lost tells why some of it was not written. Nobody misses what was not written
// because the reader had read enough.
func (r *results) lost() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if errors.Is(r.err, syscall.EPIPE) {
		return nil
	}
	return r.err
}

// head is what every JSON object begins with.
type head struct {
	Event   string    `json:"event"`
	Account string    `json:"account"` // "" when it concerns none
	Time    time.Time `json:"time"`
}

func (o *output) head(event, account string) head {
	return head{event, account, o.now().UTC()}
}

// object prints one JSON object, if JSON is wanted.
func (o *output) object(v any) {
	if !o.json {
		return
	}
	line, err := json.Marshal(v)
	if err != nil {
		o.line(o.stderr, programName+": "+err.Error())
		return
	}
	o.write(o.stdout, append(line, '\n'))
}

// say prints a line of the result as text.
func (o *output) say(format string, args ...any) {
	o.sayLines(fmt.Sprintf(format, args...))
}

// sayLines prints lines of the result together.
func (o *output) sayLines(lines ...string) {
	if !o.json && !o.quiet {
		o.line(o.stdout, lines...)
	}
}

// detail prints a line with -v only.
func (o *output) detail(format string, args ...any) {
	if o.verbose {
		o.say(format, args...)
	}
}

// wire prints a line of the conversation with a server.
func (o *output) wire(account string, fromServer bool, line string) {
	who := "C"
	if fromServer {
		who = "S"
	}
	o.line(o.stderr, fmt.Sprintf("%s %s: %s", account, who, line))
}

// line prints lines whose text may come from a server or a file name: it cannot move
// the cursor, clear the screen, or begin a line of its own.
func (o *output) line(w io.Writer, lines ...string) {
	var text strings.Builder
	for _, l := range lines {
		text.WriteString(plain(l) + "\n")
	}
	o.write(w, []byte(text.String()))
}

func (o *output) write(w io.Writer, line []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.progress != nil && (w == o.stderr || o.bothOnScreen) {
		w = o.progress
	}
	_, _ = w.Write(line) // of standard error nobody is left to tell
}

// plain replaces control characters. An error of several lines stays readable.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t':
			return ' '
		case unicode.IsControl(r):
			return '?'
		}
		return r
	}, s)
}

// finish reports an error that ended the program, and output that was lost, and
// returns the exit code.
func (o *output) finish(err error) int {
	var code codeError
	if err != nil && !errors.As(err, &code) {
		for _, e := range unjoin(err) {
			o.problem("", e, "")
		}
	}
	if lost := o.stdout.lost(); lost != nil {
		o.line(o.stderr, programName+": "+lost.Error())
		return worse(exitCode(err), exitFailed)
	}
	return exitCode(err)
}

// unjoin takes apart what errors.Join made.
func unjoin(err error) []error {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		return several.Unwrap()
	}
	return []error{err}
}

// errorObject is the event "error".
type errorObject struct {
	head
	Exit    int             `json:"exit"` // the code this error alone would give
	Scope   string          `json:"scope,omitempty"`
	Folder  mail.FolderName `json:"folder,omitempty"`
	Message string          `json:"message,omitempty"`
	Doing   string          `json:"doing,omitempty"`
	Cause   string          `json:"cause"`
	Hint    string          `json:"hint,omitempty"`
	File    string          `json:"file,omitempty"`
	Line    int             `json:"line,omitempty"`
	Key     string          `json:"key,omitempty"`
}

// problem reports an error with what to do about it: the advice, else the hint
// that the error brings. That another run is busy is no error to who asked for
// quiet: it is in the exit code.
func (o *output) problem(account string, err error, advice string) {
	text, hint := err.Error(), ""
	object := errorObject{head: o.head("error", account), Exit: exitCode(err), Cause: text}
	var fault *mail.Fault
	var wrong *config.Error
	switch {
	case object.Exit == exitInterrupted: // in whatever it was
		text = errInterrupted.Error()
		object.Cause, advice = text, ""
	case errors.As(err, &fault):
		hint = fault.Hint
		text = strings.TrimSuffix(text, " ("+hint+")")
		object.Scope = scopeName(fault.Scope)
		object.Folder, object.Message, object.Doing = fault.Folder, fault.Message, fault.Doing
		if object.Cause = text; fault.Err != nil {
			object.Cause = fault.Err.Error()
		}
	case errors.As(err, &wrong):
		object.File, object.Line, object.Key, object.Cause = wrong.File, wrong.Line, wrong.Key, wrong.Text
	}
	if advice != "" {
		hint = advice
	}
	object.Hint = hint
	o.object(object)
	if o.quiet && object.Exit == exitBusy {
		return
	}
	line := programName + ": "
	if account != "" {
		line += account + ": "
	}
	lines := []string{line + text}
	if hint != "" {
		lines = append(lines, "  what to do: "+hint)
	}
	o.line(o.stderr, lines...)
}

func scopeName(s mail.Scope) string {
	switch s {
	case mail.ScopeMessage:
		return "message"
	case mail.ScopeFolder:
		return "folder"
	case mail.ScopeAccount:
		return "account"
	}
	return ""
}
