package remote

import (
	"context"
	"fmt"
	"slices"

	"github.com/emersion/go-imap/v2"

	"imapsync/mail"
	"imapsync/query"
)

// Search finds the messages of the mailbox for which the query holds, in
// ascending order, and changes nothing. What counts as a word, and whether
// encoded texts are looked into, is the server's affair.
func (m *Mailbox) Search(ctx context.Context, q query.Query) ([]mail.UID, error) {
	defer m.use(ctx)()
	after, err := m.ready(ctx)
	if err != nil {
		return nil, err
	}
	set, err := found(m.sendSearch(criteria(q)))
	if selectErr := after.wait(); selectErr != nil {
		return nil, selectErr
	}
	f := m.fault("search")
	if n := count(set); err == nil && n > uint64(m.box().mark.Messages)+maxAbsurd {
		err = fmt.Errorf("the server finds %d messages in a folder of %d", n, m.box().mark.Messages)
	}
	if hasCode(err, "BADCHARSET") {
		f.Hint = "this server searches for ASCII letters only"
	}
	if err != nil {
		return nil, m.c.grade(ctx, err, f)
	}
	var uids []mail.UID
	each(set, func(uid mail.UID) { uids = append(uids, uid) })
	slices.Sort(uids)
	return slices.Compact(uids), nil
}

// criteria translates a query (RFC 3501 section 6.4.4).
func criteria(q query.Query) *imap.SearchCriteria {
	all := &imap.SearchCriteria{}
	for _, t := range q {
		one := criterion(t)
		switch {
		case !t.Not:
			all.And(&one)
		case t.Field == query.Flag:
			all.NotFlag = append(all.NotFlag, one.Flag...)
		default:
			all.Not = append(all.Not, one)
		}
	}
	return all
}

func criterion(t query.Term) (c imap.SearchCriteria) {
	header := func(key string) imap.SearchCriteria {
		return imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: key, Value: t.Text}}}
	}
	switch t.Field {
	case query.Text:
		c.Text = []string{t.Text}
	case query.From, query.Subject:
		return header(string(t.Field))
	case query.To:
		c.Or = [][2]imap.SearchCriteria{{header("To"), header("Cc")}}
	case query.Since:
		c.Since = t.Day
	case query.Before:
		c.Before = t.Day
	case query.Larger:
		c.Larger = t.Size
	case query.Flag:
		c.Flag = []imap.Flag{imap.Flag(t.Text)}
	}
	return c
}
