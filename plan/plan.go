package plan

// Plan is the ordered operations of a run on one account.
type Plan struct {
	Ops []*Op
}
