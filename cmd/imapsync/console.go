package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/term"
)

// console is who answers questions: a person at a terminal, or standard input.
type console struct {
	in       *bufio.Reader
	out      io.Writer                                 // questions
	terminal bool                                      // somebody can be asked
	hidden   func(ctx context.Context) (string, error) // reads a line that is not shown
}

func newConsole(in *os.File, out io.Writer) *console {
	fd := int(in.Fd())
	return &console{in: bufio.NewReader(in), out: out, terminal: term.IsTerminal(fd),
		hidden: func(ctx context.Context) (string, error) { return readHidden(ctx, fd) }}
}

// ask puts a question and returns the line that answers it.
func (k *console) ask(ctx context.Context, question string) (string, error) {
	fmt.Fprint(k.out, plain(question)+" ")
	return k.line(ctx)
}

// askHidden is ask for what nobody may see.
func (k *console) askHidden(ctx context.Context, question string) (string, error) {
	fmt.Fprint(k.out, plain(question)+" ")
	defer fmt.Fprintln(k.out)
	return k.hidden(ctx)
}

// maxAnswer bounds a line in bytes; access tokens take a few thousand.
const maxAnswer = 64 << 10

// line reads a line without its end. A read that is left alone when ctx ends
// takes the next line; the program is about to end then.
func (k *console) line(ctx context.Context) (string, error) {
	return await(ctx, func() (string, error) {
		var text strings.Builder
		for {
			c, err := k.in.ReadByte()
			switch {
			case err == io.EOF && text.Len() > 0, err == nil && c == '\n':
				return strings.TrimSuffix(text.String(), "\r"), nil
			case err != nil:
				return "", err
			case text.Len() == maxAnswer:
				return "", fmt.Errorf("a line of more than %d bytes", maxAnswer)
			}
			text.WriteByte(c)
		}
	})
}

// readHidden reads from a terminal that shows nothing meanwhile, and shows
// again what is typed however the read ends.
func readHidden(ctx context.Context, fd int) (string, error) {
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	text, err := await(ctx, func() (string, error) {
		text, err := term.ReadPassword(fd)
		return string(text), err
	})
	return text, errors.Join(err, term.Restore(fd, before))
}

// await waits for a call that heeds no context.
func await(ctx context.Context, call func() (string, error)) (string, error) {
	type result struct {
		text string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text, err := call()
		done <- result{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case r := <-done:
		return r.text, r.err
	}
}

// browse opens an address in the user's browser.
func browse(address string) error {
	program := "xdg-open"
	if runtime.GOOS == "darwin" {
		program = "open"
	}
	cmd := exec.Command(program, address)
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // it may stay for as long as the browser does
	return nil
}
