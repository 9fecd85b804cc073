package simworld

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"imapsync/mail"
)

// FetchParts implements syncer.Mailbox: a stub has the header block alone.
func (m *Mailbox) FetchParts(ctx context.Context, uids []mail.UID, sizes map[mail.UID]int64, _ bool, got func(uid mail.UID, body io.Reader, err error) error) error {
	return m.Fetch(ctx, uids, func(uid mail.UID, body io.Reader, err error) error {
		if err != nil {
			return got(uid, nil, err)
		}
		whole, err := io.ReadAll(body)
		if err != nil {
			return got(uid, &cutReader{bytes.NewReader(whole)}, nil)
		}
		header, _, _ := bytes.Cut(whole, []byte("\r\n\r\n"))
		stub := fmt.Sprintf("%s: whole=%d\r\n%s\r\n\r\n", mail.StubField, sizes[uid], header)
		return got(uid, bytes.NewReader([]byte(stub)), nil)
	})
}
