package keyring

import (
	"fmt"
	"os"
	"runtime"
	"sync"
)

// busAddress is where the D-Bus library looks for the session of the user first.
const busAddress = "DBUS_SESSION_BUS_ADDRESS"

// findSession keeps the library from starting a session of its own (by
// dbus-launch) where the user has none: nobody's keyring is open in that, and it
// would stay when we are gone.
var findSession = sync.OnceFunc(noLaunch)

func noLaunch() {
	if has := os.Getenv(busAddress); has != "" && has != "autolaunch:" || runtime.GOOS == "darwin" || runtime.GOOS == "windows" {
		return
	}
	dir := fmt.Sprintf("/run/user/%d", os.Getuid())
	if _, err := os.Stat(dir + "/dbus-session"); err == nil {
		return // which the library reads
	}
	_ = os.Setenv(busAddress, "unix:path="+dir+"/bus") // that it is not there is told when it is used
}
