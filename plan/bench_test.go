package plan

import (
	"fmt"
	"testing"

	"imapsync/conflict"
)

// A folder of 100,000 messages in which nothing changed, and one that has as
// many new on the server.
func BenchmarkMake100k(b *testing.B) {
	const n = 100_000
	agreed, fresh := newModel("INBOX"), newModel("INBOX")
	for i := range n {
		agreed.agree("INBOX", fmt.Sprint("m", i), "S")
		fresh.putRemote("INBOX", fmt.Sprint("m", i), "S")
	}
	for _, c := range []struct {
		name string
		m    *model
		ops  int
	}{{"unchanged", agreed, 0}, {"new", fresh, n}} {
		b.Run(c.name, func(b *testing.B) {
			in := c.m.observe(conflict.Policy{})
			b.ReportAllocs()
			for b.Loop() {
				if p := Make(in); len(p.Ops) != c.ops {
					b.Fatal(len(p.Ops))
				}
			}
		})
	}
}
