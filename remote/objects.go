package remote

import (
	"context"

	"imapsync/mail"
	"imapsync/remote/wire"
)

// ObjectIDs asks for what identifies the contents of messages (EMAILID of RFC 8474,
// X-GM-MSGID): those that have the same are copies of each other. What the server
// does not tell, or refuses to, is missing.
func (m *Mailbox) ObjectIDs(ctx context.Context, uids []mail.UID) (map[mail.UID]string, error) {
	defer m.use(ctx)()
	err := m.selectNow(ctx)
	if err == nil {
		err = m.see(uids)
	}
	if err != nil {
		return nil, m.c.grade(ctx, err, m.fault("fetch ids"))
	}
	ids := make(map[mail.UID]string, len(uids))
	var answers []func() (wire.Answer, error)
	for _, set := range sets(sorted(uids)) {
		answers = append(answers, m.c.wire.ObjectIDs(set.String(), func(uid uint32, id string) { ids[mail.UID(uid)] = id }))
	}
	for _, answer := range answers {
		if _, err := answer(); err != nil {
			return nil, m.c.grade(ctx, err, m.fault("fetch ids"))
		}
	}
	return ids, nil
}
