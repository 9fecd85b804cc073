package wire

import "time"

// Step is one part of what it costs to set up a connection.
type Step struct {
	Name string // as of Options.Stage, or compress
	Took time.Duration
}

// steps takes the times of one connection; nil takes none.
type steps struct {
	last time.Time
	list []Step
}

// lap ends a step that began where the one before ended.
func (s *steps) lap(name string) {
	if s != nil {
		now := time.Now()
		s.list = append(s.list, Step{name, now.Sub(s.last)})
		s.last = now
	}
}

func (o *Options) cost(list []Step) {
	if o.Costs != nil {
		o.Costs(list)
	}
}
