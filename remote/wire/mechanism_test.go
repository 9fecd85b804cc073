package wire

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/xdg-go/scram"
)

// scramServer plays the server's side of a login against a mechanism and tells
// whether it succeeded.
func scramServer(t testing.TB, m *mechanism, password, salt string, iterations int) bool {
	t.Helper()
	client, err := scram.SHA256.NewClient("user", password, "")
	if err != nil {
		t.Fatal(err)
	}
	stored, err := client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: salt, Iters: iterations})
	if err != nil {
		t.Fatal(err)
	}
	server, err := scram.SHA256.NewServer(func(string) (scram.StoredCredentials, error) { return stored, nil })
	if err != nil {
		t.Fatal(err)
	}
	conv := server.NewConversation()
	message, err := m.initial()
	for !conv.Done() && err == nil {
		var challenge string
		if challenge, err = conv.Step(string(message)); err == nil {
			message, err = m.next([]byte(challenge))
		}
	}
	return err == nil && conv.Valid() && m.done() == nil
}

// TestScramAgain: what was derived for one login serves others with the same
// password, and no login with another one.
func TestScramAgain(t *testing.T) {
	var logins Logins
	of := func(password string) login { return login{user: "user", secret: password, logins: &logins} }
	for _, test := range []struct {
		password, salt string
		iterations     int
	}{
		{"one", "salt", 4096}, {"one", "salt", 4096}, {"one", "another salt", 4096}, {"one", "salt", 5000}, {"two", "salt", 4096}, {"one", "salt", 4096},
	} {
		if !scramServer(t, newScram("SCRAM-SHA-256", of(test.password)), test.password, test.salt, test.iterations) {
			t.Errorf("%+v: refused", test)
		}
		if scramServer(t, newScram("SCRAM-SHA-256", of(test.password)), "wrong", test.salt, test.iterations) {
			t.Errorf("%+v: the server need not know the password", test)
		}
	}
	first, err := logins.scram("SCRAM-SHA-256", "user", "one")
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := logins.scram("SCRAM-SHA-256", "user", "one"); again != first {
		t.Error("the work is done again for the same password")
	}
	if other, _ := logins.scram("SCRAM-SHA-256", "other", "one"); other == first {
		t.Error("another user's")
	}
}

// challenging is a server that takes a login by SCRAM as far as its challenge,
// and refuses it.
func challenging(conn net.Conn, salt string, iterations int) {
	defer conn.Close()
	fmt.Fprint(conn, "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=SCRAM-SHA-256 AUTH=PLAIN] hi\r\n")
	lines := bufio.NewScanner(conn)
	lines.Scan()
	words := strings.Fields(lines.Text())
	first, _ := base64.StdEncoding.DecodeString(words[len(words)-1])
	_, nonce, _ := strings.Cut(string(first), ",r=")
	fmt.Fprintf(conn, "+ %s\r\n", base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "r=%sx,s=%s,i=%d", nonce, salt, iterations)))
	if lines.Scan(); lines.Text() != "*" && iterations < 4096 {
		fmt.Fprintf(conn, "* BYE weak\r\n")
	}
	fmt.Fprintf(conn, "%s NO refused\r\n", words[0])
	for lines.Scan() { // whatever else is tried
		tag, _, _ := strings.Cut(lines.Text(), " ")
		fmt.Fprintf(conn, "%s BAD nothing more is expected: %s\r\n", tag, lines.Text())
	}
}

// TestScramStrangers: of a server that does not know the password nothing is
// kept, and no proof is given to one that would have it cheap to guess by.
func TestScramStrangers(t *testing.T) {
	for _, test := range []struct {
		iterations int
		want       string
	}{{4096, "by SCRAM-SHA-256: the server says: refused"}, {4095, "too few iterations"}, {1, "too few iterations"}, {0, "iterations"}} {
		var logins Logins
		client, server := net.Pipe()
		go challenging(server, base64.StdEncoding.EncodeToString([]byte(strings.Repeat("s", 20_000))), test.iterations)
		_, err := Dial(t.Context(), Options{
			Host: "imap.example.org", Security: Plain, Via: ViaTunnel, User: "user", Logins: &logins,
			Secret:      func(context.Context) (string, error) { return "secret", nil },
			DialContext: func(context.Context, string, string) (net.Conn, error) { return client, nil },
		})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%d iterations: %v, want %q", test.iterations, err, test.want)
		}
		if len(logins.clients) > 0 {
			t.Errorf("%d iterations: what was derived is kept", test.iterations)
		}
	}
}
