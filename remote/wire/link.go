package wire

import (
	"slices"
	"sync"
	"time"
)

// Link measures, for all connections of an account, how fast a connection to
// the server is, from the bodies that it carries anyway. The zero value is
// ready, nil never calls a link slow.
//
// A server's deflate takes in 20 to 30 MB/s of mail on one core and shrinks it
// 1.6-fold. One connection thus wins by it on a link of less than 20 MB/s; four,
// should they share a core of the server, of less than 5 MB/s each, and win all
// there is to win below 3 MB/s. slowLink is under that, for a mistake costs far
// more than is to be gained: a local server took twenty times as long.
//
// A reading is the bytes read while a body was coming, by the time that reads
// were blocked: then the server has begun to send it, so neither its search for
// messages nor a round trip counts, and what keeps us from reading (a slow disk)
// does not count either, for the kernel goes on receiving. It is taken over
// 1 MiB or 4 s. The link is slow when the fastest of the last four readings is:
// TCP starts slowly on a long link, and a pause is no measure. A link that
// becomes slower or faster is known after four more; compressed connections are
// not measured.
type Link struct {
	mu       sync.Mutex
	readings []float64 // bytes per second, the last ones
	forsworn bool
	now      func() time.Time // nil: time.Now
}

const (
	slowLink     = 2.5e6 // bytes per second of one connection
	readingBytes = 1 << 20
	readingTime  = 4 * time.Second
	readingsKept = 4
)

// Slow tells whether compression wins.
func (l *Link) Slow() bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.forsworn && len(l.readings) == readingsKept && slices.Max(l.readings) < slowLink
}

// Add takes a reading.
func (l *Link) Add(bytesPerSecond float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.readings) == readingsKept {
		l.readings = l.readings[1:]
	}
	l.readings = append(l.readings, bytesPerSecond)
}

// forswear gives up compression for good: this server cannot do it.
func (l *Link) forswear() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forsworn = true
}

func (l *Link) clock() time.Time {
	if l.now != nil {
		return l.now()
	}
	return time.Now()
}

// meter takes the readings of one connection.
type meter struct {
	bytes   int
	blocked time.Duration
}

func (m *meter) add(l *Link, bytes int, blocked time.Duration) {
	m.bytes += bytes
	m.blocked += blocked
	if m.bytes < readingBytes && m.blocked < readingTime {
		return
	}
	l.Add(float64(m.bytes) / max(m.blocked, time.Microsecond).Seconds())
	*m = meter{}
}
