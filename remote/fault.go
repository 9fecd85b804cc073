package remote

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"imapsync/mail"
	"imapsync/remote/wire"
)

// refusal is a NO or BAD of the server, in its own words.
type refusal struct{ err *imap.Error }

func (r *refusal) Error() string {
	s := "the server refused: " + string(r.err.Type)
	if r.err.Code != "" {
		s += " [" + string(r.err.Code) + "]"
	}
	if r.err.Text != "" {
		s += " " + r.err.Text
	}
	return s
}

func (r *refusal) Unwrap() error { return r.err }

// asRefusal finds the NO or BAD in err, nil if there is none.
func asRefusal(err error) *refusal {
	var e *imap.Error
	if !errors.As(err, &e) {
		return nil
	}
	return &refusal{e}
}

// refused tells a NO or BAD, after which the connection goes on, from a
// connection that broke.
func refused(err error) bool { return asRefusal(err) != nil }

// hasCode reports whether err is a refusal with one of the response codes (RFC
// 5530; APPENDLIMIT's TOOBIG is RFC 7889's).
func hasCode(err error, codes ...imap.ResponseCode) bool {
	r := asRefusal(err)
	return r != nil && slices.ContainsFunc(codes, func(code imap.ResponseCode) bool {
		return strings.EqualFold(string(r.err.Code), string(code))
	})
}

// temporary reports whether a refusal is one that time cures.
func temporary(err error) bool {
	r := asRefusal(err)
	return r != nil && wire.Temporary(string(r.err.Code), r.err.Text)
}

// grade turns err into the fault f describes, filling in its class and cause; a
// broken connection costs the folder at least. It returns nil for nil, and err
// itself where it is graded already.
func (c *conn) grade(ctx context.Context, err error, f mail.Fault) error {
	var graded *mail.Fault
	switch {
	case err == nil:
		return nil
	case errors.As(err, &graded):
		return err
	case ctx.Err() != nil:
		f.Class, f.Err = mail.ClassTemporary, ctx.Err()
	case refused(err):
		f.Err = asRefusal(err)
		switch {
		case temporary(err):
			f.Class, f.After = mail.ClassTemporary, wire.Backoff(asRefusal(err).err.Text)
		case hasCode(err, imap.ResponseCodeAuthenticationFailed, imap.ResponseCodeAuthorizationFailed,
			imap.ResponseCodeExpired, imap.ResponseCodePrivacyRequired):
			f.Class = mail.ClassAuth
		}
	case c.wire.Err() != nil:
		f.Scope = max(f.Scope, mail.ScopeFolder)
		broken(&f, c.wire.Err())
	default:
		f.Scope, f.Err = max(f.Scope, mail.ScopeFolder), err
	}
	return &f
}

// dialFault grades why no connection could be made.
func dialFault(ctx context.Context, err error) error {
	f := mail.Fault{Scope: mail.ScopeAccount}
	if ctx.Err() != nil {
		f.Class, f.Err = mail.ClassTemporary, ctx.Err()
	} else {
		broken(&f, err)
	}
	return &f
}

// broken fills in what package wire found.
func broken(f *mail.Fault, err error) {
	f.Class, f.Err = mail.ClassTemporary, err
	var w *wire.Error
	if !errors.As(err, &w) {
		return
	}
	bare := *w // the fault says the hint
	f.Err, f.Hint, bare.Hint = &bare, w.Hint, ""
	switch w.Kind {
	case wire.KindConfig:
		f.Class = mail.ClassUsage
	case wire.KindSecret:
		f.Class = mail.ClassAuth
		var why *mail.Fault
		if errors.As(w.Err, &why) { // who fetches the secret knows better
			f.Class = why.Class
		}
	case wire.KindTLS, wire.KindPlaintext, wire.KindAuth:
		f.Class = mail.ClassAuth
	case wire.KindLimit, wire.KindProtocol:
		f.Class = mail.ClassFailed
	case wire.KindUnavailable, wire.KindBye:
		f.After = wire.Backoff(w.Text)
	case wire.KindAborted:
		if errors.Is(err, errTooMany) {
			f.Class = mail.ClassFailed
		}
	}
}
