// Package demo is the embedded IMAP server that `imapsync demo` and tests
// synchronise with: a memory backend on a loopback port, sample mail, and the
// changes somebody's phone would make. It has neither CONDSTORE nor LITERAL+,
// and it keeps nothing when it is closed.
package demo

import (
	"fmt"
	"io"
	"log"
	"net"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"

	"imapsync/internal/phone"
	"imapsync/mail"
)

// Server is a running IMAP server with one user and an empty INBOX.
type Server struct {
	Addr     string // host:port; no TLS
	User     string
	Password string

	imap  *imapserver.Server
	phone *phone.Client
}

// Start runs a server on a free port of 127.0.0.1.
func Start() (*Server, error) {
	s := &Server{User: "me@example.org", Password: "demo"}
	user := imapmemserver.NewUser(s.User, s.Password)
	if err := user.Create("INBOX", nil); err != nil {
		return nil, err
	}
	backend := imapmemserver.New()
	backend.AddUser(user)
	s.imap = imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return backend.NewSession(), nil, nil
		},
		Caps: imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapNamespace: {}, imap.CapUIDPlus: {}, imap.CapESearch: {},
			imap.CapListExtended: {}, imap.CapListStatus: {}, imap.CapMove: {}},
		InsecureAuth: true,
		Logger:       log.New(io.Discard, "", 0),
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.Addr = listener.Addr().String()
	go func() { _ = s.imap.Serve(listener) }()
	if s.phone, err = phone.Dial(s.Addr, s.User, s.Password); err != nil {
		_ = s.imap.Close()
		return nil, err
	}
	return s, nil
}

// Close stops the server and ends all connections.
func (s *Server) Close() {
	_ = s.phone.Close()
	_ = s.imap.Close()
}

// Port is the port of Addr.
func (s *Server) Port() int {
	addr, err := net.ResolveTCPAddr("tcp", s.Addr)
	if err != nil {
		return 0
	}
	return addr.Port
}

// Create makes a mailbox, as the phone would.
func (s *Server) Create(folder string) error { return s.phone.Create(folder) }

// Append stores a message, given with CR LF line ends.
func (s *Server) Append(folder string, flags mail.Flags, date time.Time, body []byte) error {
	_, err := s.phone.Append(folder, flags, date, body)
	return err
}

// Deliver brings one more message into INBOX, as if it had just arrived.
func (s *Server) Deliver(from, subject, text string) error {
	now := time.Now()
	m := sample{from: from, to: s.User, subject: subject, text: text}
	return s.Append("INBOX", mail.Flags{}, now, m.bytes(now))
}

// Flag adds flags to the messages whose Subject holds the text.
func (s *Server) Flag(folder, subject string, add mail.Flags) error {
	uids, err := s.find(folder, subject)
	if err != nil {
		return err
	}
	return s.phone.Store(folder, uids, add, mail.Flags{})
}

// Move moves the messages whose Subject holds the text.
func (s *Server) Move(folder, subject, to string) error {
	uids, err := s.find(folder, subject)
	if err != nil {
		return err
	}
	return s.phone.Move(folder, uids, to)
}

// Delete removes the messages whose Subject holds the text for good.
func (s *Server) Delete(folder, subject string) error {
	uids, err := s.find(folder, subject)
	if err != nil {
		return err
	}
	return s.phone.Expunge(folder, uids)
}

// Messages returns everything a mailbox holds.
func (s *Server) Messages(folder string) ([]phone.Message, error) { return s.phone.Messages(folder) }

// Folders lists the mailboxes.
func (s *Server) Folders() ([]string, error) { return s.phone.Folders() }

func (s *Server) find(folder, subject string) ([]mail.UID, error) {
	uids, err := s.phone.BySubject(folder, subject)
	if err == nil && len(uids) == 0 {
		err = fmt.Errorf("no message in %q has %q in its subject", folder, subject)
	}
	return uids, err
}
