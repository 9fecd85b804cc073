package maildir

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"imapsync/mail"
)

// Config says where a Maildir tree is and how it is kept.
type Config struct {
	Root      string // absolute path; need not exist
	Layout    Layout // "" is Verbatim
	Separator string // of layout Flat: one ASCII punctuation character; "" is "."
	Inbox     string // directory of INBOX in Root, "." for Root itself; "" is where the layout has it
	UTF7      bool   // names are in modified UTF-7 (RFC 3501 section 5.1.3) on disk, not in UTF-8
	Fsync     bool   // make changes durable before they are reported done
	KeepDir   string // where Remove puts files, outside Root; "" unlinks them
}

// Maildir is the local side of one account. Its methods may be called from
// several goroutines for different folders. Errors are *mail.Fault or of the
// context.
type Maildir struct {
	root   string
	naming naming
	fsync  bool
	keep   string
	host   string
	pid    int
	serial atomic.Uint32

	batches atomic.Uint32 // deliveries begun
	files   together[*Delivery]
	dirs    together[string]

	mu      sync.Mutex
	folders map[mail.FolderName]*folder
	walked  *walk                   // the last one
	told    map[string]bool         // directories of which LeftOut has told
	odd     []*mail.Fault           // files that are left alone
	paths   map[mail.DirTime]string // of directories, by device and inode
}

// Open checks the configuration. It touches nothing on disk.
func Open(c Config) (*Maildir, error) {
	n, err := newNaming(c.Layout, c.Separator)
	if err == nil {
		n, err = n.withInbox(c.Inbox)
	}
	n.utf7 = c.UTF7
	if err == nil && !filepath.IsAbs(c.Root) {
		err = fmt.Errorf("maildir %q is not an absolute path", c.Root)
	}
	root := filepath.Clean(c.Root)
	if err == nil && c.KeepDir != "" {
		switch keep := filepath.Clean(c.KeepDir); {
		case !filepath.IsAbs(keep):
			err = fmt.Errorf("directory for removed mail %q is not an absolute path", c.KeepDir)
		case keep == root || strings.HasPrefix(keep, strings.TrimSuffix(root, "/")+"/"):
			err = fmt.Errorf("directory for removed mail %q lies inside the maildir %q", c.KeepDir, c.Root)
		}
	}
	if err != nil {
		return nil, &mail.Fault{Scope: mail.ScopeAccount, Class: mail.ClassUsage, Err: err}
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	m := &Maildir{root: root, naming: n, fsync: c.Fsync, host: host, pid: os.Getpid(), folders: map[mail.FolderName]*folder{}, told: map[string]bool{}, paths: map[mail.DirTime]string{}}
	if c.KeepDir != "" {
		m.keep = filepath.Clean(c.KeepDir)
	}
	return m, nil
}

// folder is what is remembered of one folder between calls.
type folder struct {
	m    *Maildir
	name mail.FolderName
	path string

	mu     sync.Mutex // guards what follows
	index  *listing   // nil until the folder is first listed
	about  int        // how many messages it is said to have
	kept   string     // directory under KeepDir that exists for this folder
	unsync bool       // kept has files whose names are not durable yet

	keywordMu sync.Mutex // held while a keyword gets its letter
}

// folder returns the folder's memory, made when first asked for.
func (m *Maildir) folder(name mail.FolderName) (*folder, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.folders[name]; f != nil {
		return f, nil
	}
	rel, err := m.naming.rel(name)
	if err != nil {
		return nil, &mail.Fault{Scope: mail.ScopeFolder, Folder: name, Err: err,
			Hint: "rename the folder, or leave it out of folders"}
	}
	f := &folder{m: m, name: name, path: filepath.Join(m.root, rel)}
	m.folders[name] = f
	return f, nil
}
