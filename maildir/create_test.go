package maildir

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"imapsync/mail"
)

func TestOneFolderThatCannotBeMadeDoesNotCostTheOthers(t *testing.T) {
	m := open(t, Config{Fsync: true})
	long := mail.FolderName(strings.Repeat("\x01", 86))
	names := []mail.FolderName{"A/B", long, "A", "A/C"}
	failed := m.CreateFolders(t.Context(), names)
	if len(failed) != 1 || failed[long] == nil {
		t.Errorf("failed: %v", failed)
	}
	found, err := again(t, m).Folders(t.Context())
	if err != nil || len(found) != 3 {
		t.Errorf("found %v, %v", found, err)
	}
	if err := os.WriteFile(filepath.Join(m.root, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	failed = m.CreateFolders(t.Context(), []mail.FolderName{"file/in", "D"})
	wantScope(t, failed["file/in"], mail.ScopeFolder, "create folder", "file")
	if len(failed) != 1 {
		t.Errorf("failed: %v", failed)
	}
}
