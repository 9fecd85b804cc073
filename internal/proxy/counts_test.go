package proxy

import (
	"bufio"
	"fmt"
	"net"
	"testing"
)

func TestCounts(t *testing.T) {
	p, err := New(echo(t), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for range 2 {
		conn, err := net.Dial("tcp", p.Addr())
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(conn)
		// A flight of two commands, then three that await each other: the client
		// turns around before the last three.
		for _, flight := range []string{"a1 NOOP\r\na2 NOOP\r\n", "a3 NOOP\r\n", "a4 NOOP\r\n", "a5 NOOP\r\n"} {
			fmt.Fprint(conn, flight)
			for range len(flight) / len("a1 NOOP\r\n") {
				if !lines.Scan() {
					t.Fatal("no answer")
				}
			}
		}
		conn.Close()
	}
	p.Wait()
	want := Counts{In: 90, Out: 90, Commands: 10, Turnarounds: 6, Connections: 2}
	if got := p.Counts(); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
	p.Reset()
	if got := p.Counts(); got != (Counts{}) {
		t.Errorf("after Reset %+v", got)
	}
}
