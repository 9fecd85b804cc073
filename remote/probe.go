package remote

import (
	"context"
	"crypto/tls"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"imapsync/mail"
	"imapsync/remote/wire"
)

// Probe is what `imapsync check` and `imapsync folders` tell about a server.
type Probe struct {
	Greeting  string   // the server's first words
	Server    string   // what it says it is (ID, RFC 2971), "" if it does not
	Caps      []string // after login, in upper case
	Abilities []Ability
	TLS       *tls.ConnectionState // nil without TLS
	Prefix    string               // of the personal namespace (RFC 2342)
	Delimiter string               // between the components of the server's names
	Quota     []Quota              // of INBOX; nil if the server does not tell (RFC 9208)
}

// Ability is an extension that makes a difference to a run.
type Ability struct {
	Name    string
	Offered bool   // by the server, and not disabled
	Use     string // what it is used for, or what is done without it
}

// Quota is one limit of the account.
type Quota struct {
	Root, Resource string // STORAGE, MESSAGE, …
	Used, Limit    int64  // STORAGE in bytes
}

// deflate is an ability only for who wants it.
const deflate = "COMPRESS=DEFLATE"

// abilities tells for each extension what it gives, and what stands in for it.
var abilities = []struct{ name, with, without string }{
	{"CONDSTORE", "only changed flags are listed", "all flags of a changed folder are listed"},
	{"LIST-STATUS", "unchanged folders are known in one round trip", "each folder is asked for its state"},
	{"ESEARCH", "lists of messages come compressed", "lists of messages come in full"},
	{"UIDPLUS", "new UIDs are told, and exactly the messages meant are expunged",
		"new messages are looked for, and others' \\Deleted marks are taken off during an expunge"},
	{"MOVE", "moves are one command", "moves are copied, then deleted"},
	{"LITERAL+", "uploads are pipelined", "each upload waits for the server"},
	{"NAMESPACE", "the prefix of the account's folders is known", "folder names are taken as they are"},
	{"UNSELECT", "a folder is closed without a trace", "INBOX is looked at instead"},
	{"LIST-EXTENDED", "subscriptions are listed with the folders", "subscriptions are not listed"},
	{deflate, "what crosses the link is compressed, with auto if it is slow", "nothing is compressed, however slow the link"},
	{"QUOTA", "the room left is shown", "the room left is not known"},
}

// Probe connects, if need be, and asks what the server is and can do. It
// changes nothing.
func (a *Account) Probe(ctx context.Context) (*Probe, error) {
	c, err := a.acquire(ctx, "")
	if err != nil {
		return nil, err
	}
	defer a.release(c)
	defer c.guard(ctx)()
	if err := c.client.Noop().Wait(); err != nil { // some of it comes with the answer to the first command
		return nil, c.grade(ctx, err, mail.Fault{Scope: mail.ScopeAccount, Doing: "ask what the server is"})
	}
	p := &Probe{Greeting: c.wire.Greeting(), Server: c.wire.ServerID(), Caps: c.wire.Caps(), TLS: c.wire.TLSState()}
	for _, ability := range abilities {
		if ability.name == deflate && a.cfg.Wire.Compress == wire.CompressNever {
			continue
		}
		offered := c.has(ability.name)
		use := ability.without
		if offered {
			use = ability.with
		}
		p.Abilities = append(p.Abilities, Ability{ability.name, offered, use})
	}
	if _, err := a.serverName(ctx, c, "-"); err != nil {
		return nil, err
	}
	a.mu.Lock()
	p.Prefix, p.Delimiter = a.names.prefix, a.names.delim
	a.mu.Unlock()
	p.Quota, err = c.quota()
	if err != nil && !refused(err) {
		return nil, c.grade(ctx, err, mail.Fault{Scope: mail.ScopeAccount, Doing: "ask for the quota"})
	}
	return p, nil
}

// quota asks for INBOX's limits (GETQUOTAROOT, RFC 9208 section 4.3.2), sorted.
func (c *conn) quota() ([]Quota, error) {
	if !c.has("QUOTA") {
		return nil, nil
	}
	roots, err := c.client.GetQuotaRoot(string(mail.Inbox)).Wait()
	if err != nil {
		return nil, err
	}
	var quotas []Quota
	for _, root := range roots {
		for resource, r := range root.Resources {
			q := Quota{Root: root.Root, Resource: string(resource), Used: r.Usage, Limit: r.Limit}
			if resource == imap.QuotaResourceStorage {
				q.Used, q.Limit = q.Used<<10, q.Limit<<10 // told in units of 1024 octets
			}
			quotas = append(quotas, q)
		}
	}
	slices.SortFunc(quotas, func(a, b Quota) int {
		return strings.Compare(a.Root+"\x00"+a.Resource, b.Root+"\x00"+b.Resource)
	})
	return quotas, nil
}
