package wire

import "testing"

// TestScramVectors: the examples of RFC 5802 section 5 and RFC 7677 section 3.
func TestScramVectors(t *testing.T) {
	for _, v := range []struct{ name, nonce, first, final, verifier, answer string }{
		{"SCRAM-SHA-1", "fyko+d2lbbFgONRv9qkxdawL",
			"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
			"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
			"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=", "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"},
		{"SCRAM-SHA-256", "rOprNGfwEbeRWgbNEkqO",
			"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
			"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
			"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"},
	} {
		l := login{user: "user", secret: "pencil", logins: &Logins{}}
		client, err := l.logins.scram(v.name, l.user, l.secret)
		if err != nil {
			t.Fatal(err)
		}
		client.WithNonceGenerator(func() string { return v.nonce })
		m := newMechanism(v.name, l)
		says := func(want string, got []byte, err error) {
			if string(got) != want || err != nil {
				t.Errorf("%s: %q, %v; want %q", v.name, got, err, want)
			}
		}
		got, err := m.initial()
		says(v.answer, got, err)
		got, err = m.next([]byte(v.first))
		says(v.final, got, err)
		got, err = m.next([]byte(v.verifier))
		says("", got, err)
		if err := m.done(); err != nil {
			t.Errorf("%s: %v", v.name, err)
		}
	}
}
