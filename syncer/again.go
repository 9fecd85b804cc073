package syncer

import (
	"context"

	"imapsync/mail"
)

// lookForFiles looks once more for files that a listing of their folder lacks, for
// readdir may miss one that is being renamed.
func lookForFiles(ctx context.Context, local Local, s mail.LocalSnapshot, missing []mail.Key) error {
	if !s.Exists || len(missing) == 0 {
		return nil
	}
	again, err := local.Names(ctx, s.Folder, len(s.Messages))
	if err != nil {
		return err
	}
	for _, k := range missing {
		if l, there := again.File(k); there {
			s.Messages[k] = l
		}
	}
	return nil
}
