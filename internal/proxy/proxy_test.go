package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

func TestCommandReader(t *testing.T) {
	const sent = "a1 LOGIN me secret\r\n" +
		"a2 select INBOX\r\n" +
		"a3 AUTHENTICATE PLAIN\r\nAGFubmEAc2VjcmV0\r\n" +
		"a4 APPEND INBOX (\\Seen) {12}\r\na9 STORE 1\r\n (\\Seen) {3+}\r\na\r\n\r\n" +
		"a5 UID STORE 1:* +FLAGS (\\Seen)\r\n" +
		"a6 IDLE\r\nDONE\r\n"
	want := []string{"LOGIN", "select INBOX", "AUTHENTICATE", "APPEND INBOX (\\Seen) {} (\\Seen) {}", "UID STORE 1:* +FLAGS (\\Seen)", "IDLE"}
	// However the bytes are cut.
	for size := 1; size <= len(sent); size++ {
		var got []string
		r := commandReader{record: func(c string) { got = append(got, c) }}
		for piece := range slices.Chunk([]byte(sent), size) {
			r.feed(piece)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("in pieces of %d: %q", size, got)
		}
	}
	if got := Changing(want); len(got) != 2 || Verb(got[0]) != "APPEND" || Verb(got[1]) != "UID STORE" {
		t.Errorf("changing: %q", got)
	}
}

// echo answers each line with itself.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	return l.Addr().String()
}

func TestPassOnAndCut(t *testing.T) {
	p, err := New(echo(t), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	lines := bufio.NewReader(conn)
	say := func(line string) (string, error) {
		if _, err := io.WriteString(conn, line); err != nil {
			return "", err
		}
		return lines.ReadString('\n')
	}
	if got, err := say("a NOOP\r\n"); err != nil || got != "a NOOP\r\n" {
		t.Fatalf("%q, %v", got, err)
	}
	if in, out := p.Bytes(); in != 8 || out != 8 {
		t.Errorf("counted %d in, %d out", in, out)
	}
	if got := p.Commands(); !slices.Equal(got, []string{"NOOP"}) {
		t.Errorf("commands %q", got)
	}
	p.AfterSent(10, p.Cut)
	if _, err := say("b NOOP\r\n"); err != nil {
		t.Fatalf("cut too early: %v", err)
	}
	if got, err := say("c NOOP\r\n"); err == nil {
		t.Fatalf("not cut: %q", got)
	}
}

// answering is a server that counts the commands it is given, each one line,
// and answers that it has done them.
func answering(t *testing.T, done *atomic.Int64) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for lines := bufio.NewScanner(c); lines.Scan(); {
					tag, _, _ := strings.Cut(lines.Text(), " ")
					done.Add(1)
					fmt.Fprintf(c, "* 1 FETCH (BODY[] {8}\r\n%s OK\r\n)\r\n%[1]s OK\r\n", tag)
				}
			}()
		}
	}()
	return l.Addr().String()
}

func TestIntercept(t *testing.T) {
	for _, c := range []struct {
		fate Fate
		done int64 // commands the server got
	}{{Pass, 2}, {Unsent, 1}, {Unanswered, 2}} {
		var done atomic.Int64
		p, err := New(answering(t, &done), 0)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		p.Intercept(func(command string) Fate {
			if Verb(command) == "NOOP" {
				return Pass
			}
			return c.fate
		})
		conn, err := net.Dial("tcp", p.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		lines := bufio.NewScanner(conn)
		say := func(tag, command string) (answered bool) {
			fmt.Fprintf(conn, "%s %s\r\n", tag, command)
			for range 3 { // the first two are a message that looks like an answer
				answered = lines.Scan()
			}
			return answered && lines.Text() == ")" && lines.Scan() && lines.Text() == tag+" OK"
		}
		if !say("a1", "NOOP") {
			t.Errorf("fate %d: NOOP is not answered", c.fate)
		}
		if answered := say("a2", "APPEND x"); answered != (c.fate == Pass) {
			t.Errorf("fate %d: answered %v", c.fate, answered)
		}
		conn.Close()
		p.Wait()
		if got := done.Load(); got != c.done {
			t.Errorf("fate %d: the server got %d commands, want %d", c.fate, got, c.done)
		}
	}
}
