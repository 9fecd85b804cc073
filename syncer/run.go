package syncer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"imapsync/conflict"
	"imapsync/mail"
	"imapsync/plan"
)

// Account is what a run works on.
type Account struct {
	Name     string
	Identity mail.Identity // Server and User as configured; Marker is the syncer's to choose
	Maildir  string        // the root's path, for messages
	Local    Local
	Remote   Remote
	State    State

	Select func(mail.FolderName) bool            // the configured folders; nil is all
	Policy func(mail.FolderName) conflict.Policy // nil is the default everywhere
	Limits plan.Limits

	// Trash is where deletions on the server move messages to; "" expunges them. With
	// TrashByUse it is the mailbox the server says is for it (\Trash, RFC 6154).
	Trash      mail.FolderName
	TrashByUse bool

	FullCheck time.Duration    // a folder is compared in full this often; 0 never
	Now       func() time.Time // nil is time.Now

	// Wait pauses between two attempts; it returns early, with an error, when
	// ctx ends. Nil is the real clock.
	Wait func(ctx context.Context, d time.Duration) error
}

// grace is how long a cancelled run may take to finish the message in hand
// before its connections are cut.
const grace = 10 * time.Second

// run is one run in progress.
type run struct {
	Account
	opt    Options
	events func(Event)
	report *Report
	record mail.RunRecord

	identity    mail.Identity // as the state will say at the end
	moved       bool          // the config points to another server than the state, or behind
	behind      bool          // the Maildir is older than the state
	foreign     bool          // the state is another account's: nothing of it is believed
	recorded    mail.Identity // as it says now
	hadMarker   bool          // the Maildir is marked as this account's already
	marker      string        // as it was found
	sameTurn    bool          // nothing that is planned needs another turn in it
	turned      bool          // it has got another in this run
	opened      bool          // this attempt has opened the run in the log
	folders     map[mail.FolderName]*folder
	ahead       *ahead                                 // nil when it was taken, or has no use
	listed      listed                                 // also folders that are not synchronised
	apart       map[mail.FolderName]bool               // on one side alone, where they stay
	remembered  []plan.Remembered                      // those folders
	renamed     []*plan.Op                             // renames that were followed, before all else was decided
	outside     map[mail.FolderName]error              // left out, though patterns choose them, and why
	excluded    map[mail.FolderName]bool               // of these, those that the configuration means
	called      map[mail.FolderName]mail.FolderName    // what mailboxes are called here, by what the server calls them
	skipped     map[mail.FolderName]*mail.FolderRecord // unchanged, not looked into
	unsettled   map[mail.FolderName]bool               // to be left alone: with copies that may or may not exist, or not to be seen
	hidden      []mail.FolderName                      // known, and not to be seen in the Maildir
	awaited     map[int64]bool                         // times of deliveries of an earlier run that may lie anywhere
	twins       []*mail.Base                           // rows of folders not looked into that new messages may be equal to
	moving      []mail.FolderName                      // folders with messages that were moved there in sight of this attempt
	objects     map[plan.Message]string                // what the server says identifies the contents of messages that may be twins
	unseen      []*mail.Base                           // rows of folders that could not be looked into
	unreadFiles map[int64]mail.FolderName              // new files that could not be read, by size in bytes; unknownSize fits all
	unreadMail  map[int64]mail.FolderName              // new messages likewise, by announced size

	withheldHeaders map[mail.Digest]mail.FolderName // of those of which the header is known

	completed map[*plan.Op]bool              // carried out and recorded
	wire      map[*plan.Op]int64             // bytes of the messages that were fetched
	concerns  map[*plan.Op][]mail.FolderName // the folders that are not settled before it is
	finding   chan struct{}                  // held by the lane that looks for its copies

	quarantine quarantine
	holds      *[]mail.Hold // to be recorded at the end; nil: as they were
	heldBefore []mail.Hold
	deleted    map[holdable]int // by this run

	trash      mail.FolderName // where deletions on the server go, as far as it is known
	trashThere bool            // the server has it
	goesOn     bool            // what was carried out leaves more to do at once
	goneOn     bool            // and the run has gone on with it

	features mail.Features
	putOff   map[mail.FolderName]bool // folders whose renaming an attempt left to the next
	told     map[string]bool          // failures told, for attempts repeat them
	reached  bool                     // the server was logged in to
	passed   []Event                  // failures that another attempt may cure; not told yet
	records  []mail.FolderRecord      // of the state; nil when they are to be read (again): see folderRecords
	pause    mail.Pause               // what the server asked for

	mu sync.Mutex // guards report, events, completed, passed, records, unread and what lanes share of folders
}

// folder is what the run knows of one folder it looks into.
type folder struct {
	plan.Folder
	record    mail.FolderRecord
	remote    *mail.RemoteFolder // as LIST told; nil when it did not
	validity  uint32             // UIDVALIDITY its UIDs are taken under; 0 not known yet
	stamp     mail.DirStamp      // of the listing
	loaded    chan struct{}      // closed when Base is; nil where the folder is not scanned early
	notLoaded error              // why it could not be
	narrow    *narrowing         // nil where the folder is looked at as a whole
	statted   bool               // each file was looked at
	full      bool               // compared in full
	rewritten bool               // a draft was written in place: its files are looked at
	remapped  bool               // the configuration gave its name to another mailbox
	restored  bool               // the server brought it back from an earlier moment
	restamped []*mail.Base       // rows whose file has another time but the same content
	trouble   bool               // something was not carried out: watermarks stay
	distrust  bool               // what the record says of it was wrong: it is compared in full next
	failed    bool               // a folder-scope error: nothing more is done here in this run
	unchanged bool               // neither side was touched since the last run
	removed   bool               // gone from both sides
	phantom   bool               // the server lists it, and says that it does not exist
	extent    conflict.Extent    // what the Maildir is to hold of it; known where Trim is
}

// Run synchronises one account once. Cancelling ctx ends the run in good
// order: what is in hand is finished and recorded. The error is of account
// scope; everything smaller is in the report's Failures, and both the report
// and the error may be given.
func Run(ctx context.Context, acc Account, opt Options, events func(Event)) (*Report, error) {
	if acc.Now == nil {
		acc.Now = time.Now
	}
	if acc.Wait == nil {
		acc.Wait = sleep
	}
	acc.Policy = opt.policy(acc.Policy)
	if opt.Lanes < 1 {
		opt.Lanes = 1
	}
	if events == nil {
		events = func(Event) {}
	}
	r := &run{Account: acc, opt: opt, events: events,
		report:  &Report{Account: acc.Name, Counts: map[plan.Kind]int{}, Started: acc.Now()},
		finding: make(chan struct{}, 1), completed: map[*plan.Op]bool{}, wire: map[*plan.Op]int64{}, concerns: map[*plan.Op][]mail.FolderName{}, putOff: map[mail.FolderName]bool{}, told: map[string]bool{}}
	r.emit(Event{Kind: EventStarted})
	err := r.attempts(ctx)
	if ctx.Err() != nil {
		r.report.Interrupted = true
		if errors.Is(err, errInterrupted) || errors.Is(err, ctx.Err()) {
			err = nil
		}
	}
	if ferr := r.finish(err); err == nil {
		err = ferr
	}
	return r.report, err
}

var errInterrupted = errors.New("interrupted")

func (r *run) sync(ctx context.Context) error {
	r.listAhead(ctx)
	defer r.endAhead()
	if err := r.prepare(ctx); err != nil {
		return err
	}
	if err := r.observe(ctx); err != nil {
		return err
	}
	if err := r.identify(ctx); err != nil {
		return err
	}
	if err := r.confirm(ctx); err != nil {
		return err
	}
	if err := r.followRenames(ctx); err != nil {
		return err
	}
	p, err := r.decide(ctx)
	if err != nil {
		return err
	}
	if r.opt.DryRun {
		refused := r.holdTrashless(p)
		r.announce(p)
		for _, name := range refused {
			r.failTrash(name)
		}
		return nil
	}
	r.announce(p)
	return r.carryOutPlan(ctx, p)
}

// prepare makes sure of whom all belongs to, and brings what earlier runs left
// behind into order.
func (r *run) prepare(ctx context.Context) error {
	if err := r.checkIdentity(ctx); err != nil {
		return err
	}
	if r.moved {
		if err := r.reach(ctx); err != nil {
			return err
		}
	}
	if len(r.records) == 0 || r.foreign || r.moved { // everything has to be looked into
		r.Remote.Expect(r.opt.Lanes)
	}
	if err := r.begin(); err != nil {
		return err
	}
	if err := r.loadQuarantine(ctx); err != nil {
		return err
	}
	if err := r.loadHolds(ctx); err != nil {
		return err
	}
	return r.recover(ctx)
}

// carryOutPlan does what is planned, and records it.
func (r *run) carryOutPlan(ctx context.Context, p *plan.Plan) error {
	if slices.ContainsFunc(p.Ops, func(o *plan.Op) bool { return !o.Held }) {
		r.sameTurn = !slices.ContainsFunc(p.Ops, placesFile)
		if err := r.openLog(); err != nil {
			return err
		}
	}
	work, done := workContext(ctx)
	defer done()
	err := r.apply(ctx, work, p)
	r.goesOn = len(p.GoOn) > 0
	for _, name := range p.GoOn {
		r.trouble(name)
	}
	if rerr := r.recordFolders(p); err == nil {
		err = rerr
	}
	return err
}

// workContext outlives ctx by the grace, for what is in hand when ctx ends.
func workContext(ctx context.Context) (context.Context, func()) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		t := time.AfterFunc(grace, cancel)
		context.AfterFunc(work, func() { t.Stop() })
	})
	return work, func() { stop(); cancel() }
}

// decide makes the plan from everything observed.
func (r *run) decide(ctx context.Context) (*plan.Plan, error) {
	in, err := r.input(ctx)
	if err != nil {
		return nil, err
	}
	p := plan.Make(in)
	if err := r.promoteNamed(ctx, p); err != nil {
		return nil, err
	}
	p.Ops = append(slices.Clone(r.renamed), p.Ops...)
	p.GoOn = append(p.GoOn, r.moving...)
	p.Remembered = append(r.remembered, p.Remembered...)
	return p, nil
}

// announce reports the plan before anything of it is done.
func (r *run) announce(p *plan.Plan) {
	var bytes int64
	total, aside := 0, 0
	for _, o := range p.Ops {
		r.concerns[o] = concerned(o)
		if o.Held || r.completed[o] {
			continue
		}
		if r.opAside(o) {
			aside++
			continue
		}
		total++
		if o.Part == "" || o.Part == conflict.Whole { // what a stub takes is not known yet
			bytes += opBytes(o)
		}
	}
	now := r.Now()
	for i := range p.Holds {
		p.Holds[i].Since = now
	}
	r.report.Plan, r.report.Held = r.continued(p), p.Holds
	r.emit(Event{Kind: EventObserved, Total: total, Bytes: bytes})
	for _, o := range p.Denied() {
		r.detail(o.Folder, "the server does not allow: "+o.String())
	}
	if aside > 0 && r.opt.DryRun {
		r.note("", fmt.Sprintf("of these, %d would be left alone, for they are set aside: see imapsync status", aside))
	}
	for name, doubt := range p.Unproven {
		r.trouble(name)
		r.note(name, "missing messages are not taken for deleted: "+doubt)
	}
	for i := range p.Holds {
		r.emit(Event{Kind: EventHeld, Folder: p.Holds[i].Folder, Hold: &p.Holds[i]})
	}
}

// continued is the plan, preceded by what it goes on with.
func (r *run) continued(p *plan.Plan) *plan.Plan {
	if !r.goesOn {
		return p
	}
	r.goesOn = false
	whole := *p
	whole.Ops = slices.Concat(r.report.Plan.Ops, p.Ops)
	return &whole
}

// concerned lists the folders an operation is about, before it changes them.
func concerned(o *plan.Op) []mail.FolderName {
	names := append(make([]mail.FolderName, 0, 4), o.Folder, o.To)
	for _, row := range []*mail.Base{o.Row, o.Old} {
		if row != nil {
			names = append(names, row.Folder)
		}
	}
	return names
}

// opBytes is the most that an operation transfers, as far as it is known before.
func opBytes(o *plan.Op) int64 {
	switch {
	case o.Arrives() && o.Remote != nil:
		return o.Remote.Size
	case o.Kind == plan.Fetch:
		return o.Row.RemoteSize
	case o.Kind == plan.Upload:
		return o.Row.Content.Wire
	}
	return 0
}

func (r *run) emit(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.Time = r.Now()
	r.events(e)
}

func (r *run) note(folder mail.FolderName, text string) {
	r.emit(Event{Kind: EventNote, Folder: folder, Text: text})
}

// detail tells what only those want to know who ask for more.
func (r *run) detail(folder mail.FolderName, text string) {
	r.emit(Event{Kind: EventDetail, Folder: folder, Text: text})
}

// trouble keeps the folder's watermarks where they are.
func (r *run) trouble(name mail.FolderName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.folders[name]; f != nil {
		f.trouble = true
	}
}

// distrust has the folder compared in full in the next run, for something in
// it was not as a scan or the record had it.
func (r *run) distrust(name mail.FolderName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.folders[name]; f != nil {
		f.distrust = true
	}
}

// fail counts a failure that costs a message or a folder. What changed
// meanwhile is no failure: the next run looks again. Nor is what was called off
// because of another error, which is the one to tell of.
func (r *run) fail(name mail.FolderName, op *plan.Op, err error) {
	r.trouble(name)
	if errors.Is(err, mail.ErrChanged) {
		r.distrust(name)
		return
	}
	if errors.Is(err, errInterrupted) || errors.Is(err, context.Canceled) {
		return
	}
	r.tellFailure(name, op, err)
}

// tellFailure reports a failure, once however many attempts meet it; one that
// another attempt may cure is kept back until there is none.
func (r *run) tellFailure(name mail.FolderName, op *plan.Op, err error) {
	failed := Event{Kind: EventFailed, Folder: name, Op: op, Err: err}
	passing := mail.ClassOf(err) == mail.ClassTemporary
	r.mu.Lock()
	again := r.told[err.Error()]
	r.report.Failures = append(r.report.Failures, err)
	if passing {
		r.passed = append(r.passed, failed)
	} else {
		r.told[err.Error()] = true
	}
	r.mu.Unlock()
	if !passing && !again {
		r.emit(failed)
	}
}

// done counts an operation that was carried out and recorded.
func (r *run) done(o *plan.Op) {
	r.mu.Lock()
	bytes := r.wire[o]
	if o.Kind == plan.Upload {
		bytes = opBytes(o)
	}
	r.completed[o] = true
	r.report.Counts[o.Kind]++
	r.report.Bytes += bytes
	if at, ok := deletedAt(o); ok {
		r.deleted[at]++
	}
	r.mu.Unlock()
	r.emit(Event{Kind: EventDone, Folder: o.Folder, Op: o, Bytes: bytes})
	if o.Conflict {
		r.emit(Event{Kind: EventConflict, Folder: o.Folder, Op: o})
	}
}
