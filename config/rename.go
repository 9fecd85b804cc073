package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"imapsync/mail"
)

// setRename reads the names that folders of the server have here.
func setRename(a *Account, v value) {
	for _, member := range v.entries() {
		text, ok := member.v.(string)
		if !ok {
			member.wrong("a string")
			continue
		}
		r := mail.Renaming{Server: mail.FolderName(member.name()), Local: mail.FolderName(text)}
		if strings.EqualFold(member.name(), string(mail.Inbox)) {
			member.fail("INBOX keeps its name; its directory may have another, by the key inbox")
			continue
		}
		if err := checkRenaming(r, a.Rename); err != nil {
			member.fail("%v", err)
			continue
		}
		a.Rename = append(a.Rename, r)
	}
}

// checkRenaming reports what is wrong with an entry beside those before it.
func checkRenaming(r mail.Renaming, before mail.Mapping) error {
	switch {
	case r.Server.Prefix() && !r.Local.Prefix():
		return fmt.Errorf(`must end with "/", or be empty, to be a prefix as %q is`, r.Server)
	case !r.Server.Prefix() && r.Local == "":
		return errors.New("must not be empty")
	case !r.Server.Prefix() && r.Local.Prefix():
		return fmt.Errorf(`must not end with "/", for %q is a folder; write %q for what lies below it`, r.Server, r.Server+"/")
	}
	for _, name := range []mail.FolderName{r.Server, r.Local} {
		if name = mail.FolderName(strings.TrimSuffix(string(name), "/")); name == "" {
			continue
		}
		if err := name.Check(); err != nil {
			return err
		}
	}
	if first, _, _ := strings.Cut(string(r.Local), "/"); strings.EqualFold(first, string(mail.Inbox)) {
		return errors.New("INBOX is a folder of its own: no other can have its name or lie in it")
	}
	for _, b := range before {
		if b.Local == r.Local && !r.Local.Prefix() {
			return fmt.Errorf("is the name of %q already", b.Server)
		}
	}
	return nil
}

func setNamespaces(a *Account, v value) {
	kinds := []string{"personal", "other", "shared"}
	list, ok := v.texts()
	if !ok {
		return
	}
	if len(list) == 0 {
		v.fail("must not be an empty list")
	}
	for i, s := range list {
		if !slices.Contains(kinds, s) {
			v.fail("item %d must be one of %s, not %q%s", i+1, strings.Join(kinds, ", "), s, Suggest(s, kinds))
			return
		}
	}
	a.Namespaces = list
}
