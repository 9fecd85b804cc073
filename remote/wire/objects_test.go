package wire_test

import (
	"maps"
	"testing"
)

// What identifies contents is asked for by the name that the server has for it; what
// is not as it should be is nothing.
func TestObjectIDs(t *testing.T) {
	for _, c := range []struct{ caps, item, told, want string }{
		{"OBJECTID", "EMAILID", "(M6d99ac3275bb4e)", "M6d99ac3275bb4e"},
		{"X-GM-EXT-1", "X-GM-MSGID", "1278455344230334865", "1278455344230334865"},
		{"OBJECTID X-GM-EXT-1", "EMAILID", "(M1)", "M1"},
		{"OBJECTID", "EMAILID", "NIL", ""},
		{"OBJECTID", "EMAILID", "()", ""},
		{"OBJECTID", "EMAILID", "(M1 M2)", ""},
		{"OBJECTID", "EMAILID", `("M1")`, ""},
	} {
		conn := dial(t, "IMAP4rev1 "+c.caps, func(s *server) {
			tag := s.expect("UID FETCH 3,5 (UID " + c.item + ")")
			s.write("* 1 FETCH (UID 3 FLAGS (\\Seen) %s %s)\r\n", c.item, c.told)
			s.write("* 2 FETCH (%s (M9) UID 5)\r\n* 7 EXISTS\r\n", c.item)
			s.ok(tag)
			s.noop()
		})
		cl := client(t, conn, nil)
		told := map[uint32]string{}
		answer, err := conn.ObjectIDs("3,5", func(uid uint32, id string) { told[uid] = id })()
		if err != nil || answer.Status != "OK" || !conn.HasObjectIDs() {
			t.Fatalf("%+v: %+v, %v", c, answer, err)
		}
		want := map[uint32]string{5: "M9"}
		if c.want != "" {
			want[3] = c.want
		}
		if !maps.Equal(told, want) {
			t.Errorf("%+v: told %v", c, told)
		}
		alive(t, conn, cl)
	}
}
