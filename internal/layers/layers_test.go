package layers

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What a package may never do, as the imports that would let it, or as calls.
// A name stands for the packages below it too.
var (
	inOut   = []string{"os", "net", "syscall", "database/sql", "io/fs", "io/ioutil", "path/filepath", "log", "golang.org/x/sys"}
	chance  = []string{"math/rand", "crypto/rand"}
	clock   = []string{"time.Now", "time.Since", "time.Until", "time.Sleep", "time.After", "time.AfterFunc", "time.Tick", "time.NewTimer", "time.NewTicker"}
	context = []string{"context"}
	sql     = []string{"database/sql", "modernc.org/sqlite"}
	goIMAP  = []string{"github.com/emersion/go-imap"}
	files   = []string{"os"}
)

type rule struct {
	pkg   string
	may   []string
	never [][]string
}

// table is that of the design: a package, what of ours it may import, what it
// may never do. The first row that matches holds; a package without a row is an
// error.
var table = []rule{
	{"mail", nil, [][]string{inOut, clock, chance, context}},
	{"conflict", []string{"mail"}, [][]string{inOut, clock, chance, context}},
	{"plan", []string{"mail", "conflict"}, [][]string{inOut, clock, chance, context}},
	{"maildir", []string{"mail"}, [][]string{sql, goIMAP}},
	{"query", []string{"mail"}, [][]string{inOut, clock, chance, context}},
	{"remote", []string{"mail", "query", "remote/wire"}, [][]string{sql}},
	{"remote/wire", nil, [][]string{sql}},
	{"remote/route", []string{"remote/wire"}, [][]string{sql, goIMAP}},
	{"state", []string{"mail"}, [][]string{goIMAP}},
	{"syncer", []string{"mail", "conflict", "plan"}, [][]string{goIMAP, sql, files}},
	{"config", []string{"mail", "conflict", "keyring", "oauth"}, [][]string{sql, goIMAP}},
	{"oauth", []string{"keyring"}, [][]string{sql, goIMAP}},
	{"discover", nil, [][]string{sql, goIMAP}},
	{"keyring", nil, [][]string{sql, goIMAP}},
	{"importer", []string{"mail"}, [][]string{sql, goIMAP, files, clock, chance, context}},
	{"cmd/imapsync", []string{"*"}, nil},
	{"internal/simworld", []string{"mail", "conflict", "plan", "syncer"}, [][]string{sql, goIMAP}},
	{"internal/bench", []string{"mail", "internal/*", "internal/bench/bare"}, [][]string{sql, goIMAP}},
	{"internal/bench/bare", []string{"internal/corpus"}, [][]string{sql, goIMAP}},
	{"internal/*", []string{"mail", "internal/*"}, [][]string{sql}},
}

// testOnly are the packages that serve tests and benchmarks. Beyond test files
// only they import each other, and the benchmark them; the program carries none.
var testOnly = []string{
	"internal/authserver", "internal/corpus", "internal/dovecot", "internal/e2e", "internal/imaptest", "internal/layers", "internal/proxy", "internal/realworld", "internal/simworld",
	"internal/sweep", "internal/tracer",
}

// benchmarks may use what tests use.
var benchmarks = []string{"internal/bench", "internal/bench/bare"}

const module = "imapsync/"

// pkg is what `go list -json` says of a package.
type pkg struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
	Deps       []string
}

// name is the package's folder in the module.
func (p pkg) name() string { return strings.TrimPrefix(p.ImportPath, module) }

// ours are the packages of this module, without their tests.
func ours(t *testing.T) []pkg {
	t.Helper()
	list := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,Imports,Deps", "./...")
	list.Dir = filepath.Join("..", "..")
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
		noticed(t, p.Dir)
	}
}

// noticed looks at a directory for the sake of go test, which otherwise takes
// the result of an earlier run: it cannot know what go list has read.
func noticed(t *testing.T, dir string) {
	t.Helper()
	for ; ; dir = filepath.Dir(dir) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == "go.mod" }) {
			return
		}
	}
}

func TestImportsPointDownwards(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range ours(t) {
		i := slices.IndexFunc(table, func(r rule) bool { return matches(r.pkg, p.name()) })
		if i < 0 {
			t.Errorf("%s is not in the table: say what it may import", p.name())
			continue
		}
		row := table[i]
		seen[row.pkg] = true
		for _, imported := range p.Imports {
			if name, is := strings.CutPrefix(imported, module); is && !anyMatches(row.may, name) {
				t.Errorf("%s imports %s; of ours it may import only %v", p.name(), name, row.may)
			}
		}
		for _, kind := range row.never {
			for _, used := range append(slices.Clone(p.Imports), timeCalls(t, p)...) {
				if slices.ContainsFunc(kind, func(forbidden string) bool { return used == forbidden || strings.HasPrefix(used, forbidden+"/") }) {
					t.Errorf("%s uses %s, which it never may", p.name(), used)
				}
			}
		}
	}
	for _, row := range table {
		if !seen[row.pkg] {
			t.Errorf("the table has %s, the module does not", row.pkg)
		}
	}
}

func TestTestPackagesStayOutOfTheProgram(t *testing.T) {
	for _, p := range ours(t) {
		name := p.name()
		if !slices.Contains(testOnly, name) && !slices.Contains(benchmarks, name) {
			for _, imported := range p.Imports {
				if slices.Contains(testOnly, strings.TrimPrefix(imported, module)) {
					t.Errorf("%s imports %s, which is for tests alone", name, imported)
				}
			}
		}
		if name != "cmd/imapsync" {
			continue
		}
		for _, dep := range p.Deps {
			if dep == "testing" || slices.Contains(testOnly, strings.TrimPrefix(dep, module)) {
				t.Errorf("the program carries %s", dep)
			}
		}
	}
}

// matches reports whether a name of the table means this package: itself, all
// ("*"), or all in one folder ("internal/*").
func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return pattern == "*" || (err == nil && ok)
}

func anyMatches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, name) })
}

// timeCalls are the uses of package time's functions in a package, "time.Now"
// for one. Its types are harmless.
func timeCalls(t *testing.T, p pkg) []string {
	t.Helper()
	var calls []string
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		local := nameOf(file, "time")
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == local {
					calls = append(calls, "time."+s.Sel.Name)
				}
			}
			return true
		})
	}
	return calls
}

// nameOf is what a file calls an imported package, "" when it does not import it.
func nameOf(file *ast.File, imported string) string {
	for _, i := range file.Imports {
		if quoted, err := strconv.Unquote(i.Path.Value); err != nil || quoted != imported {
			continue
		}
		if i.Name != nil {
			return i.Name.Name
		}
		return path.Base(imported)
	}
	return ""
}
