package state

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"imapsync/mail"
)

// The test binary plays the process that is killed: see startChild.
func TestMain(m *testing.M) {
	path := os.Getenv("STATE_TEST_PATH")
	switch os.Getenv("STATE_TEST_CHILD") {
	case "":
		os.Exit(m.Run())
	case "lock":
		if _, err := Lock(context.Background(), path, 0); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("locked")
		select {}
	case "commit":
		fmt.Println(commitForEver(path))
		os.Exit(1)
	}
}

// startChild runs this binary as another process that plays a role on a state
// until it is killed.
func startChild(t *testing.T, role, path string) (*exec.Cmd, io.Reader) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "STATE_TEST_CHILD="+role, "STATE_TEST_PATH="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { child.Process.Kill() })
	return child, out
}

func kill(t *testing.T, child *exec.Cmd) {
	t.Helper()
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	child.Wait() // says that it was killed
}

const rowsPerBatch = 20

// numberedBatch is what transaction n writes: rows of its own, an intent
// settled and another added, a mark that counts.
func numberedBatch(n int, settle []*mail.Intent) mail.Batch {
	batch := mail.Batch{
		SettleIntents: settle,
		AddIntents: []*mail.Intent{{
			Kind: mail.IntentDownload, Folder: "INBOX", UID: mail.UID(n + 1), Key: mail.Key(fmt.Sprint("next", n)),
		}},
		Folders: []mail.FolderRecord{{Folder: "INBOX", Settled: true, Mark: mail.Mark{UIDValidity: 1, UIDNext: mail.UID(n)}}},
		Log:     []mail.Entry{{Run: 1, Time: time.Unix(int64(n), 0), Folder: "INBOX", Action: "download", Reason: strconv.Itoa(n)}},
	}
	for i := range rowsPerBatch {
		uid := mail.UID(n*rowsPerBatch + i)
		batch.Put = append(batch.Put, row("INBOX", uid, mail.Key(fmt.Sprintf("%d.%d", n, i))))
	}
	return batch
}

// commitForEver goes on with the numbers where the state ends, and says which
// it has committed.
func commitForEver(path string) error {
	ctx := context.Background()
	d, err := Open(ctx, path)
	if err != nil {
		return err
	}
	n, err := lastNumber(d)
	for ; err == nil; n++ {
		var intents []*mail.Intent
		if intents, err = d.Intents(ctx); err == nil {
			err = d.Commit(ctx, numberedBatch(n+1, intents))
		}
		if err == nil {
			fmt.Println(n + 1)
		}
	}
	return err
}

// lastNumber tells how far the state has come.
func lastNumber(d *DB) (int, error) {
	folders, err := d.Folders(context.Background())
	if err != nil || len(folders) == 0 {
		return 0, err
	}
	return int(folders[0].Mark.UIDNext), nil
}

// wantWhole checks that the transactions 1 to n are there, each whole, and
// nothing of another; it returns n.
func wantWhole(t *testing.T, d *DB) int {
	t.Helper()
	checked(t, d)
	n, err := lastNumber(d)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[mail.Key]bool{}
	for _, r := range rowsOf(t, d, "INBOX") {
		rows[r.Key] = true
	}
	for i := 1; i <= n; i++ {
		for j := range rowsPerBatch {
			if key := mail.Key(fmt.Sprintf("%d.%d", i, j)); !rows[key] {
				t.Errorf("row %s of transaction %d of %d is missing", key, i, n)
			}
		}
	}
	if len(rows) != n*rowsPerBatch {
		t.Errorf("%d rows after %d transactions", len(rows), n)
	}
	intents, err := d.Intents(context.Background())
	if err != nil || (n > 0 && (len(intents) != 1 || intents[0].Key != mail.Key(fmt.Sprint("next", n)))) {
		t.Errorf("intents after transaction %d: %+v, %v", n, intents, err)
	}
	history, err := d.History(context.Background(), Trail{Limit: 1})
	if err != nil || (n > 0 && history[0].Reason != strconv.Itoa(n)) {
		t.Errorf("history after transaction %d: %+v, %v", n, history, err)
	}
	return n
}

// A process is killed again and again amid its commits; what it said to be
// committed is there, and of the last transaction all or nothing.
func TestKilledAmidCommits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "work.db")
	random := rand.New(rand.NewPCG(3, 4))
	for range 6 {
		child, out := startChild(t, "commit", path)
		lines := bufio.NewScanner(out)
		said := 0
		for range 1 + random.IntN(5) {
			if !lines.Scan() {
				t.Fatalf("the child ended by itself after transaction %d", said)
			}
			n, err := strconv.Atoi(lines.Text())
			if err != nil {
				t.Fatalf("the child said: %s", lines.Text())
			}
			said = n
		}
		kill(t, child)

		d, err := OpenReadOnly(context.Background(), path) // as the plan command would
		if err != nil {
			t.Fatal(err)
		}
		if n := wantWhole(t, d); n < said {
			t.Errorf("transaction %d was said to be committed, the state ends with %d", said, n)
		}
		d.Close()
	}
	d, err := Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	wantWhole(t, d)
}

// A power cut leaves any beginning of the log: whatever its length, whole
// transactions come out of it.
func TestLogCutAtEveryLength(t *testing.T) {
	path := filepath.Join(t.TempDir(), "work.db")
	d := openState(t, path)
	const last = 6
	var settle []*mail.Intent
	for n := 1; n <= last; n++ {
		batch := numberedBatch(n, settle)
		commit(t, d, batch)
		settle = batch.AddIntents
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	dir := t.TempDir()
	for cut := 0; ; cut = min(cut+7919, len(log)) {
		copied := filepath.Join(dir, strconv.Itoa(cut)+".db")
		if os.WriteFile(copied, file, 0o600) != nil || os.WriteFile(copied+"-wal", log[:cut], 0o600) != nil {
			t.Fatal("cannot write the copy")
		}
		after, err := Open(context.Background(), copied)
		if err != nil {
			t.Fatalf("log of %d bytes: %v", cut, err)
		}
		seen[wantWhole(t, after)] = true
		if err := after.Close(); err != nil {
			t.Fatal(err)
		}
		if cut == len(log) {
			break
		}
	}
	for n := range last + 1 {
		if !seen[n] {
			t.Errorf("no length of the log ended with transaction %d", n)
		}
	}
}

// A process is killed while it makes the state.
func TestKilledAmidCreation(t *testing.T) {
	for range 8 {
		path := filepath.Join(t.TempDir(), "work.db")
		child, out := startChild(t, "commit", path)
		for { // until something of it is there
			if list, err := os.ReadDir(filepath.Dir(path)); err != nil || len(list) > 0 {
				break
			}
		}
		kill(t, child)
		rest, _ := io.ReadAll(out)
		if text := strings.Trim(string(rest), "\n0123456789"); text != "" {
			t.Errorf("child: %s", text)
		}
		d := openState(t, path)
		wantWhole(t, d)
	}
}
