package conflict
type Rule string
