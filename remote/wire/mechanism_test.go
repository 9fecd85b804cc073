package wire

import (
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
