package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"imapsync/internal/bench/bare"
	"imapsync/internal/corpus"
	"imapsync/internal/dovecot"
	"imapsync/internal/proxy"
)

// world is the server, the link to it and the disk.
type world struct {
	options
	server  *dovecot.Server
	link    *proxy.Proxy
	base    string          // holds the directories of all runs
	masters map[string]bool // accounts that were filled
	users   int
	closing sync.Once
}

func newWorld(o options) (*world, error) {
	w := &world{options: o, masters: map[string]bool{}}
	var err error
	if w.base, err = os.MkdirTemp(o.dir, "bench"); err != nil {
		return nil, err
	}
	serverDir, err := os.MkdirTemp(o.serverDir, "dovecot")
	if err == nil {
		// A stores few large files: copies of an account are quick to make.
		w.server, err = dovecot.New(serverDir, dovecot.Options{Format: "mdbox"})
	}
	if err == nil {
		w.link, err = proxy.New(w.server.Addr(), 0)
	}
	if err != nil {
		_ = os.RemoveAll(serverDir)
		_ = os.RemoveAll(w.base)
		return nil, err
	}
	w.closeWhenInterrupted()
	return w, nil
}

// closeWhenInterrupted keeps ^C from leaving gigabytes in memory and on the
// disk.
func (w *world) closeWhenInterrupted() {
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, unix.SIGTERM)
	go func() {
		<-interrupted
		w.close()
		os.Exit(1)
	}()
}

// close deletes everything, once.
func (w *world) close() {
	w.closing.Do(func() {
		w.link.Close()
		w.server.Stop()
		_ = os.RemoveAll(w.server.Dir)
		_ = os.RemoveAll(w.base)
	})
}

// The accounts that are filled once, and copied for each client.
const (
	mixed  = "mixed"  // realistic mail in some folders
	many   = "many"   // many folders of tiny messages
	empty  = "empty"  // nothing but the folder for uploads
	bulk   = "bulk"   // four times as much as mixed
	single = "single" // one huge folder of tiny messages
)

// uploadFolder is what is uploaded to.
const uploadFolder = "Upload"

// fill fills a master account unless that was done.
func (w *world) fill(master string) error {
	if w.masters[master] {
		return nil
	}
	c, err := bare.Dial(w.server.Addr(), master, w.server.Password)
	if err != nil {
		return err
	}
	defer c.Close()
	switch master {
	case mixed:
		err = fillFolders(c, w.folders, w.messages/w.folders, realistic(1))
	case bulk:
		err = fillFolders(c, w.folders, 4*w.messages/w.folders, realistic(2))
	case many:
		err = fillFolders(c, w.manyFolders, w.manyEach, tiny)
	case single:
		err = fillFolders(c, 1, w.huge, tiny)
	case empty:
		err = c.Do(nil, "CREATE "+uploadFolder)
	}
	if err != nil {
		return fmt.Errorf("fill %s: %w", master, err)
	}
	// Its indexes are written for sure when the server has ended.
	w.server.Stop()
	w.masters[master] = true
	return w.server.Start()
}

func folderName(i int) string { return fmt.Sprintf("Folder %03d", i) }

// fillFolders puts messages into new folders.
func fillFolders(c *bare.Conn, folders, each int, message func(i int) bare.Upload) error {
	for f := range folders {
		if err := c.Do(nil, fmt.Sprintf("CREATE %q", folderName(f))); err != nil {
			return err
		}
		err := c.Append(folderName(f), each, 100, func(i int) (bare.Upload, error) { return message(f*each + i), nil })
		if err != nil {
			return err
		}
	}
	return nil
}

// realistic is the corpus of a seed, as a server stores it.
func realistic(seed uint64) func(int) bare.Upload {
	generator := corpus.New(seed)
	return func(int) bare.Upload {
		m := generator.Message()
		return bare.Upload{Flags: m.Flags.IMAP(), Date: m.Date, Body: corpus.Wire(m.Body)}
	}
}

// tiny messages are for accounts whose bodies do not matter.
func tiny(i int) bare.Upload {
	body := fmt.Sprintf("From: a@example.org\r\nSubject: %d\r\nMessage-ID: <%d@tiny.example.org>\r\n\r\n%[1]d\r\n", i, i)
	return bare.Upload{Flags: bare.Names("S"), Date: corpusStart, Body: []byte(body)}
}

// copyAccount makes a new account with what a master account holds.
func (w *world) copyAccount(master string) (user string, err error) {
	if err := w.fill(master); err != nil {
		return "", err
	}
	w.users++
	user = fmt.Sprintf("%s%d", master, w.users)
	out, err := exec.Command("cp", "-a", w.home(master), w.home(user)).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("copy %s: %w\n%s", master, err, out)
	}
	return user, err
}

func (w *world) home(user string) string { return filepath.Join(w.server.Dir, "home", user) }

// release gives the server's memory for an account back. The client's directory
// stays.
func (w *world) release(clients ...*client) error {
	for _, c := range clients {
		if err := os.RemoveAll(w.home(c.user)); err != nil {
			return err
		}
	}
	return nil
}
