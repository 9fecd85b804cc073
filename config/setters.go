package config

import (
	"errors"
	"strings"

	"imapsync/conflict"
)

func setFingerprints(a *Account, v value) {
	list, ok := v.texts()
	if !ok {
		return
	}
	if len(list) == 0 {
		v.fail("must not be an empty list")
	}
	for _, s := range list {
		sum, err := parseFingerprint(s)
		if err != nil {
			v.fail("%v", err)
			continue
		}
		a.Fingerprints = append(a.Fingerprints, sum)
	}
}

// setSecret keeps one source of the secret and refuses a second.
func setSecret(a *Account, v value, s Secret) {
	if !a.Secret.IsZero() {
		v.fail("contradicts %s: give one source of the secret", a.Secret.key)
		return
	}
	s.key = v.name()
	a.Secret = s
}

func setPassword(a *Account, v value) {
	if s, ok := v.text(); ok {
		setSecret(a, v, Secret{password: &s})
	}
	if v.doc.readable {
		v.fail("the file holds a password and others may read it; run: chmod 600 %s", v.doc.file)
	}
}

func setSecretFile(a *Account, v value) {
	if s, ok := v.file(); ok {
		setSecret(a, v, Secret{file: s})
	}
}

func setSecretCommand(bearer bool) func(*Account, value) {
	return func(a *Account, v value) {
		if s, ok := v.text(); ok {
			setSecret(a, v, Secret{command: s, Bearer: bearer})
		}
	}
}

func setCredential(a *Account, v value) {
	s, ok := v.text()
	switch {
	case !ok:
	case s == "." || s == ".." || strings.ContainsRune(s, '/'):
		v.fail("must be the name of a credential, not a path")
	default:
		setSecret(a, v, Secret{credential: s})
	}
}

func setAuth(a *Account, v value) {
	if s, ok := v.oneOf("auto", "scram-sha-256", "scram-sha-1", "plain", "login", "cram-md5", "xoauth2", "oauthbearer", "external"); ok {
		a.Auth = s
	}
}

// separators are the characters that part components in the flat layout: ASCII
// punctuation without "/", which parts directories, and "%", which escapes.
const separators = "!#$&()*+,-.:;<=>?@[]^_{|}~"

func setSeparator(a *Account, v value) {
	s, ok := v.text()
	switch {
	case !ok:
	case len(s) != 1 || !strings.Contains(separators, s):
		v.fail("must be one of %s, not %q", separators, s)
	default:
		a.Separator = s
	}
}

func setInbox(a *Account, v value) {
	s, ok := v.text()
	if !ok {
		return
	}
	if strings.Contains(s, "/") || strings.HasPrefix(s, ".") && s != "." || s == "cur" || s == "new" || s == "tmp" {
		v.fail(`must be the name of a directory in maildir that is not hidden, or ".", not %q`, s)
		return
	}
	a.Inbox = s
}

func setFolderNames(a *Account, v value) {
	s, _ := v.oneOf("utf-8", "utf-7")
	a.UTF7 = s == "utf-7"
}

func setCompress(a *Account, v value) {
	switch v.v {
	case true:
		a.Compress = CompressAlways
	case false:
		a.Compress = CompressNever
	case string(CompressAuto):
		a.Compress = CompressAuto
	default:
		v.fail(`must be "auto", true or false`)
	}
}

func setFolders(a *Account, v value) {
	list, ok := v.texts()
	if !ok {
		return
	}
	if len(list) == 0 {
		v.fail(`chooses no folder; leave the key out for all of them`)
		return
	}
	for i, s := range list {
		if strings.TrimPrefix(s, "!") == "" || strings.HasPrefix(s, "!!") {
			v.fail("item %d, %q, is no pattern", i+1, s)
			return
		}
	}
	a.Folders = NewPatterns(list...)
}

func setLimits(a *Account, v value) {
	for _, member := range v.entries() {
		switch member.name() {
		case "count":
			if n, ok := member.integer(1, 1<<31-1); ok {
				a.MaxDeletions.Count = n
			}
		case "percent":
			if n, ok := member.integer(1, 100); ok {
				a.MaxDeletions.Percent = n
			}
		default:
			member.unknown("count", "percent")
		}
	}
}

func setConflicts(a *Account, v value) {
	if set := folderConflicts(v); set != nil {
		set(&a.Conflicts)
	}
}

// folderConflicts returns what the key sets, nil when it sets nothing.
func folderConflicts(v value) func(*conflict.Policy) {
	var set func(*conflict.Policy)
	for _, member := range v.entries() {
		if member.name() != "deletion" {
			member.unknown("deletion")
			continue
		}
		if s, ok := member.oneOf(string(conflict.Yields), string(conflict.Wins)); ok {
			set = func(p *conflict.Policy) { p.Deletion = conflict.Deletion(s) }
		}
	}
	return set
}

func notPulled(p *conflict.Policy) *conflict.Kinds { return &p.NotPulled }
func notPushed(p *conflict.Policy) *conflict.Kinds { return &p.NotPushed }

// setKinds reads what is propagated; the policy has what is not.
func setKinds(of func(*conflict.Policy) *conflict.Kinds) func(*Account, value) {
	return func(a *Account, v value) {
		if set := folderKinds(of)(v); set != nil {
			set(&a.Conflicts)
		}
	}
}

func folderKinds(of func(*conflict.Policy) *conflict.Kinds) func(value) func(*conflict.Policy) {
	return func(v value) func(*conflict.Policy) {
		names, ok := v.texts()
		if !ok {
			return nil
		}
		for i, name := range names {
			if _, ok := conflict.ParseKinds([]string{name}); !ok {
				v.fail("item %d, %q, is none of %v%s", i+1, name, conflict.AllKinds, Suggest(name, conflict.KindNames))
				return nil
			}
		}
		kinds, _ := conflict.ParseKinds(names)
		return func(p *conflict.Policy) { *of(p) = conflict.AllKinds &^ kinds }
	}
}

func setExtensions(a *Account, v value) {
	list, ok := v.texts()
	if !ok {
		return
	}
	for i, s := range list {
		if err := checkCapability(s); err != nil {
			v.fail("item %d, %q, %v", i+1, s, err)
			return
		}
		a.DisableExtensions = append(a.DisableExtensions, strings.ToUpper(s))
	}
}

func checkCapability(s string) error {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] >= 0x7f || strings.IndexByte(`(){%*"\]`, s[i]) >= 0 {
			return errors.New("is no capability such as CONDSTORE")
		}
	}
	if strings.EqualFold(s, "IMAP4REV1") {
		return errors.New("is what the server speaks, not an extension")
	}
	return nil
}
