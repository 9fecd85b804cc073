package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"imapsync/internal/dovecot"
)

// machine is what the times depend on.
type machine struct {
	Date       string   `json:"date"`
	Processors string   `json:"processors"`
	Memory     string   `json:"memory"`
	Kernel     string   `json:"kernel"`
	Disk       string   `json:"disk"`   // of the Maildirs
	Server     string   `json:"server"` // and of its mail
	Versions   []string `json:"versions"`
}

func facts(o options) machine {
	m := machine{Date: time.Now().UTC().Format(time.DateOnly)}
	m.Processors = fmt.Sprintf("%d × %s, %s", runtime.NumCPU(), field("/proc/cpuinfo", "model name"), runtime.GOARCH)
	m.Memory = field("/proc/meminfo", "MemTotal")
	m.Kernel = said("uname", "-sr")
	m.Disk = fileSystem(o.dir)
	if took, err := fsyncTime(o.dir); err == nil {
		m.Disk += fmt.Sprintf(", fsync of a new file %.2f ms", float64(took)/float64(ms))
	}
	m.Server = "Dovecot " + said(dovecot.Program, "--version") + ", mdbox, mail_fsync=never, on " + fileSystem(o.serverDir)
	m.Versions = []string{said(o.imapsync, "version"), said(o.mbsync, "--version"), runtime.Version()}
	return m
}

// said is the first line that a program says of itself.
func said(command string, args ...string) string {
	out, err := exec.Command(command, args...).Output()
	if err != nil {
		return err.Error()
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

// field is the value of a line "name : value" of a file.
func field(path, name string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

func fileSystem(dir string) string {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return err.Error()
	}
	names := map[int64]string{unix.EXT4_SUPER_MAGIC: "ext4", unix.TMPFS_MAGIC: "tmpfs", unix.BTRFS_SUPER_MAGIC: "btrfs",
		unix.XFS_SUPER_MAGIC: "xfs", unix.OVERLAYFS_SUPER_MAGIC: "overlayfs"}
	if name, known := names[int64(st.Type)]; known {
		return name
	}
	return fmt.Sprintf("file system %#x", st.Type)
}

// fsyncTime is the median of a few.
func fsyncTime(dir string) (time.Duration, error) {
	base, err := os.MkdirTemp(dir, "fsync")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(base)
	var took []time.Duration
	for i := range 50 {
		f, err := os.Create(filepath.Join(base, fmt.Sprint(i)))
		if err != nil {
			return 0, err
		}
		defer f.Close()
		if _, err := f.Write(make([]byte, 8<<10)); err != nil {
			return 0, err
		}
		began := time.Now()
		if err := f.Sync(); err != nil {
			return 0, err
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}
