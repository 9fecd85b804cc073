package remote

import (
	"maps"
	"testing"

	"imapsync/mail"
)

// A server that does not tell what identifies contents costs no more than that.
func TestObjectIDs(t *testing.T) {
	for text, want := range map[string]map[mail.UID]string{
		"* 1 FETCH (UID 1 EMAILID (Ma))\n* 3 FETCH (EMAILID (Mb) UID 3)\n%s OK done": {1: "Ma", 3: "Mb"},
		"%s OK done":           {},
		"%s NO [CANNOT] no":    {},
		"%s BAD what is that?": {},
	} {
		f := newFake(t, allCaps+" OBJECTID", map[string]answer{
			"UID FETCH": func(c *fakeConn, tag, args string) { c.send(text, tag) },
		})
		a := f.account()
		if features, err := a.Features(t.Context()); err != nil || !features.ObjectIDs {
			t.Errorf("%+v, %v", features, err)
		}
		m := open(t, a, mail.Inbox)
		if got, err := m.ObjectIDs(t.Context(), []mail.UID{1, 3}); err != nil || !maps.Equal(got, want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
		if asked := f.sent("UID FETCH"); len(asked) != 1 || asked[0] != "UID FETCH 1,3 (UID EMAILID)" {
			t.Errorf("sent %q", asked)
		}
	}
}
