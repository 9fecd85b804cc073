package main

import (
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"
)

// version and day, of the source, are set when a release is built
// (-ldflags "-X main.version=1.2.3 -X main.day=2026-01-31").
var version, day = "", ""

func (p *program) versionCommand() *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "print the version",
		Action: func(c *cli.Context) error {
			if err := atMost(c, 0); err != nil {
				return err
			}
			p.showVersion()
			return nil
		},
	}
}

func (p *program) showVersion() {
	v := currentVersion()
	p.out.object(struct {
		head
		Version string `json:"version"`
		Go      string `json:"go"`
	}{p.out.head("version", ""), v, runtime.Version()})
	p.out.say("imapsync %s (%s, %s/%s)", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// currentVersion is the release, or what the Go tool recorded of the source.
func currentVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "development"
	}
	return info.Main.Version
}
